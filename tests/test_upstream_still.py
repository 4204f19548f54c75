"""A process that stood still (a paused machine, a starved one) blames no provider for what waited for it meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from oneflow_ai.core.failure import UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Timeouts
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.answer import Answer
from oneflow_ai.upstream.pool import Pool

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LOOPS: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SHORT = Timeouts(connect_seconds=0.2)
STILL_SECONDS = 0.5
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@contextmanager
def _provider(answer: bytes) -> Iterator[tuple[HttpRequest, threading.Event]]:
    """A request to a server on a thread of its own, which answers it so, a moment after it came; tells that it did."""

    def serve() -> None:
        with contextlib.suppress(TimeoutError):
            line, _ = listener.accept()
            with line:
                line.recv(4_096)
                came.set()
                time.sleep(0.05)
                line.sendall(answer)
                stop.wait(5.0)

    came, stop = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(3.0)
        serving = threading.Thread(target=serve)
        serving.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        try:
            yield HttpRequest("POST", address, (), b"{}", SHORT, "way"), came
        finally:
            stop.set()
            serving.join()


def _stand_still() -> None:
    time.sleep(STILL_SECONDS)


async def _body(pool: Pool, sending: asyncio.Future[Answer]) -> bytes:
    try:
        found = await sending
        body = await found.read(asyncio.get_running_loop().time() + 1.0)
        found.close()
        return body
    finally:
        await pool.close()


async def _connecting(answer: bytes, turns: int) -> bytes:
    """Stand still as the connection is opened."""
    with _provider(answer) as (request, _):
        pool = Pool(Way())
        sending = asyncio.ensure_future(pool.send(request, asyncio.get_running_loop().time() + 3.0))
        for _ in range(turns):
            await asyncio.sleep(0)
        _stand_still()
        return await _body(pool, sending)


async def _answering(answer: bytes) -> bytes:
    """Stand still as the answer comes."""
    with _provider(answer) as (request, came):
        pool = Pool(Way())
        sending = asyncio.ensure_future(pool.send(request, asyncio.get_running_loop().time() + 0.3))
        await asyncio.to_thread(came.wait, 2.0)
        _stand_still()
        return await _body(pool, sending)


def _run(loop_factory: LoopFactory, work: Coroutine[Any, Any, bytes]) -> bytes:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_who_accepted_meanwhile_did_so_in_time(loop_factory: LoopFactory, turns: int) -> None:
    assert _run(loop_factory, _connecting(ANSWER, turns)) == b"ok"


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_what_came_meanwhile_came_in_time(loop_factory: LoopFactory) -> None:
    assert _run(loop_factory, _answering(ANSWER)) == b"ok"


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_what_did_not_come_is_late_as_ever(loop_factory: LoopFactory) -> None:
    with pytest.raises(Failure) as late:
        _run(loop_factory, _answering(b""))
    assert late.value.kind is UPSTREAM_TIMEOUT
