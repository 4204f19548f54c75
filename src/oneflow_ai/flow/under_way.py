"""The calls under way, so that whoever closes can end them and wait until each is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any


class UnderWay:
    """Calls by the tasks that serve them, one each."""

    __slots__ = ("_cut", "_none", "_tasks")

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self._cut: set[asyncio.Task[Any]] = set()
        self._none = asyncio.Event()

    def enter(self) -> asyncio.Task[Any] | None:
        """The running task, which is given, begins to serve a call."""
        task = asyncio.current_task()
        self._tasks.add(task)
        return task

    def leave(self, task: asyncio.Task[Any] | None) -> None:
        """It is done with that."""
        self._tasks.discard(task)
        if task is not None and task in self._cut:
            # Its call was cancelled, which has ended: what the task does beside is its owner's.
            self._cut.discard(task)
            task.uncancel()
        if not self._tasks:
            self._none.set()

    async def end(self, within_seconds: float) -> None:
        """Cancel every call, unless it is cancelled already, and wait until all have ended, for so long at most."""
        for task in self._tasks:
            if task is not None and not task.cancelling():
                self._cut.add(task)
                task.cancel()
        self._none.clear()
        if self._tasks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_seconds):
                    await self._none.wait()
