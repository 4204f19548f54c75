"""Answers read on without their clients, where the provider goes on and bills: so that what it bills is known."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from oneflow_ai.core.events import End, Event
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Head
from oneflow_ai.core.record import Exchange
from oneflow_ai.flow.attempt import Attempt

SECONDS_MOST = 120.0
ANSWERS_MOST = 200


class ReadingOn:
    """Runs attempts that outlive their clients for a while: `answers` of them now, at most `answers_most`."""

    __slots__ = ("answers", "answers_most", "seconds_most")

    def __init__(self, seconds_most: float = SECONDS_MOST) -> None:
        self.answers = 0
        self.answers_most = ANSWERS_MOST
        self.seconds_most = seconds_most

    async def run(self, attempt: Attempt, left: Callable[[], bool]) -> Failure | None:
        """What `attempt.run` gives. Cancelled, it asks whether the client `left`, and then reads on before it ends.

        Whoever cancels it once more ends it at once, as does the time: the attempt then has the provider's last word.
        """
        task = asyncio.ensure_future(attempt.run())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if attempt.sent and not task.done() and left() and not attempt.told and self.answers < self.answers_most:
                await self._read_on(attempt, task)
            raise
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _read_on(self, attempt: Attempt, task: asyncio.Task[Failure | None]) -> None:
        attempt.leave(_NOBODY)
        self.answers += 1
        try:
            await asyncio.wait((task,), timeout=self.seconds_most)
        finally:
            self.answers -= 1


class _Nobody:
    """The client that has gone: it takes everything and keeps nothing."""

    slow = False

    async def drained(self) -> None:
        """It is never slow."""

    def begin(self, head: Head) -> None:
        """There is nobody to begin for."""

    def send(self, event: Event) -> None:
        """There is nobody to send it to."""

    async def finish(self, end: End, exchange: Exchange) -> None:
        """There is nobody to finish for."""

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """There is nobody to tell."""


_NOBODY = _Nobody()
