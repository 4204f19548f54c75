"""A stream that goes wrong between any two of its events: its client has the whole answer, or is told that it has not.

F12 (it drips, or only pings or comments come), F13 (reset), F14 (closed), F15 (no end mark), F16 (an end mark too soon
or twice), F18 (an error told) and F34 (an event beyond all bounds) of the fault catalogue.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.app.gateway import Gateway, Reply, running, sockets, tasks

TOKENS = 6
# The simulator's stream: the role, its content, the finish reason, the usage, the end mark.
COMMITTED, FINISHED, EVENTS = 2, TOKENS + 2, TOKENS + 4
TOGETHER = 24
DEADLINE_SECONDS = 8.0
# One call at a time: one that kept its place would let no other through.
PROVIDER = "concurrency = 1\nfirst_event_seconds = 1.5\nidle_seconds = 1.0"
CLOSED, CUT, SLOW = "upstream_closed", "upstream_stream_interrupted", "upstream_idle_timeout"


@dataclass(frozen=True)
class Row:
    """What a fault is told as: before any event, after the role alone, after content; `late` when finished, too."""

    first: tuple[int, str]
    role: tuple[int, str]
    within: str
    attempts: int = 2
    late: bool = False


_LATE = Row((504, "upstream_timeout"), (504, "upstream_timeout"), SLOW)
_RESET = Row((502, CLOSED), (502, CLOSED), CUT)
_ENDED = Row((502, "upstream_bad_response"), (502, CUT), CUT)
_LARGE = Row((502, "upstream_too_large"), (502, "upstream_too_large"), "upstream_too_large", 1, late=True)
_ERROR = Row((503, "upstream_overloaded"), (503, "upstream_overloaded"), "upstream_overloaded", late=True)
ROWS = {
    **{f"F12;kind={kind};gap=0.2": _LATE for kind in ("body", "pings", "comments")},
    # Long enough for what came before to be read, however busy this loop is.
    "F13;after=0.4": _RESET,
    "F14": _ENDED,
    "F14;kind=torn": _RESET,
    "F14;kind=eof": _ENDED,
    "F18": _ERROR,
    "F18;kind=named": _ERROR,
    "F34;mib=2": _LARGE,
}
MARKS = ("F16", "F16;kind=data")
POINTS = range(EVENTS + 1)
LENGTHS = range(1, TOKENS + 1)
UNMARKED = ("F15", "F15;kind=bare")
# A fault after so many events; of F15, in an answer of so many tokens.
CASES = (
    *((fault, point) for fault in (*ROWS, *MARKS) for point in POINTS),
    *((fault, length) for fault in UNMARKED for length in LENGTHS),
)


@dataclass(frozen=True)
class Seen:
    """What a client got and in what time, how many requests reached the provider, and its next answer."""

    reply: Reply
    seconds: float
    attempts: int
    next: Reply


@dataclass(frozen=True)
class Outcome:
    """What an answer is without a fault, whole in text and length, what each case came to, and what was left behind."""

    sound: dict[int, Reply]
    seen: dict[tuple[str, int], Seen]
    tasks_left: set[str]
    sockets_left: set[str]


async def _all(home: Path) -> Outcome:
    before = sockets()
    # A provider each, so that no case's retries, breaker or connections touch another's.
    providers = {f"p{number}": PROVIDER for number in range(len(CASES))} | {"sound": ""}
    async with running(home, providers=providers, configuration="[retry]\nattempts = 2\njitter = false\n") as gateway:
        sound = {length: await _ask(gateway, "sound/gpt-6-luna", length) for length in LENGTHS}
        usual = tasks()
        turns = asyncio.Semaphore(TOGETHER)
        seen = await asyncio.gather(*(_one(gateway, turns, number, *case) for number, case in enumerate(CASES)))
        await gateway.quiet()
        await asyncio.sleep(0.3)
        tasks_left = tasks() - usual
    # A closed socket leaves in the loop's next turns.
    await asyncio.sleep(0.1)
    return Outcome(sound, dict(zip(CASES, seen, strict=True)), tasks_left, sockets() - before)


async def _one(gateway: Gateway, turns: asyncio.Semaphore, number: int, fault: str, point: int) -> Seen:
    unmarked = fault in UNMARKED
    # The first `times` requests are struck: here that only tells one name from another.
    model = f"sim-{fault};times={point}" if unmarked else f"sim-{fault};at=any:{point}"
    async with turns:
        began = time.monotonic()
        reply = await _ask(gateway, f"p{number}/{model}", point if unmarked else TOKENS)
        took, attempts = time.monotonic() - began, gateway.wire_attempts(model)
        return Seen(reply, took, attempts, await _ask(gateway, f"p{number}/gpt-6-luna", TOKENS))


async def _ask(gateway: Gateway, model: str, tokens: int) -> Reply:
    headers = {"x-oneflow-timeout-ms": str(int(DEADLINE_SECONDS * 1000))}
    options = {"include_usage": True}
    return await gateway.chat(model, stream=True, max_tokens=tokens, stream_options=options, headers=headers)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    # The loop that `oneflow serve` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_all(tmp_path_factory.mktemp("every-point")))


def _chunks(reply: Reply) -> list[Any]:
    """What the chunks of a stream bring: its deltas and finish reasons, `usage`, `error`; then the mark of the end."""
    found: list[Any] = []
    for event in reply.events():
        if event == b"[DONE]" or "error" in event:
            found.append("end" if event == b"[DONE]" else event["error"]["code"])
        elif event["choices"]:
            found.append((event["choices"][0]["delta"], event["choices"][0]["finish_reason"]))
        else:
            found.append("usage")
    return found


def _is_whole(reply: Reply, chunks: list[Any]) -> bool:
    return not reply.broken and _chunks(reply) == [*chunks, "usage", "end"]


@pytest.mark.parametrize("point", range(COMMITTED))
@pytest.mark.parametrize("fault", ROWS)
def test_before_any_content_the_failure_has_a_status(fault: str, point: int, outcome: Outcome) -> None:
    seen, row = outcome.seen[fault, point], ROWS[fault]
    assert (seen.reply.status, seen.reply.code) == (row.first, row.role)[point]
    assert (seen.attempts, seen.reply.broken, seen.reply.headers["x-oneflow-cost-usd"]) == (row.attempts, False, "0")


@pytest.mark.parametrize("point", range(COMMITTED, EVENTS + 1))
@pytest.mark.parametrize("fault", ROWS)
def test_after_any_event_the_client_has_all_of_it_or_is_told(fault: str, point: int, outcome: Outcome) -> None:
    seen, chunks = outcome.seen[fault, point], _chunks(outcome.sound[TOKENS])
    assert (seen.reply.status, seen.attempts) == (200, 1)
    if point >= (EVENTS if ROWS[fault].late else FINISHED):
        assert _is_whole(seen.reply, chunks[:FINISHED])
    else:
        # What had come, the error and no more: neither a finish reason nor a mark that would make it look whole.
        assert _chunks(seen.reply) == [*chunks[: min(point, FINISHED)], ROWS[fault].within]
        assert seen.reply.broken


@pytest.mark.parametrize("point", range(1, EVENTS + 1))
@pytest.mark.parametrize("fault", MARKS)
def test_the_first_mark_of_the_end_is_the_end(fault: str, point: int, outcome: Outcome) -> None:
    seen, chunks = outcome.seen[fault, point], _chunks(outcome.sound[TOKENS])
    assert (seen.reply.status, seen.attempts) == (200, 1)
    assert _is_whole(seen.reply, chunks[: min(point, FINISHED)])


@pytest.mark.parametrize("fault", MARKS)
def test_a_mark_of_the_end_alone_is_no_answer(fault: str, outcome: Outcome) -> None:
    seen = outcome.seen[fault, 0]
    assert (seen.reply.status, seen.reply.code, seen.attempts) == (502, "upstream_bad_response", 2)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("fault", UNMARKED)
def test_a_finish_reason_is_an_end_after_any_event(fault: str, length: int, outcome: Outcome) -> None:
    seen, chunks = outcome.seen[fault, length], _chunks(outcome.sound[length])
    assert (seen.reply.status, seen.attempts) == (200, 1)
    assert len(chunks) == length + 4
    assert _is_whole(seen.reply, chunks[: length + 2])
    usage = seen.reply.events()[-2]["usage"]
    assert usage["completion_tokens"] == length


@pytest.mark.parametrize("case", CASES, ids=lambda case: "{}@{}".format(*case))
def test_neither_place_nor_byte_of_it_is_left_to_the_next_call(case: tuple[str, int], outcome: Outcome) -> None:
    seen = outcome.seen[case]
    assert seen.seconds < DEADLINE_SECONDS
    assert _is_whole(seen.next, _chunks(outcome.sound[TOKENS])[:FINISHED])
    assert seen.next.headers["x-oneflow-attempts"] == "1"


def test_no_task_is_left(outcome: Outcome) -> None:
    assert outcome.tasks_left == set()


def test_no_socket_is_left(outcome: Outcome) -> None:
    assert outcome.sockets_left == set()
