"""One timer for the deadlines of many: it is set for the earliest, and moved only when an earlier one comes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SLACK_SECONDS = 0.002
# What is agreed on step by step goes on from what came while the loop stood still: it takes a moment.
MOMENT_SECONDS = 0.1
# A timer that rings so much later than it was set for tells that the loop stood still.
STILL_SECONDS = 0.1


class Alarm:
    """Calls `ring(now)` when a deadline is reached; that gives the next one, infinity for none.

    Deadlines are rarely reached and mostly as far away as those before them: a timer for each would cost more than the
    request that it guards. After the loop stood still it rings `again_seconds` later, when what came meanwhile has been
    read.
    """

    __slots__ = ("_again_seconds", "_loop", "_ring", "_stood", "_timer", "_when_seconds")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ring: Callable[[float], float],
        again_seconds: float = SLACK_SECONDS,
    ) -> None:
        self._loop = loop
        self._ring = ring
        self._again_seconds = again_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._when_seconds = math.inf
        self._stood = False

    def by(self, until_seconds: float) -> None:
        """See that it rings by then."""
        if until_seconds < self._when_seconds:
            self.stop()
            self._when_seconds = until_seconds
            self._timer = self._loop.call_at(until_seconds, self._rings)

    def stop(self) -> None:
        """Ring no more, until it is set again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._when_seconds = math.inf

    def _rings(self) -> None:
        self._stood = not self._stood and self._loop.time() - self._when_seconds > STILL_SECONDS
        if self._stood:
            # Timers come first in a turn of the loop.
            self._timer = self._loop.call_later(self._again_seconds, self._rings)
            return
        self._timer = None
        self._when_seconds = math.inf
        self.by(self._ring(self._loop.time() + SLACK_SECONDS))


@asynccontextmanager
async def in_time(until_seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout_at`, but what came while the loop stood still came in time; raises `TimeoutError`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:

        def ring(now_seconds: float) -> float:
            limit.reschedule(now_seconds)
            return math.inf

        alarm = Alarm(loop, ring, MOMENT_SECONDS)
        alarm.by(until_seconds)
        try:
            yield
        finally:
            alarm.stop()
