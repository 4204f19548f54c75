"""Real time and real chance: what everything that decides is handed in production."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from random import Random


class SystemClock:
    """Implements the `Clock` port. Monotonic seconds are those of the event loop; nothing stands between, for speed."""

    monotonic = staticmethod(time.monotonic)

    def utc(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def system_chance() -> Random:
    """Chance for jitter, weights and request ids; nothing secret is made of it."""
    return Random()  # noqa: S311 - for jitter and ids, never for secrets
