"""Takes finished exchanges from the engine without waiting: counts them at once, stores them in batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeAlias, TypeVar

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Clock
from oneflow_ai.core.record import Exchange
from oneflow_ai.telemetry.log import Log

Watcher: TypeAlias = Callable[[Exchange], None]
GATHERED_MOST = 64
"""Most exchanges that are kept whole, with what was asked, until the event loop's next turn."""

RowT = TypeVar("RowT")


class Sink(Protocol[RowT]):
    """Where exchanges are stored. `row` and `size_bytes` run on the event loop for every call: they must be cheap."""

    def row(self, exchange: Exchange) -> RowT:
        """What to keep of an exchange, without the exchange."""

    def size_bytes(self, row: RowT) -> int:
        """About how much memory a row takes."""

    async def write_batch(self, rows: Sequence[RowT]) -> int:
        """Store rows, all or none, or the same ones again without harm; give how many of them can never be stored.

        Raises `Failure` when it cannot do so now: the same batch will come again.
        """


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how long: rows and their bytes, rows in a batch, seconds between batches and retries."""

    rows_most: int = 10_000
    bytes_most: int = 32 * 1024 * 1024
    batch_rows_most: int = 500
    flush_seconds: float = 0.5
    retry_first_seconds: float = 0.1
    retry_most_seconds: float = 5.0


class QueueRecorder(Generic[RowT]):
    """The `Recorder` of the engine: each exchange goes to every watcher at once, and to the sink in a batch, in order.

    In the event loop's next turn it goes to every follower and becomes a row, one exchange right behind the other: that
    takes less time than doing so for each call in the midst of its other work. It never waits and never raises. When
    more wait than the bounds allow, the newest is dropped and counted; when the sink fails, its batch is tried again
    for as long as it takes. The log gets one line for each change of state.
    """

    def __init__(
        self,
        sink: Sink[RowT],
        watchers: Sequence[Watcher],
        clock: Clock,
        log: Log,
        bounds: Bounds | None = None,
        followers: Sequence[Watcher] = (),
    ) -> None:
        self._sink = sink
        self._watchers = tuple(watchers)
        self._followers = tuple(followers)
        self._clock = clock
        self._log = log
        self._bounds = bounds or Bounds()
        self._fresh: list[Exchange] = []
        self._rows: deque[RowT] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._failures = 0
        self._overflowing = False
        self._faulty = False
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many exchanges are not yet stored."""
        return len(self._fresh) + len(self._rows)

    def adopt(self, followers: Sequence[Watcher], bounds: Bounds) -> None:
        """Tell these followers of the next exchanges, and let as many wait as these bounds say."""
        self._followers, self._bounds = tuple(followers), bounds

    def start(self) -> None:
        """Begin to store; call it once, inside the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="oneflow-recorder")

    def record(self, exchange: Exchange) -> None:
        """Count one finished exchange, and queue it for the followers and the sink; call it inside the event loop."""
        try:
            for watch in self._watchers:
                watch(exchange)
            if not self._fresh:
                asyncio.get_running_loop().call_soon(self._gather)
            self._fresh.append(exchange)
            if len(self._fresh) == GATHERED_MOST:
                self._gather()
        except Exception as problem:  # noqa: BLE001 - a fault in a record must never reach the call it records
            self._spoiled(problem)

    def _gather(self) -> None:
        fresh, self._fresh = self._fresh, []
        for exchange in fresh:
            try:
                for follow in self._followers:
                    follow(exchange)
                self._queue(exchange)
                if exchange.usage is not None and exchange.usage.odd:
                    self._warn_of(exchange)
            except Exception as problem:  # noqa: BLE001 - one exchange with a fault must not cost the next
                self._spoiled(problem)

    def _warn_of(self, exchange: Exchange) -> None:
        place = "" if exchange.served is None else exchange.served.place
        words = (
            "a provider reported a usage that cannot be, or costs more than was held; it was billed as far as it can be"
        )
        self._log.warning(words, place=place, request=exchange.call.id)

    def _spoiled(self, problem: Exception) -> None:
        self._lose(1)
        if not self._faulty:
            self._faulty = True
            self._log.error("a call could not be recorded", error=problem)

    def _queue(self, exchange: Exchange) -> None:
        rows, bounds = self._rows, self._bounds
        if self._closing:
            self._lose(1)
            return
        if len(rows) >= bounds.rows_most or self._bytes >= bounds.bytes_most:
            self._overflow()
            return
        row = self._sink.row(exchange)
        rows.append(row)
        self._bytes += self._sink.size_bytes(row)
        if len(rows) == 1:
            self._some.set()
        if len(rows) == bounds.batch_rows_most:
            self._enough.set()

    def _overflow(self) -> None:
        self._lose(1)
        if not self._overflowing:
            self._overflowing = True
            self._log.warning("the history queue is full: the newest calls are left out", waiting=len(self._rows))

    def _lose(self, count: int) -> None:
        self.dropped += count

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            if not self._closing and len(self._rows) < self._bounds.batch_rows_most:
                await self._pause()
            self._enough.clear()
            if self._rows:
                await self._store_one_batch()
            if not self._rows:
                if self._closing:
                    return
                self._some.clear()

    async def _pause(self) -> None:
        """Wait for the time to flush, or for enough rows."""
        timer = asyncio.get_running_loop().call_later(self._bounds.flush_seconds, self._enough.set)
        try:
            await self._enough.wait()
        finally:
            timer.cancel()

    async def _store_one_batch(self) -> None:
        batch = list(islice(self._rows, self._bounds.batch_rows_most))
        try:
            self._lose(await self._sink.write_batch(batch))
        except Failure as failure:
            await self._failed(failure)
            return
        except Exception as problem:  # noqa: BLE001 - the task's outermost edge: a bad batch must not end the recorder
            self._log.error("a batch of the history was lost", error=problem, calls=len(batch))
            self._lose(len(batch))
        for _ in batch:
            self._rows.popleft()
        self._bytes -= sum(map(self._sink.size_bytes, batch))
        self._succeeded()

    async def _failed(self, failure: Failure) -> None:
        if self._failures == 0:
            self._log.warning("the history cannot be written", reason=failure.message, waiting=len(self._rows))
        wait_seconds = self._bounds.retry_first_seconds * 2.0 ** min(self._failures, 16)
        self._failures += 1
        await self._clock.sleep(min(wait_seconds, self._bounds.retry_most_seconds))

    def _succeeded(self) -> None:
        if self._failures or (self._overflowing and len(self._rows) < self._bounds.rows_most // 2):
            self._log.info("the history is written again", waiting=len(self._rows), dropped=self.dropped)
            self._overflowing = False
        self._failures = 0

    async def close(self, within_seconds: float = 10.0) -> None:
        """Store what waits, for so long at most, and take no more. What is left then is dropped and counted."""
        self._gather()
        self._closing = True
        self._some.set()
        self._enough.set()
        if self._task is None:
            return
        await asyncio.wait((self._task,), timeout=within_seconds)
        self._task.cancel()
        if self._rows:
            left = len(self._rows)
            self._lose(left)
            self._rows.clear()
            self._log.error("the history lost calls at the end", dropped=left)
