"""An answer that is poured: what came before its reader was ready, and how it ended, are told whatever the order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from oneflow_ai.core.failure import UPSTREAM_CLOSED, UPSTREAM_TIMEOUT, Failure
from oneflow_ai.upstream.answer import Answer
from tests.upstreams import failure_of, soon


class Wire:
    """A connection that does what it is told."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def give_back(self) -> None: ...

    def break_off(self) -> None: ...

    def by(self, until_seconds: float) -> None: ...


@pytest.fixture
async def answer() -> Answer:
    """One whose head is there."""
    found = Answer(Wire(), asyncio.get_running_loop(), "provider")
    found.take_head(200, {})
    return found


async def test_a_connection_that_broke_behind_bytes_not_yet_taken_is_told_after_them(answer: Answer) -> None:
    """As where a slow client had the pouring stop meanwhile: nothing more will come that could wake it."""
    taken: list[bytes] = []

    def take(piece: bytes) -> float:
        taken.append(piece)
        return soon()

    answer.take(b"last")
    answer.fail(Failure(UPSTREAM_CLOSED, "the connection broke"))
    failure = await failure_of(lambda: asyncio.wait_for(answer.pour(take, soon()), 1))
    assert (failure.kind, taken) == (UPSTREAM_CLOSED, [b"last"])


async def test_an_answer_that_ended_behind_bytes_not_yet_taken_is_poured_to_its_end(answer: Answer) -> None:
    taken: list[bytes] = []

    def take(piece: bytes) -> float | None:
        taken.append(piece)
        return soon() if piece else None

    answer.take(b"last")
    answer.end()
    await asyncio.wait_for(answer.pour(take, math.inf), 1)
    assert taken == [b"last", b""]


async def poured(answer: Answer, take: Callable[[bytes], float | None]) -> asyncio.Task[None]:
    """A pouring that waits for its first bytes."""
    task = asyncio.ensure_future(answer.pour(take, soon()))
    await asyncio.sleep(0)
    return task


async def test_a_fault_in_the_taking_is_raised_where_the_answer_is_poured(answer: Answer) -> None:
    taken: list[bytes] = []

    def take(piece: bytes) -> float:
        taken.append(piece)
        if piece == b"odd":
            raise RuntimeError("a fault of ours")
        return soon()

    answer.take(b"first")
    pouring = await poured(answer, take)
    for piece in (b"second", b"odd", b"third"):
        answer.take(piece)
        answer.pass_on()
    with pytest.raises(RuntimeError, match="a fault of ours"):
        await pouring
    assert taken == [b"first", b"second", b"odd"]


async def test_what_comes_after_enough_waits_for_the_next_pouring(answer: Answer) -> None:
    taken: list[bytes] = []

    def take(piece: bytes) -> float | None:
        taken.append(piece)
        return None if piece in (b"enough", b"") else soon()

    answer.take(b"first")
    pouring = await poured(answer, take)
    for piece in (b"enough", b"next", b"last"):
        answer.take(piece)
        answer.pass_on()
    answer.end()
    await pouring
    assert taken == [b"first", b"enough"]
    await answer.pour(take, soon())
    assert taken == [b"first", b"enough", b"nextlast", b""]


async def test_a_limit_that_each_piece_sets_anew_rings_when_the_last_one_said(answer: Answer) -> None:
    """It rings once, at the time that the last piece gave, and neither before nor never."""
    ends_seconds = iter((100.0, 130.0, 110.0))

    answer.take(b"first")
    pouring = await poured(answer, lambda piece: next(ends_seconds))
    for piece in (b"second", b"third"):
        answer.take(piece)
        answer.pass_on()
    assert answer.ring(109.0) == 110.0
    assert answer.ring(110.0) == math.inf
    assert (await failure_of(lambda: pouring)).kind is UPSTREAM_TIMEOUT
