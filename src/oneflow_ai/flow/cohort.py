"""Calls that are ready in one turn of the event loop go through each stage of their way right behind each other."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Generator
from types import coroutine

COMPANY_LEAST = 3
ALONE_STAGES = 64
STAGES_OF_A_CALL = 6
HELD_BYTES_MOST = 16 << 10


class Cohort:
    """The calls that wait for each other at a stage; where there are none, nobody waits.

    Code that one call has brought into the processor's caches serves those behind it, and what they send leaves at
    once: cohort scheduling (Larus and Parkes, "Using Cohort Scheduling to Enhance Server Performance", USENIX 2002,
    https://www.usenix.org/legacy/events/usenix02/larus.html, read 2026-11-28). `../docs/design/hot-path.md` has our
    figures.
    """

    __slots__ = ("_alone", "_most", "_waiting")

    def __init__(self) -> None:
        self._waiting = self._most = 0
        # So many stages are passed without a look for company.
        self._alone = ALONE_STAGES

    @coroutine
    def stage(self, held_bytes: int = 0) -> Generator[None, None, None]:
        """Let the other calls that are ready come as far: one turn of the loop, none for who is alone.

        `held_bytes` is what the call goes on to read; much of that would be out of the caches by then, so it goes on.
        """
        if self._alone or held_bytes > HELD_BYTES_MOST:
            self._alone = max(0, self._alone - 1)
            return
        self._waiting += 1
        self._most = max(self._most, self._waiting)
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                if self._most < COMPANY_LEAST:
                    self._alone = ALONE_STAGES
                self._most = 0

    async def through(self) -> None:
        """Pass as many stages as a call does: how long that takes tells how long calls wait for each other.

        Whoever only looks on is no company.
        """
        for _ in range(STAGES_OF_A_CALL):
            if not self._alone:
                await sleep(0)
