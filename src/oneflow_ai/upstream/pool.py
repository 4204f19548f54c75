"""Connections to one provider: kept while fresh, bounded in number, waited for in turn, replaced when stale."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from dataclasses import dataclass
from functools import partial

from oneflow_ai.core.failure import OVERLOADED, QUEUE_TIMEOUT, UPSTREAM_CLOSED, UPSTREAM_UNREACHABLE, Failure
from oneflow_ai.core.ports import HttpRequest, Mark
from oneflow_ai.upstream.address import Address, address_and_head
from oneflow_ai.upstream.alarm import Alarm
from oneflow_ai.upstream.answer import Answer
from oneflow_ai.upstream.connection import Connection
from oneflow_ai.upstream.dial import dial, trust
from oneflow_ai.upstream.way import Way

KEEP_SECONDS = 30.0
STALE_SECONDS_MOST = 0.25
HEADS_MOST = 1_024


class Pool:
    """Implements the `Upstream` port for one way, over connections of our own. It knows no proxies."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: ssl.SSLContext | None = None
        self._origins: dict[Address, _Origin] = {}
        self._busy: set[Connection] = set()
        self._latest: dict[str, _Head] = {}
        self._opening = 0
        self._called = 0
        self._idle_count = 0
        # True is a turn, False the end of the pool.
        self._waiters: deque[asyncio.Future[bool]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> Answer:
        """Send a request and give the answer once its head is there; raises `Failure`.

        A kept connection that the provider closed as the request was written is replaced once, at no cost.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self.alarm = Alarm(self._loop, self._ring)
        found = self._latest.get(request.url)
        if found is None or found.headers is not request.headers or found.method != request.method:
            found = self._head(request)
        origin = found.origin
        length_bytes = len(request.body) if request.large is None else request.size_bytes
        head = found.content + b"%d\r\n\r\n" % length_bytes
        queued = self._waiters or self._called
        connection = None if queued else self._kept(origin)
        if connection is None:
            connection = await self._obtain(origin, request, until_seconds)
        written_seconds = self._loop.time()
        answer = self._start(connection, head, request, mark)
        try:
            await answer.head(until_seconds)
            return answer
        except BaseException as error:
            answer.close()
            stale = connection.reused and connection.untouched
            closed = isinstance(error, Failure) and error.kind is UPSTREAM_CLOSED
            # Closed later than that, it was closed over this request, which may have run.
            if not (stale and closed) or self._loop.time() - written_seconds > STALE_SECONDS_MOST:
                raise
        if mark is not None:
            mark.sent = False
        await self._turn(until_seconds)
        answer = self._start(await self._open(origin, request, until_seconds), head, request, mark)
        try:
            await answer.head(until_seconds)
        except BaseException:
            answer.close()
            raise
        return answer

    async def close(self) -> None:
        """Close every connection; who waits for one is told so. A call under way may send again: on one of its own."""
        self._closed = True
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(False)
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._loop is not None:
            self.alarm.stop()
        for connection in [*self._busy, *(one for origin in self._origins.values() for one in origin.kept)]:
            connection.close()
        self._origins.clear()
        self._latest.clear()
        self._idle_count = 0
        # The loop closes the sockets in its next round.
        await asyncio.sleep(0)

    @property
    def busy(self) -> int:
        """Connections that carry a call now."""
        return len(self._busy)

    @property
    def kept(self) -> int:
        """Connections that wait for one."""
        return self._idle_count

    def _start(self, connection: Connection, head: bytes, request: HttpRequest, mark: Mark | None) -> Answer:
        assert self._loop is not None
        try:
            answer = connection.send(head, request.body, request.timeouts.write_seconds)
            if request.large is not None:
                connection.send_on(request.large.pieces())
        except BaseException:
            connection.close()
            self._next()
            raise
        self._busy.add(connection)
        if mark is not None:
            mark.sent = True
        if not connection.reused:
            answer.sent_seconds = self._loop.time()
        return answer

    def over(self, connection: Connection, usable: bool) -> None:
        """The request that a connection carried is over."""
        self._busy.remove(connection)
        if usable and self._closed:
            connection.close()
        elif usable:
            assert self._loop is not None
            connection.reused = True
            connection.idle_since_seconds = self._loop.time()
            connection.origin.kept.append(connection)
            self._idle_count += 1
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(KEEP_SECONDS, self._sweep)
        if self._waiters:
            self._next()

    def _ring(self, now_seconds: float) -> float:
        return min((connection.ring(now_seconds) for connection in list(self._busy)), default=math.inf)

    # ---- connections

    def _kept(self, origin: _Origin) -> Connection | None:
        """The connection used last: the others may grow stale and go."""
        while origin.kept:
            connection = origin.kept.pop()
            self._idle_count -= 1
            if connection.open:
                return connection
        return None

    async def _obtain(self, origin: _Origin, request: HttpRequest, until_seconds: float) -> Connection:
        """Wait for a turn; then take what was given back meanwhile, or open a connection."""
        await self._turn(until_seconds)
        connection = self._kept(origin)
        return connection if connection is not None else await self._open(origin, request, until_seconds)

    async def _open(self, origin: _Origin, request: HttpRequest, until_seconds: float) -> Connection:
        self._opening += 1
        if self._idle_count and len(self._busy) + self._opening + self._idle_count > self.way.connections_most:
            self._drop_oldest()
        opened = False
        try:
            connection = await self._connect(origin, request, until_seconds)
            opened = True
        except Failure as failure:
            if failure.kind is OVERLOADED and self._idle_count:
                # Its file is for the next.
                self._drop_oldest()
            raise
        finally:
            self._opening -= 1
            if not opened:
                self._next()
        return connection

    async def _turn(self, until_seconds: float) -> None:
        """Wait until one more connection may be in use, first come first served."""
        if not self._waiters and self._room():
            return
        assert self._loop is not None
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(until_seconds):
                turn = await waiter
        except BaseException as error:
            self._leave_queue(waiter)
            if not isinstance(error, TimeoutError):
                raise
            # The limit is our own: it says nothing of the provider, and nothing was sent.
            raise Failure(QUEUE_TIMEOUT, "no connection to the provider became free in time") from None
        if not turn:
            raise Failure(UPSTREAM_UNREACHABLE, "the connections to the provider were closed while this call waited")
        # Its turn has come: it opens or takes a connection before anything else runs.
        self._called -= 1

    def _leave_queue(self, waiter: asyncio.Future[bool]) -> None:
        """It waits no more; a turn that had just come is for the next. One that was cancelled is never given a turn."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif not waiter.cancelled() and waiter.result():
            self._called -= 1
            self._next()

    def _room(self) -> bool:
        return len(self._busy) + self._opening + self._called < self.way.connections_most

    def _next(self) -> None:
        while self._waiters and self._room():
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._called += 1
                waiter.set_result(True)

    async def _connect(self, origin: _Origin, request: HttpRequest, until_seconds: float) -> Connection:
        assert self._loop is not None
        address = origin.address
        if address.tls and self._context is None:
            self._context = trust(self.way)
        context = self._context if address.tls else None
        make = partial(Connection, self, origin, self._loop)
        return await dial(make, address, self.way, context, request.timeouts, until_seconds)

    # ---- what is kept

    def _drop_oldest(self) -> None:
        shelves = [origin.kept for origin in self._origins.values() if origin.kept]
        min(shelves, key=lambda kept: kept[0].idle_since_seconds).popleft().close()
        self._idle_count -= 1

    def _sweep(self) -> None:
        """Close what has been idle for long; look again while anything is kept."""
        assert self._loop is not None
        oldest = self._loop.time() - KEEP_SECONDS
        for origin in self._origins.values():
            kept = origin.kept
            while kept and (kept[0].idle_since_seconds <= oldest or not kept[0].open):
                kept.popleft().close()
                self._idle_count -= 1
        self._sweeper = self._loop.call_later(KEEP_SECONDS, self._sweep) if self._idle_count else None

    def _head(self, request: HttpRequest) -> _Head:
        try:
            address, content = address_and_head(request)
        except ValueError as error:
            raise Failure(UPSTREAM_UNREACHABLE, str(error)) from None
        if len(self._latest) >= HEADS_MOST:
            self._latest.clear()
        origin = self._origins.setdefault(address, _Origin(address))
        head = self._latest[request.url] = _Head(request.method, request.headers, origin, content)
        return head


class _Origin:
    """One address, and the connections to it that wait for a request, the one used last at the end."""

    __slots__ = ("address", "kept")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.kept: deque[Connection] = deque()


@dataclass(frozen=True, slots=True)
class _Head:
    """What all requests with one URL and the same headers begin with, and where they go."""

    method: str
    headers: tuple[tuple[str, str], ...]
    origin: _Origin
    content: bytes
