"""A connection driven by hand: what arrives, when, and what its transport says are chosen to the step."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvloop

from oneflow_ai.core.failure import OVERLOADED, Failure
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.connection import Connection
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.outflow import READ_BYTES_LEAST
from oneflow_ai.edge.reply import Request
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.edge.turn import Turn

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
GET = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
WRITE_SECONDS = 0.05
MEGABYTE = 1 << 20


class Link(asyncio.Transport):
    """A transport that keeps what is written; `unread_bytes` is what its client has not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unread_bytes = 0
        self.aborted = self.closed = self.ended = self.paused = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unread_bytes

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@dataclass
class State:
    connections: set[Any] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    default_headers: Headers = field(default_factory=list)


@dataclass
class Served:
    """What the connection brings requests to: `bodies` are those that were whole, `faults` what was noted."""

    answered: Callable[[Turn], Awaitable[None]] | None = None
    refuses: bool = True
    full: bool = False
    at_hand: int = 0
    bodies: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def ready_refusal(self, failure: Failure, head: RequestHead, date: Headers) -> bytes | None:
        return None

    async def answer(self, request: Request) -> None:
        turn = cast(Turn, request)
        if self.answered is not None:
            await self.answered(turn)
            return
        body = turn.body()
        while body is None:
            message = await turn.receive()
            if message["type"] != "http.request":
                return
            if not message["more_body"]:
                body = message["body"]
        self.bodies.append(body)
        await turn.respond(200, [], b"served")

    def busy(self, path: bytes) -> Failure | None:
        return Failure(OVERLOADED, "busy") if self.full else None

    def refusal(self, failure: Failure, headers: Mapping[bytes, bytes], path: bytes) -> tuple[int, Headers, bytes]:
        if not self.refuses:
            raise ArithmeticError("no words for it")
        return failure.status, [], failure.code.encode()

    def failed(self, error: Exception) -> None:
        self.faults.append(repr(error))


def connected(served: Served) -> tuple[Connection, Link]:
    link = Link()
    limits = ConnectionLimits(write_seconds=WRITE_SECONDS)
    connection = Connection(served, limits, State(), asyncio.get_running_loop())
    connection.connection_made(link)
    return connection, link


