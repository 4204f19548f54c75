"""How late the event loop runs what is due: the sign of a process that has too much to do, or of code that blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from oneflow_ai.core.ports import Clock

INTERVAL_SECONDS = 0.1
SAMPLES = 150
"""The last 15 seconds."""


class LoopLag:
    """Measures by waking up at intervals; `worst_seconds` is the longest delay among the last samples.

    `heard` is told each: the monotonic second, how long a call waits in all, and for what share of the time since the
    last one the loop's thread had a processor; `cpu_seconds` tells how long it has had one in all. A call waits for the
    delay, and then as long as `way` takes: it lets others go first on its way, too.
    """

    def __init__(
        self,
        clock: Clock,
        heard: Callable[[float, float, float], None],
        cpu_seconds: Callable[[], float],
        way: Callable[[], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._way = way
        self._heard = heard
        self._cpu_seconds = cpu_seconds
        self._samples: deque[float] = deque(maxlen=SAMPLES)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self.sample()

    async def sample(self) -> None:
        """Measure once."""
        began, cpu_began = self._clock.monotonic(), self._cpu_seconds()
        await self._clock.sleep(INTERVAL_SECONDS)
        self._samples.append(max(0.0, self._clock.monotonic() - began - INTERVAL_SECONDS))
        await self._way()
        now = self._clock.monotonic()
        waits_seconds = max(0.0, now - began - INTERVAL_SECONDS)
        self._heard(now, waits_seconds, (self._cpu_seconds() - cpu_began) / (now - began))

    def worst_seconds(self) -> float:
        """The longest delay in the last 15 seconds; 0 before the first sample."""
        return max(self._samples, default=0.0)
