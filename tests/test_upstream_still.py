"""A process that stood still (a paused machine, a starved one) blames no provider for what waited for it meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from oneflow_ai.core.failure import UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Timeouts
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.answer import Answer
from oneflow_ai.upstream.dial import _connect
from oneflow_ai.upstream.pool import Pool
from oneflow_ai.upstream.system_names import SystemNames
from tests.certificates import Authority

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LOOPS: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
SHORT = Timeouts(connect_seconds=0.2, tls_seconds=0.2)
STILL_SECONDS = 0.5
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@contextmanager
def _provider(
    answer: bytes, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> Iterator[tuple[HttpRequest, threading.Event]]:
    """A request to a server on a thread of its own, which answers it so, a moment after it came; tells that it did."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            line, _ = listener.accept()
            line.recv(1, socket.MSG_PEEK)
            came.set()
            time.sleep(0.05)
            with line if context is None else context.wrap_socket(line, server_side=True) as line:
                line.recv(4_096)
                line.sendall(answer)
                stop.wait(5.0)

    came, stop = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(3.0)
        serving = threading.Thread(target=serve)
        serving.start()
        address = f"http{'s' if context else ''}://{host}:{listener.getsockname()[1]}/v1"
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


async def _connecting(turns: int, way: Way, host: str = "127.0.0.1") -> bytes:
    """Stand still as the connection is opened."""
    with _provider(ANSWER, host) as (request, _):
        pool = Pool(way)
        sending = asyncio.ensure_future(pool.send(request, asyncio.get_running_loop().time() + 3.0))
        for _ in range(turns):
            await asyncio.sleep(0)
        _stand_still()
        return await _body(pool, sending)


async def _answering(answer: bytes, way: Way, context: ssl.SSLContext | None = None, seconds: float = 0.3) -> bytes:
    """Stand still as the answer comes, or what TLS answers first."""
    with _provider(answer, context=context) as (request, came):
        pool = Pool(way)
        sending = asyncio.ensure_future(pool.send(request, asyncio.get_running_loop().time() + seconds))
        await asyncio.to_thread(came.wait, 2.0)
        _stand_still()
        return await _body(pool, sending)


def _run(loop_factory: LoopFactory, work: Coroutine[Any, Any, bytes]) -> bytes:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_who_accepted_meanwhile_did_so_in_time(loop_factory: LoopFactory, turns: int) -> None:
    assert _run(loop_factory, _connecting(turns, Way())) == b"ok"


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_a_name_that_was_found_meanwhile_was_found_in_time(loop_factory: LoopFactory, turns: int) -> None:
    def look_up(host: str, port: int) -> Sequence[str]:
        time.sleep(0.05)
        return ("127.0.0.1",)

    way = Way(resolver=SystemNames(look_up))
    assert _run(loop_factory, _connecting(turns, way, "provider.internal")) == b"ok"


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_tls_goes_on_with_what_came_meanwhile(
    loop_factory: LoopFactory, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    context = authority.server()
    context.maximum_version = version
    way = Way(ca_file=str(authority.file))
    assert _run(loop_factory, _answering(ANSWER, way, context, seconds=3.0)) == b"ok"


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_what_came_meanwhile_came_in_time(loop_factory: LoopFactory) -> None:
    assert _run(loop_factory, _answering(ANSWER, Way())) == b"ok"


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_what_did_not_come_is_late_as_ever(loop_factory: LoopFactory) -> None:
    with pytest.raises(Failure) as late:
        _run(loop_factory, _answering(b"", Way()))
    assert late.value.kind is UPSTREAM_TIMEOUT


class _Interrupted(socket.socket):
    """A signal comes as it begins to connect, which goes on nevertheless."""

    def connect_ex(self, address: Any, /) -> int:
        super().connect_ex(address)
        return errno.EINTR


@pytest.mark.parametrize("loop_factory", LOOPS.values(), ids=list(LOOPS))
def test_a_connection_goes_on_when_a_signal_interrupts_its_beginning(loop_factory: LoopFactory) -> None:
    async def peer(listener: socket.socket) -> bytes:
        with _Interrupted() as line:
            line.setblocking(False)
            await _connect(asyncio.get_running_loop(), line, listener.getsockname())
            assert line.getpeername() == listener.getsockname()
        return b"ok"

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert _run(loop_factory, peer(listener)) == b"ok"
