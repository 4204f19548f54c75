"""What a connection to a provider is after its answer: kept only as one that is read, and never lost in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
import uvloop

from oneflow_ai.core.failure import QUEUE_TIMEOUT, UPSTREAM_UNREACHABLE, Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Timeouts
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.answer import BUFFERED_BYTES_MOST
from oneflow_ai.upstream.connection import Connection
from oneflow_ai.upstream.pool import Pool
from tests.upstreams import failure_of

LARGE = BUFFERED_BYTES_MOST + 10
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Server(asyncio.Protocol):
    """Answers each request at once: the first with a body beyond what is buffered, the others with a short one."""

    answered = 0
    open = 0
    most = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's by class.
        self.transport = cast(asyncio.WriteTransport, transport)
        Server.open += 1
        Server.most = max(Server.most, Server.open)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        Server.open -= 1

    def data_received(self, data: bytes) -> None:
        del data
        body = b"x" * (LARGE if Server.answered == 0 else 2)
        Server.answered += 1
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


class Slow(Server):
    """Takes a moment for each answer."""

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(0.02, self._answer, data)

    def _answer(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)


@asynccontextmanager
async def _pool(
    connections_most: int = 4, server_of: type[Server] = Server, kind: type[Pool] = Pool
) -> AsyncIterator[tuple[Pool, HttpRequest]]:
    Server.answered = Server.open = Server.most = 0
    server = await asyncio.get_running_loop().create_server(server_of, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    pool = kind(Way(connections_most=connections_most))
    try:
        yield pool, HttpRequest("POST", url, (("x-a", "b"),), b"{}", Timeouts(), "way")
    finally:
        await pool.close()
        server.close()


async def _until(true_of: Callable[[], bool]) -> None:
    for _ in range(500):
        if true_of():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that in time")


def _soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_connection_whose_large_answer_nobody_read_serves_the_next() -> None:
    async with _pool() as (pool, request):
        answer = await pool.send(request, _soon())
        await _until(lambda: answer.ended)
        answer.close()
        following = await pool.send(request, _soon(1.0))
        assert await following.read(_soon(1.0)) == b"xx"
        following.close()


async def test_a_turn_that_comes_as_its_waiter_gives_up_goes_to_the_next() -> None:
    async with _pool(connections_most=1) as (pool, request):
        first = await pool.send(request, _soon())
        late = asyncio.create_task(pool.send(request, _soon(0.05)))
        behind = asyncio.create_task(pool.send(request, _soon(5.0)))
        # The limit is our own: it says nothing of the provider.
        assert (await failure_of(lambda: late)).kind is QUEUE_TIMEOUT
        first.close()
        answer = await asyncio.wait_for(behind, 2.0)
        answer.close()


async def test_a_pool_that_is_closed_keeps_no_connection() -> None:
    async with _pool() as (pool, request):
        Server.answered = 1
        opening = asyncio.create_task(pool.send(request, _soon()))
        await asyncio.sleep(0)
        await pool.close()
        answer = await opening
        while await answer.read(_soon()):
            pass
        answer.close()
        assert (pool.busy, pool.kept) == (0, 0)
        await _until(lambda: Server.open == 0)


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_callers_who_all_leave_at_once_take_no_turn_with_them(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def call(pool: Pool, request: HttpRequest) -> None:
        answer = await pool.send(request, _soon(10.0))
        try:
            while await answer.read(_soon(10.0)):
                pass
        finally:
            answer.close()

    async def play() -> None:
        async with _pool(connections_most=2, server_of=Slow) as (pool, request):
            for waiting in (0, 5, 20, 40):
                calls = [asyncio.create_task(call(pool, request)) for _ in range(2 + waiting)]
                await asyncio.sleep(0.01)
                for one in calls:
                    one.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
                assert (pool.busy, pool._called) == (0, 0)
            await _until(lambda: Server.open == 0)
            Server.most = 0
            await asyncio.gather(*(call(pool, request) for _ in range(20)))
            assert (Server.most, pool._called) == (2, 0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(play())


async def test_a_request_that_cannot_be_written_leaves_its_place_to_the_next() -> None:
    async with _pool(connections_most=1) as (pool, request):
        broken = replace(request, body=cast(bytes, "no bytes"))
        refused = asyncio.create_task(pool.send(broken, _soon()))
        await asyncio.sleep(0)
        behind = asyncio.create_task(pool.send(request, _soon(1.0)))
        with pytest.raises(TypeError):
            await refused
        (await behind).close()
        assert pool.busy == 0
        await _until(lambda: Server.open == pool.kept)


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_a_connection_that_is_gone_before_its_request_was_written_is_unreachable(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    class Unlucky(Pool):
        """A pool whose new connections are gone as soon as they are there."""

        async def _connect(self, origin: Any, request: HttpRequest, until_seconds: float) -> Connection:
            connection = await super()._connect(origin, request, until_seconds)
            connection.close()
            return connection

    async def play() -> None:
        async with _pool(connections_most=1, kind=Unlucky) as (pool, request):
            failure = await failure_of(lambda: pool.send(request, _soon(1.0)))
            # Nothing was sent: another may be tried.
            assert failure.kind is UPSTREAM_UNREACHABLE
            assert pool.busy == 0

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(play())


async def test_who_waits_at_a_pool_that_is_closed_waits_no_longer() -> None:
    async with _pool(connections_most=1) as (pool, request):
        answer = await pool.send(request, _soon())
        waiting = [asyncio.create_task(pool.send(request, _soon())) for _ in range(3)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0)
        # One leaves just as it would be told.
        waiting.pop().cancel()
        await closing
        for one in waiting:
            with pytest.raises(Failure) as caught:
                await asyncio.wait_for(one, 1.0)
            assert caught.value.kind is UPSTREAM_UNREACHABLE
        answer.close()
        await _until(lambda: Server.open == 0)
        # A call that began before a reload may still go this way: its connection goes with it.
        (await pool.send(request, _soon())).close()
        await _until(lambda: Server.open == 0)
        assert (pool.busy, pool.kept, pool._called) == (0, 0, 0)
