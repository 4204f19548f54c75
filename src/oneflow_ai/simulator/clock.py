"""The machine's own clock, for a simulator that runs in real time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class MachineClock:
    """Time as the machine tells it; satisfies `oneflow_ai.core.ports.Clock`."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait; zero seconds let other tasks run once."""
        await asyncio.sleep(seconds)
