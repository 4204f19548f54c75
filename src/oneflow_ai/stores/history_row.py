"""One exchange as a row of the history: made on the event loop, so cheap and bounded, and without a prompt unasked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import orjson

from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import in_own_words
from oneflow_ai.core.record import Attempt, Exchange
from oneflow_ai.stores.history_metadata import metadata_of
from oneflow_ai.stores.moments import as_microseconds

Row: TypeAlias = tuple[str | int | float, ...]

COLUMNS = (
    "id",
    "at",
    "key_id",
    "end_user",
    "tags",
    "dialect",
    "operation",
    "asked",
    "provider",
    "model",
    "model_actual",
    "status",
    "outcome",
    "message",
    "attempt_count",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_source",
    "cost_nanos",
    "price_version",
    "estimated",
    "simulated",
    "stream",
    "seconds",
    "first_event_seconds",
    "queued_seconds",
    "prompt",
    "client_id",
    "metadata",
    "characters",
    "images",
    "audio_milliseconds",
    "web_searches",
)
_PROMPT, _METADATA = COLUMNS.index("prompt"), COLUMNS.index("metadata")

NAME_CHARACTERS_MOST = 256
MESSAGE_CHARACTERS_MOST = 500
TAGS_MOST = 16
ATTEMPTS_MOST = 32
PROMPT_BYTES_MOST = 65_536
ROW_BYTES = 1_200
"""About what a row without a prompt and metadata takes in memory."""

_MISSING = ""
"""Stands for what is not there, and is written as NULL: SQLite's driver takes a microsecond to bind a `None`."""

_NOTHING_KNOWN = (_MISSING,) * 6
_NO_UNITS = (_MISSING,) * 4


def row_of(exchange: Exchange, *, keep_prompt: bool) -> Row:
    """The exchange in the order of `COLUMNS`, as plain `str`, `int` and `float`: SQLite binds those much faster.

    An empty text stands for what is not there, and is written as NULL.
    """
    call, attempts, outcome = exchange.call, exchange.attempts, exchange.outcome
    target = exchange.served or (attempts[-1].target if attempts else None)
    first = exchange.first_event_seconds
    usage = exchange.usage
    spent = _spent(usage) if usage else _NOTHING_KNOWN
    units = (usage.characters, usage.images, usage.audio_milliseconds, usage.web_searches) if usage else _NO_UNITS
    return (
        call.id,
        as_microseconds(call.received),
        call.account.key_id,
        call.user[:NAME_CHARACTERS_MOST],
        _tags(call.tags) if call.tags else _MISSING,
        call.dialect,
        call.operation._value_,
        call.model[:NAME_CHARACTERS_MOST],
        target.provider if target else _MISSING,
        target.model if target else _MISSING,
        exchange.model_actual[:NAME_CHARACTERS_MOST] if exchange.model_actual else _MISSING,
        exchange.status,
        outcome[:NAME_CHARACTERS_MOST],
        exchange.message[:MESSAGE_CHARACTERS_MOST] if exchange.message and in_own_words(outcome) else _MISSING,
        exchange.tries,
        _attempts(attempts) if attempts else _MISSING,
        *spent,
        exchange.cost_nanos,
        exchange.price_version,
        1 if exchange.estimated else 0,
        1 if target and target.simulated else 0,
        1 if call.stream else 0,
        exchange.ended_seconds - call.started_seconds,
        _MISSING if first is None else first - call.started_seconds,
        exchange.queued_seconds,
        _prompt(exchange) if keep_prompt else _MISSING,
        call.client_id,
        metadata_of(call.body["metadata"]) if "metadata" in call.body else _MISSING,
        *units,
    )


def row_bytes(row: Row) -> int:
    """About what a row takes in memory."""
    prompt, metadata = row[_PROMPT], row[_METADATA]
    assert type(prompt) is str and type(metadata) is str
    return ROW_BYTES + len(prompt) + len(metadata)


def _spent(usage: Usage) -> tuple[int | str, ...]:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens + usage.cache_write_1h_tokens,
        usage.reasoning_tokens,
        usage.source,
    )


def mended(row: Row) -> Row:
    """The row as a database can store it: half surrogate pairs become `?`, numbers stay within 64 bits."""
    return tuple(
        _whole(value) if isinstance(value, str) else _within_64_bits(value) if isinstance(value, int) else value
        for value in row
    )


def _tags(tags: tuple[str, ...]) -> str:
    cut = [tag[:NAME_CHARACTERS_MOST] for tag in tags[:TAGS_MOST]]
    try:
        return orjson.dumps(cut).decode()
    except TypeError:
        return orjson.dumps([_whole(tag) for tag in cut]).decode()


def _attempts(attempts: Sequence[Attempt]) -> str:
    kept = (_tried(attempts[0]),) if len(attempts) == 1 else tuple(map(_tried, attempts[-ATTEMPTS_MOST:]))
    try:
        return orjson.dumps(kept).decode()
    except TypeError:
        # An outcome may be a provider's own word.
        return orjson.dumps([(place, name, _whole(outcome), *rest) for place, name, outcome, *rest in kept]).decode()


def _tried(attempt: Attempt) -> tuple[str, str, str, int, float]:
    target = attempt.target
    return (
        target.place,
        target.credential.id,
        attempt.outcome[:NAME_CHARACTERS_MOST],
        attempt.status,
        round((attempt.ended_seconds - attempt.started_seconds) * 1e6) / 1e6,
    )


def _prompt(exchange: Exchange) -> str:
    try:
        return orjson.dumps(exchange.call.body)[:PROMPT_BYTES_MOST].decode(errors="ignore")
    except TypeError:
        # What the wire allows and JSON text does not: half a surrogate pair, a number of more than 64 bits.
        return _MISSING


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()


def _within_64_bits(number: int) -> int:
    return max(-(2**63), min(number, 2**63 - 1))
