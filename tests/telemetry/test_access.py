"""The access line: every call one line of JSON, with nothing in it that a client or a provider could misuse."""

import io
from dataclasses import replace

import orjson
import pytest

from oneflow_ai.core.record import Exchange
from oneflow_ai.telemetry.access import FIELDS, NAMES_KNOWN_MOST, AccessLog
from oneflow_ai.telemetry.lines import LineWriter
from tests.stores.exchanges import PROMPT, PROVIDER_SECRET, failure, success, target


def written(*exchanges: Exchange) -> bytes:
    stream = io.BytesIO()
    lines = LineWriter(stream)
    log = AccessLog(lines)
    for exchange in exchanges:
        log(exchange)
    lines.close()
    return stream.getvalue()


def test_a_call_is_one_line_with_all_fields() -> None:
    line = orjson.loads(written(success(1, stream=True)))
    assert tuple(line) == FIELDS
    assert line == {
        "at": "2026-11-24T12:00:01Z",
        "event": "call",
        "request": "req-1",
        "key": "key_1",
        "operation": "chat",
        "asked": "text",
        "provider": "acme",
        "model": "acme-large",
        "outcome": "ok",
        "status": 200,
        "attempts": 1,
        "input_tokens": 10,
        "output_tokens": 20,
        "characters": 0,
        "images": 0,
        "audio_milliseconds": 0,
        "cost_nanos": 1_000,
        "seconds": 0.5,
        "first_event_seconds": 0.2,
        "stream": True,
        "simulated": False,
    }


@pytest.mark.parametrize(
    "exchange",
    [failure(), replace(failure(), attempts=[]), success(1, target(simulated=True)), Exchange(success().call)],
)
def test_every_sort_of_end_makes_a_line(exchange: Exchange) -> None:
    assert tuple(orjson.loads(written(exchange))) == FIELDS


def test_what_the_client_or_the_provider_chose_stays_in_its_field() -> None:
    nasty = 'x"}\n\x1b[2J\x9b\u202e of_' + "a" * 49
    lines = written(success(1, model=nasty), failure(2, nasty)).decode().splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() and "aaaa" not in line for line in lines)


def test_no_secret_prompt_user_tag_or_message_is_in_it() -> None:
    text = written(success(1, user="canary-user", tags=("canary-tag",)), failure(2, message="canary-message")).decode()
    assert PROVIDER_SECRET not in text
    assert PROMPT not in text
    assert "canary" not in text


def test_names_made_up_by_clients_are_remembered_only_so_far() -> None:
    log = AccessLog(LineWriter(io.BytesIO()))
    for number in range(10 * NAMES_KNOWN_MOST):
        log(success(1, model=f"model-{number}"))
    assert len(log._names) <= NAMES_KNOWN_MOST
