"""A stream that breaks after any number of its events: what was given stands, its end is told, nothing is asked twice.

F13 (the connection is reset), F14 (it ends cleanly) and F18 (the provider tells an error) of the fault catalogue.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.app.gateway import Gateway, Reply, running

TOKENS = 12
# What a client is told before the first content, where nothing was committed, and after it.
FAULTS = {
    "F13": ((502, "upstream_closed"), "upstream_stream_interrupted"),
    "F14": ((502, "upstream_stream_interrupted"), "upstream_stream_interrupted"),
    "F18": ((503, "upstream_overloaded"), "upstream_overloaded"),
}
# So many content events: before the first, after each, and after the last, before the finish reason.
CASES = tuple((fault, index) for fault in FAULTS for index in range(TOKENS + 1))
Replies = dict[tuple[str, int], tuple[Reply, int]]


async def _all(home: Path) -> Replies:
    # A provider each, so that none is passed over for what another did.
    providers = {f"p{number}": "" for number in range(len(CASES))}
    async with running(home, providers=providers, configuration="[retry]\nattempts = 2\njitter = false\n") as gateway:
        found = await asyncio.gather(*(_one(gateway, number, *case) for number, case in enumerate(CASES)))
        await gateway.quiet()
    return dict(zip(CASES, found, strict=True))


async def _one(gateway: Gateway, number: int, fault: str, index: int) -> tuple[Reply, int]:
    model = f"sim-{fault}@event:{index}"
    reply = await gateway.chat(f"p{number}/{model}", stream=True, max_tokens=TOKENS)
    return reply, gateway.wire_attempts(model)


@pytest.fixture(scope="module")
def replies(tmp_path_factory: pytest.TempPathFactory) -> Replies:
    # The loop that `oneflow serve` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_all(tmp_path_factory.mktemp("every-event")))


@pytest.mark.parametrize("fault", FAULTS)
def test_before_the_first_content_another_try_is_made_and_the_failure_has_a_status(
    fault: str, replies: Replies
) -> None:
    reply, attempts = replies[fault, 0]
    assert (reply.status, reply.code) == FAULTS[fault][0]
    assert (attempts, reply.broken) == (2, False)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_any_content_it_is_told_within_the_stream_and_nothing_is_tried_again(
    fault: str, replies: Replies
) -> None:
    whole = replies[fault, TOKENS][0].text()
    before = ""
    for index in range(1, TOKENS + 1):
        reply, attempts = replies[fault, index]
        assert (reply.status, attempts, reply.broken) == (200, 1, True), index
        events = reply.events()
        assert b"[DONE]" not in events, index
        assert events[-1]["error"]["code"] == FAULTS[fault][1], index
        assert not any(event["choices"][0]["finish_reason"] for event in events[:-1] if event["choices"]), index
        # Each event that came is in the text, none twice and none of another try.
        text = reply.text()
        assert whole.startswith(text) and len(text) > len(before), index
        before = text
    assert before == whole
