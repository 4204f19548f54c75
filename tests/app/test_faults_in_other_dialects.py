"""A stream that breaks after any of its content, for clients of other dialects than the chat: it ends as an error."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvloop

from tests.app.gateway import MESSAGES, Gateway, Reply, running

TOKENS = 6
FAULTS = ("F12;kind=comments;gap=0.2", "F13;after=0.4", "F14", "F18", "F34;mib=2")
# How each dialect asks, the event that ends a stream well, and the one that ends it otherwise.
DIALECTS: dict[str, tuple[str, Any, str, str]] = {
    "messages": ("/v1/messages", {"messages": MESSAGES, "max_tokens": TOKENS}, "message_stop", "error"),
    "responses": ("/v1/responses", {"input": "Hi", "max_output_tokens": 16}, "response.completed", "response.failed"),
    "gemini": (
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": TOKENS}},
        "finishReason",
        "error",
    ),
}
KINDS = ("openai", "anthropic", "gemini")
CASES = tuple(
    case
    for case in itertools.product(DIALECTS, KINDS, FAULTS, range(1, TOKENS + 1))
    # An event of Responses may hold a whole answer: one of 2 MiB is not too large there.
    if case[:3] != ("responses", "openai", "F34;mib=2")
)
PROVIDER = 'kind = "{kind}"\nconcurrency = 1\nfirst_event_seconds = 1.5\nidle_seconds = 1.0'
Seen = dict[tuple[str, str, str, int], tuple[Reply, int]]


async def _all(home: Path) -> Seen:
    providers = {f"p{number}": PROVIDER.format(kind=case[1]) for number, case in enumerate(CASES)}
    async with running(home, providers=providers, configuration="[retry]\nattempts = 2\njitter = false\n") as gateway:
        seen = await asyncio.gather(*(_one(gateway, number, *case) for number, case in enumerate(CASES)))
        await gateway.quiet()
    return dict(zip(CASES, seen, strict=True))


async def _one(gateway: Gateway, number: int, dialect: str, kind: str, fault: str, point: int) -> tuple[Reply, int]:
    # The `times` are never reached: they only tell one name from another.
    times = 1000 + 10 * list(DIALECTS).index(dialect) + KINDS.index(kind)
    model = f"sim-{fault};at=event:{point};times={times}"
    path, fields, *_ = DIALECTS[dialect]
    place = f"p{number}/{model}"
    named = "{model}" in path
    body = fields if named else {"model": place, "stream": True, **fields}
    path = path.format(model=quote(place, safe="")) if named else path
    reply = await gateway.post(path, json.dumps(body).encode(), {"anthropic-version": "2023-06-01"})
    return reply, gateway.wire_attempts(model)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    # The loop that `oneflow serve` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_all(tmp_path_factory.mktemp("dialects")))


def _events(reply: Reply) -> list[Any]:
    lines = [line for line in reply.body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def _kind(event: Any) -> str:
    """What an event is: its type, or of Gemini's, which have none, whether it ends the answer."""
    if "type" in event:
        return str(event["type"])
    return "error" if "error" in event else "finishReason" if "finishReason" in event["candidates"][0] else "piece"


@pytest.mark.parametrize(("dialect", "kind", "fault"), sorted({case[:3] for case in CASES}))
def test_after_any_content_the_stream_ends_in_its_dialects_error(
    dialect: str, kind: str, fault: str, seen: Seen
) -> None:
    _, _, well, badly = DIALECTS[dialect]
    for point in range(1, TOKENS + 1):
        reply, attempts = seen[dialect, kind, fault, point]
        assert (reply.status, attempts, reply.broken) == (200, 1, True), (point, reply.body[-600:])
        kinds = [_kind(event) for event in _events(reply)]
        assert (kinds[-1], kinds.count(badly), kinds.count(well)) == (badly, 1, 0), (point, kinds)
        assert b"[DONE]" not in reply.body
