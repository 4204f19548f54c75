"""An answer that is poured: what came before its reader was ready, and how it ended, are told whatever the order."""

from __future__ import annotations

import asyncio
import math

import pytest

from oneflow_ai.core.failure import UPSTREAM_CLOSED, Failure
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