async def turns_of_the_loop(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_request_that_was_found_broken_before_its_task_ran_is_not_served() -> None:
    served = Served()
    connection, link = connected(served)
    connection.data_received(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n")
    connection.data_received(b"ZZZZ\r\n")
    await turns_of_the_loop()
    assert served.bodies == []
    assert link.written.startswith(b"HTTP/1.1 400 ")
    assert link.ended


@pytest.mark.parametrize("status", [419, 420, 450, 499, 599])
async def test_a_status_without_a_name_of_its_own_is_told(status: int) -> None:
    async def answer(turn: Turn) -> None:
        await turn.respond(status, [], b"odd")

    served = Served(answer)
    connection, link = connected(served)
    connection.data_received(GET)
    await turns_of_the_loop()
    assert link.written.startswith(b"HTTP/1.1 %d " % status)
    assert served.faults == []


async def test_a_fault_in_our_own_words_closes_the_connection() -> None:
    async def answer(turn: Turn) -> None:
        raise ArithmeticError("a bug")

    served = Served(answer, refuses=False)
    connection, link = connected(served)
    connection.data_received(GET)
    await turns_of_the_loop()
    assert link.closed
    assert served.faults == ["ArithmeticError('a bug')", "ArithmeticError('no words for it')"]


async def test_a_reader_is_cut_only_when_it_takes_too_little() -> None:
    connection, link = connected(Served())
    link.unread_bytes = 4 * MEGABYTE
    connection.pause_writing()
    for _ in range(6):
        link.unread_bytes -= READ_BYTES_LEAST
        await asyncio.sleep(WRITE_SECONDS * 0.9)
    assert not link.aborted
    await asyncio.sleep(WRITE_SECONDS * 2.5)
    assert link.aborted


async def test_a_reader_of_what_is_left_at_the_end_is_cut_only_when_it_takes_too_little() -> None:
    async def answer(turn: Turn) -> None:
        turn.keep = False
        await turn.respond(200, [], b"long")

    connection, link = connected(Served(answer))
    link.unread_bytes = 4 * MEGABYTE
    connection.data_received(GET)
    await turns_of_the_loop()
    assert link.closed
    now = asyncio.get_running_loop().time()
    for _ in range(6):
        link.unread_bytes -= READ_BYTES_LEAST
        now += 1.9
        connection.sweep(now)
    assert not link.aborted
    connection.sweep(now + 2.5)
    assert link.aborted


async def test_a_stopping_server_does_not_wait_for_who_was_answered_early() -> None:
    async def answer(turn: Turn) -> None:
        await turn.respond(401, [], b"no")

    connection, link = connected(Served(answer))
    connection.data_received(HEAD + b"content-length: 1000\r\n\r\n" + b"x" * 10)
    await turns_of_the_loop()
    assert link.written.startswith(b"HTTP/1.1 401 ")
    connection.shutdown()
    assert not link.closed
    connection.data_received(b"x" * 990)
    await turns_of_the_loop()
    assert link.closed


async def test_an_offered_upgrade_lets_no_more_requests_wait() -> None:
    async def answer(turn: Turn) -> None:
        await asyncio.Event().wait()

    most = []
    for offer in (b"", b"connection: upgrade\r\nupgrade: h2c\r\n"):
        connection, link = connected(Served(answer))
        body = b"x" * 100_000
        connection.data_received(HEAD + offer + b"content-length: %d\r\n\r\n" % len(body) + body[:10])
        connection.data_received(body[10:] + GET * 2_000)
        await turns_of_the_loop()
        most.append(len(connection._turns))
        assert link.paused
        connection.connection_lost(None)
        await turns_of_the_loop()
    assert most[1] <= most[0] < 200


async def test_a_turn_leaves_no_cycle_behind() -> None:
    served = Served()
    connection, _ = connected(served)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            connection.data_received(GET)
            await turns_of_the_loop()
        assert len(served.bodies) == 20
        assert sum(isinstance(one, Turn) for one in gc.get_objects()) <= 1
    finally:
        gc.enable()


async def test_refusals_wait_for_a_client_that_does_not_read_them() -> None:
    connection, link = connected(Served(full=True))
    connection.data_received(GET)
    assert link.written.count(b"HTTP/1.1 503 ") == 1
    link.unread_bytes = MEGABYTE
    connection.pause_writing()
    for _ in range(50):
        connection.data_received(GET * 400)
    assert link.written.count(b"HTTP/1.1 503 ") == 1
    assert link.paused
    assert len(connection._turns) < 600
    link.unread_bytes = 0
    connection.resume_writing()
    await turns_of_the_loop()
    assert link.written.count(b"HTTP/1.1 503 ") == 20_001
    assert not link.paused


async def test_a_client_that_reads_again_sends_no_more_of_a_body_that_waits() -> None:
    never = asyncio.Event()

    async def wait(turn: Turn) -> None:
        await never.wait()

    connection, link = connected(Served(answered=wait))
    connection.data_received(GET)
    connection.data_received(HEAD + b"content-length: 60000000\r\n\r\n")

    def send() -> None:
        for _ in range(1_000):
            if link.paused:
                return
            connection.data_received(b"x" * (64 << 10))

    send()
    kept_bytes = connection._turns[-1].waiting_bytes
    for _ in range(20):
        connection.pause_writing()
        connection.resume_writing()
        send()
    assert connection._turns[-1].waiting_bytes == kept_bytes < MEGABYTE
    connection.connection_lost(None)
    never.set()
    await turns_of_the_loop()


@pytest.mark.parametrize("further", [b"", b"connection: close\r\n"])
async def test_a_request_that_meets_a_fault_is_told_so_whether_it_is_the_last_or_not(further: bytes) -> None:
    async def fail(turn: Turn) -> None:
        raise ZeroDivisionError("a fault of ours")

    served = Served(answered=fail)
    connection, link = connected(served)
    connection.data_received(GET.replace(b"\r\n\r\n", b"\r\n" + further + b"\r\n"))
    await turns_of_the_loop()
    assert link.written.startswith(b"HTTP/1.1 500 ")
    assert link.closed and len(served.faults) == 1


async def test_no_call_begins_once_calls_are_cut() -> None:
    begun: list[Turn] = []
    over = asyncio.Event()

    async def answer(turn: Turn) -> None:
        begun.append(turn)
        await over.wait()
        await turn.respond(503, [], b"draining")

    connection, link = connected(Served(answered=answer))
    connection.data_received(GET + GET)
    await turns_of_the_loop()
    connection.cut()
    over.set()
    await turns_of_the_loop()
    assert len(begun) == 1
    assert link.written.count(b"HTTP/1.1 503 ") == 1
    assert link.closed


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_client_that_never_reads_its_refusals_is_held_back(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        made: list[Connection] = []

        def make() -> Connection:
            made.append(Connection(Served(full=True), ConnectionLimits(), State(), loop))
            return made[-1]

        server = await loop.create_server(make, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.setblocking(False)
            sent = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    while sent < 64 * MEGABYTE:
                        await loop.sock_sendall(client, GET * 1_000)
                        sent += len(GET) * 1_000
            unread_bytes = made[0]._transport.get_write_buffer_size()
        made[0].abort()
        server.close()
        await asyncio.sleep(0.05)
        assert unread_bytes < MEGABYTE

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(play())


async def test_a_closing_connection_has_one_watch_over_its_reader() -> None:
    """It fell behind before the end: a timer of that time would find that the sweep had just looked."""
    connection, link = connected(Served())
    link.unread_bytes = 4 * MEGABYTE
    connection.pause_writing()
    connection._close()
    for _ in range(6):
        await asyncio.sleep(WRITE_SECONDS / 2)
        link.unread_bytes -= READ_BYTES_LEAST
        connection.sweep(asyncio.get_running_loop().time())
    assert not link.aborted
