"""One timer for the deadlines of many: it is set for the earliest, and moved only when an earlier one comes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

SLACK_SECONDS = 0.002
# A timer that rings so much later than it was set for tells that the loop stood still.
STILL_SECONDS = 0.1


class Alarm:
    """Calls `ring(now)` when a deadline is reached; that gives the next one, infinity for none.

    Deadlines are rarely reached and mostly as far away as those before them: a timer for each would cost more than the
    request that it guards. After the loop stood still it rings once what came meanwhile has been read.
    """

    __slots__ = ("_loop", "_ring", "_stood", "_timer", "_when_seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[float], float]) -> None:
        self._loop = loop
        self._ring = ring
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
            self._timer = self._loop.call_later(SLACK_SECONDS, self._rings)
            return
        self._timer = None
        self._when_seconds = math.inf
        self.by(self._ring(self._loop.time() + SLACK_SECONDS))
