"""How late the event loop runs what is due: the sign of a process that has too much to do, or of code that blocks."""

from __future__ import annotations

from collections import deque

from oneflow_ai.core.ports import Clock

INTERVAL_SECONDS = 0.25
SAMPLES = 60
"""The last 15 seconds."""


class LoopLag:
    """Measures by waking up at intervals; `worst_seconds` is the longest delay among the last samples."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[float] = deque(maxlen=SAMPLES)

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self.sample()

    async def sample(self) -> None:
        """Measure once."""
        began = self._clock.monotonic()
        await self._clock.sleep(INTERVAL_SECONDS)
        self._samples.append(max(0.0, self._clock.monotonic() - began - INTERVAL_SECONDS))

    def worst_seconds(self) -> float:
        """The longest delay in the last 15 seconds; 0 before the first sample."""
        return max(self._samples, default=0.0)
