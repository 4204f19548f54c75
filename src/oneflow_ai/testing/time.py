"""Clocks that move when told, a loop in virtual time, and chances that come again."""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# A delay that no deadline outlasts: what never comes.
NEVER = math.inf


class _WallClock(ABC):
    """A wall clock that runs with the monotonic one, until it is set."""

    _epoch = EPOCH

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds that never go back."""

    def utc(self) -> datetime:
        """The wall clock, aware, UTC."""
        return self._epoch + timedelta(seconds=self.monotonic())

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock alone forward, or back, as an administrator might."""
        self._epoch += timedelta(seconds=seconds)


class StepClock(_WallClock):
    """A clock that moves only when told: by `step`, or with `steps_itself` by whoever sleeps.

    `slept_seconds` lists what was slept for.
    """

    def __init__(self, now_seconds: float = 0.0, *, steps_itself: bool = False) -> None:
        self.now_seconds = now_seconds
        self.slept_seconds: list[float] = []
        self._steps_itself = steps_itself
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.now_seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was stepped so far."""
        self.slept_seconds.append(seconds)
        if self._steps_itself:
            self.step(max(seconds, 0.0))
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_seconds + seconds, len(self.slept_seconds), future))
        await future

    def step(self, seconds: float) -> None:
        """Let so much time pass: those whose sleep is over go on, in the order in which it ended."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.now_seconds += seconds
        while self._sleepers and self._sleepers[0][0] <= self.now_seconds:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)


class _NoSelector(selectors.BaseSelector):
    """Waits for no file: an idle loop's time moves on to its next timer instead."""

    def __init__(self) -> None:
        self.idle: Callable[[float | None], None] = lambda timeout: None
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, -1, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.idle(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time costs nothing: when nothing is ready it is at once the time of the next timer.

    No files, sockets or threads: what would wait for one raises `RuntimeError`, as does waiting for nothing at all.
    `faults` lists what was raised where nobody could catch it.
    """

    def __init__(self, start_seconds: float = 0.0) -> None:
        selector = _NoSelector()
        super().__init__(selector)
        selector.idle = self._idle
        self._now_seconds = start_seconds
        self.faults: list[BaseException] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_seconds

    def _idle(self, timeout: float | None) -> None:
        if timeout is None:
            raise RuntimeError("every task waits for something that can never come")
        self._now_seconds += max(timeout, 0.0)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(context.get("exception") or RuntimeError(context["message"]))


class VirtualClock(_WallClock):
    """The clock of a loop: its time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """The loop's time."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait, in the loop's time."""
        await asyncio.sleep(seconds)


class SeededChance(Random):
    """Randomness that its seed repeats."""


def run_virtual(coroutine_function: Callable[[VirtualClock, SeededChance], Awaitable[T]], *, seed: int = 0) -> T:
    """Run `coroutine_function(clock, chance)` in virtual time and give what it returns.

    The same seed gives the same run; an error carries the seed as a note. Raises `RuntimeError` when tasks are left
    running, and whatever was raised in a callback.
    """
    loop = VirtualLoop()

    async def main() -> T:
        return await coroutine_function(VirtualClock(loop), SeededChance(seed))

    try:
        result = loop.run_until_complete(main())
        left = [repr(task) for task in asyncio.all_tasks(loop)]
        if loop.faults:
            raise loop.faults[0]
        if left:
            raise RuntimeError(f"{len(left)} tasks are left running: {left[0]}")
        return result
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        _close(loop)


def _close(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
