"""Decoders of OpenAI's embeddings and moderations: whole answers, as raw bytes or as vectors."""

from __future__ import annotations

import struct
from binascii import Error, a2b_base64
from typing import Any

from oneflow_ai.core.events import End, Event, Raw, Usage, Vector
from oneflow_ai.providers.base import WholeDecoder, bad, numbers_of, word
from oneflow_ai.providers.openai_stream import whole_failure
from oneflow_ai.providers.openai_usage import read_usage

_NUMBER_BYTES = 4


def embedding_decoder(*, raw: bool) -> WholeDecoder:
    """The decoder of one answer of embeddings, as numbers or base64."""
    return WholeDecoder(_passed_on if raw else _vectors)


def moderation_decoder() -> WholeDecoder:
    """The decoder of one answer of a moderation, which only clients of the same wire ask for. It costs nothing."""
    return WholeDecoder(_moderation)


def _passed_on(body: bytes, found: Any) -> list[Event]:
    failure = whole_failure(found, "data")
    return [End(failure=failure)] if failure is not None else [Raw(body, 1), *_counted(found), _end_of(found)]


def _vectors(body: bytes, found: Any) -> list[Event]:
    del body
    failure = whole_failure(found, "data")
    if failure is not None:
        return [End(failure=failure)]
    vectors = [_vector(item, place) for place, item in enumerate(found["data"])]
    known = [vector for vector in vectors if vector is not None]
    if len(known) < len(vectors):
        return bad("the provider sent an embedding that is no list of numbers")
    return [*known, *_counted(found), _end_of(found)]


def _moderation(body: bytes, found: Any) -> list[Event]:
    failure = whole_failure(found, "results")
    return [End(failure=failure)] if failure is not None else [Raw(body, 1), Usage(), _end_of(found)]


def _counted(found: dict[str, Any]) -> list[Event]:
    usage = found.get("usage")
    # Servers of this wire leave out what there never is, or write nought.
    counted = read_usage({"completion_tokens": 0, **usage}) if isinstance(usage, dict) else None
    return [] if counted is None else [counted]


def _end_of(found: dict[str, Any]) -> End:
    return End(model=word(found.get("model")) or None, answer_id=word(found.get("id")))


def _vector(item: Any, place: int) -> Vector | None:
    if not isinstance(item, dict):
        return None
    index, values = item.get("index"), item.get("embedding")
    index = index if type(index) is int else place
    if isinstance(values, str):
        numbers = _unpacked(values)
        return None if numbers is None else Vector(index, numbers)
    numbers = numbers_of(values) if isinstance(values, list) else None
    return None if numbers is None else Vector(index, numbers)


def _unpacked(text: str) -> tuple[float, ...] | None:
    """Numbers of 32 bits, the least significant byte first, out of base64."""
    try:
        content = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        return None
    count, rest = divmod(len(content), _NUMBER_BYTES)
    return None if rest else struct.unpack(f"<{count}f", content)
