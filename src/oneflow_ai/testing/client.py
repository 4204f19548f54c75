"""A client that listens."""

from __future__ import annotations

import asyncio

from oneflow_ai.core.events import End, Event
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Clock, Head
from oneflow_ai.core.record import Exchange


class ListeningClient:
    """A `core.ports.Client` that keeps what it is told: `head`, `events`, `end`, `failure`, `exchange`.

    `hang_up_after` n events it goes away: the task that serves it is cancelled, as a server does (0: as the answer
    begins). `wait_seconds` is how long it takes over each event.
    """

    def __init__(
        self, *, hang_up_after: int | None = None, wait_seconds: float = 0.0, clock: Clock | None = None
    ) -> None:
        if wait_seconds and clock is None:
            raise ValueError("a slow client needs a clock")
        self.head: Head | None = None
        self.events: list[Event] = []
        self.end: End | None = None
        self.failure: Failure | None = None
        self.exchange: Exchange | None = None
        self._hang_up_after, self._wait_seconds = hang_up_after, wait_seconds
        self._clock = clock
        self._waits = 0

    @property
    def ended(self) -> bool:
        """Whether it was told how the call ended."""
        return self.exchange is not None

    @property
    def slow(self) -> bool:
        """Whether it takes its time over an event, or is about to go away."""
        return self._waits > 0 or self._leaves

    async def drained(self) -> None:
        """Take its time, or go away."""
        waits, self._waits = self._waits, 0
        if self._clock is not None:
            await self._clock.sleep(self._wait_seconds * waits)
        if self._leaves:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    def begin(self, head: Head) -> None:
        """Keep the head."""
        assert self.head is None, "an answer begins once"
        self.head = head

    def send(self, event: Event) -> None:
        """Keep the event."""
        assert self.head is not None, "an answer begins before its events"
        assert not self.ended, "nothing comes after the end"
        if not self._leaves:
            self.events.append(event)
            self._waits += self._wait_seconds > 0

    async def finish(self, end: End, exchange: Exchange) -> None:
        """Keep the end and the record."""
        assert not self.ended, "a call ends once"
        self.end = end
        self.exchange = exchange

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """Keep the failure and the record."""
        assert not self.ended, "a call ends once"
        self.failure = failure
        self.exchange = exchange

    @property
    def _leaves(self) -> bool:
        most = self._hang_up_after
        return most is not None and self.head is not None and len(self.events) >= most
