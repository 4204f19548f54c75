"""Who calls a model that ends soon is told so in time; a call to one that has ended is a 404 that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from oneflow_ai.core.ports import Head
from oneflow_ai.core.target import ENDING_DAYS, Target
from oneflow_ai.edge.answer import ReplyClient
from oneflow_ai.edge.asgi import Headers
from tests.app.gateway import KEY, running
from tests.core.test_target import call
from tests.policy.places import target

END = date(2026, 11, 30)
ENDED = "gpt-4-32k"
OPENAI = {"openai": ""}


def _ending(**changes: object) -> Target:
    return replace(target("acme/old"), ends=END, successor="new", **changes)  # type: ignore[arg-type]  # fields of a target


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-ENDING_DAYS - 1, None),
        (-ENDING_DAYS, "acme/old ends on 2026-11-30; use acme/new"),
        (-1, "acme/old ends on 2026-11-30; use acme/new"),
        (0, "acme/old ended on 2026-11-30; use acme/new"),
        (400, "acme/old ended on 2026-11-30; use acme/new"),
    ],
)
def test_a_warning_begins_thirty_days_before_the_end(days: int, words: str | None) -> None:
    assert _ending().warning(END + timedelta(days=days)) == words


def test_without_a_known_end_there_is_no_warning_and_without_a_successor_no_advice_which() -> None:
    assert target("acme/new").warning(date.max) is None
    assert replace(_ending(), successor=None).warning(END) == "acme/old ended on 2026-11-30; choose another model"


class _Reply:
    """An answer that is only looked at."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}

    def begin(self, status: int, headers: Headers) -> None:
        self.headers = dict(headers)


@pytest.mark.parametrize(
    ("received", "warned"),
    [
        (datetime(2026, 10, 30, 23, 59, 59, 999_999, UTC), False),
        (datetime(2026, 10, 31, 0, 0, 0, 0, UTC), True),
    ],
)
async def test_the_day_is_that_of_the_call_in_utc(received: datetime, warned: bool) -> None:
    reply = _Reply()
    client = ReplyClient(replace(call, stream=True, received=received), reply, lambda account: None)  # type: ignore[arg-type]  # all that a head needs
    client.begin(Head(_ending(), 1))
    assert (b"x-oneflow-warning" in reply.headers) is warned


async def test_a_name_that_the_client_made_up_cannot_break_the_header() -> None:
    reply = _Reply()
    client = ReplyClient(replace(call, stream=True, received=datetime(2026, 11, 1, tzinfo=UTC)), reply, lambda _: None)  # type: ignore[arg-type]  # as above
    client.begin(Head(_ending(place="acme/o\r\nx: y é"), 1))
    assert reply.headers[b"x-oneflow-warning"] == b"acme/o x: y ? ends on 2026-11-30; use acme/new"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_route_that_still_leads_to_an_ended_model_is_warned_of_it(tmp_path: Path, stream: bool) -> None:
    route = f'[routes.text]\ntargets = ["openai/{ENDED}"]\n'
    async with running(tmp_path, providers=OPENAI, configuration=route) as gateway:
        reply = await gateway.chat("text", stream=stream)
        assert reply.headers["x-oneflow-warning"] == f"openai/{ENDED} ended on 2025-06-06; use openai/gpt-6.1-sol"
        assert "x-oneflow-warning" not in (await gateway.chat("openai/gpt-6-luna", stream=stream)).headers


async def test_a_call_to_a_model_that_has_ended_is_answered_with_its_successor(tmp_path: Path) -> None:
    async with running(tmp_path, providers=OPENAI) as gateway:
        reply = await gateway.chat(f"openai/{ENDED}")
        assert (reply.status, reply.code) == (404, "model_retired")
        assert "openai/gpt-6.1-sol" in reply.json["error"]["message"]


async def test_the_successor_is_called_where_that_is_configured(tmp_path: Path) -> None:
    async with running(tmp_path, providers=OPENAI, configuration="[models]\nfollow_successors = true\n") as gateway:
        reply = await gateway.chat(f"openai/{ENDED}")
        assert (reply.status, reply.headers["x-oneflow-model"]) == (200, "gpt-6.1-sol")


DEAD = "openai/computer-use-preview"
TURN = [{"role": "user", "content": "Hi"}]
# Where a call of each dialect goes, its body, and where the answer's error tells code and words.
CALLS: dict[str, tuple[str, Any, Sequence[str | int], Sequence[str]]] = {
    "chat": ("/v1/chat/completions", {"messages": TURN}, ["error", "code"], ["error", "message"]),
    "responses": ("/v1/responses", {"input": "Hi"}, ["error", "code"], ["error", "message"]),
    "messages": (
        "/v1/messages",
        {"messages": TURN, "max_tokens": 9},
        ["error", "details", "error_code"],
        ["error", "message"],
    ),
    "gemini": (
        f"/v1beta/models/{quote(DEAD, safe='')}:generateContent",
        {"contents": [{"parts": [{"text": "Hi"}]}]},
        ["error", "details", 0, "reason"],
        ["error", "message"],
    ),
    "elevenlabs": ("/v1/text-to-speech/George", {"text": "Hi"}, ["detail", "code"], ["detail", "message"]),
}


def _at(told: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        told = told[step]
    return told


@pytest.mark.parametrize("follow", ["false", "true"])
async def test_a_model_that_ended_without_a_successor_is_refused_in_every_dialect(tmp_path: Path, follow: str) -> None:
    configuration = f"[models]\nfollow_successors = {follow}\n"
    async with running(tmp_path, providers=OPENAI, configuration=configuration) as gateway:
        for dialect, (path, body, code, words) in CALLS.items():
            model = {} if dialect == "gemini" else {"model_id" if dialect == "elevenlabs" else "model": DEAD}
            reply = await gateway.post(path, orjson.dumps(body | model))
            assert reply.status == 404, dialect
            assert _at(reply.json, code) == "model_retired", dialect
            told = f"{DEAD} is retired since 2026-07-23; choose another model"
            assert _at(reply.json, words).endswith(told), dialect
        chain = await gateway.chat("openai/gpt-6-luna", fallbacks=[DEAD])
        assert (chain.status, chain.json["error"]["param"]) == (404, "fallbacks[0]")
        assert gateway.wire_attempts("computer-use-preview") == 0
        listed = (await gateway.get("/v1/models", {"authorization": f"Bearer {KEY}"})).json["data"]
        assert DEAD not in {model["id"] for model in listed}


async def test_a_server_of_the_operators_own_is_asked_for_a_name_that_ended_elsewhere(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        for model in ("computer-use-preview", ENDED):
            reply = await gateway.chat(f"sim/{model}")
            assert (reply.status, reply.headers["x-oneflow-model"]) == (200, model)
            assert "x-oneflow-warning" not in reply.headers
