"""Hosting by uvicorn with what it lacks: deadlines on head, body and reader, and word when a client is gone."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from oneflow_ai.edge.asgi import Application, Headers

SWEEP_SECONDS = 0.5
BODY_SECONDS_LEAST = 60.0
BODY_BYTES_PER_SECOND_LEAST = 256 << 10
KEEP_ALIVE_SECONDS = 75
BACKLOG = 4_096
_TIMED_OUT = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
)
_TIMED_OUT_BODY = (
    b'{"error":{"message":"the request did not arrive in time","type":"invalid_request_error",'
    b'"param":null,"code":"request_timeout"}}'
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Time limits of a client's connection, in seconds: for the head, between a body's bytes, for a stalled reader."""

    head_seconds: float = 10.0
    body_idle_seconds: float = 10.0
    write_seconds: float = 30.0


class Connection(HttpToolsProtocol):
    """One client connection. `scope["oneflow.connection"]` is this object, so that the edge knows it is watched."""

    limits = ConnectionLimits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """A client connected: its request's head is due."""
        super().connection_made(transport)
        self.call_task: asyncio.Task[Any] | None = None
        self.stalled_seconds: float | None = None
        self.since_seconds = self.heard_seconds = self.loop.time()
        self.due = "head"

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        self.heard_seconds = self.loop.time()
        if self.due == "nothing" and self.cycle.response_complete:
            self.due, self.since_seconds = "head", self.heard_seconds
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is there; its body is due."""
        scope: dict[str, Any] = self.scope  # type: ignore[assignment] # ASGI lets servers add keys of their own
        scope["oneflow.connection"] = self
        self.due, self.since_seconds = "body", self.heard_seconds
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there; nothing is due but our answer."""
        self.due = "nothing"
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the call that serves it is told at once."""
        super().connection_lost(exc)
        task = self.call_task
        if task is not None:
            task.cancel()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.stalled_seconds = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self.stalled_seconds = None
        super().resume_writing()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Write one whole answer at once: as two ASGI messages would, without the checks that ours cannot fail.

        `headers` have lower-case names and checked values, and do not hold `content-length`.
        """
        if self.flow.write_paused:
            await self.flow.drain()
        cycle: RequestResponseCycle = self.cycle
        if cycle.disconnected:
            return
        lines = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        closing = b"" if cycle.keep_alive else b"connection: close\r\n"
        lines.append(b"%bcontent-length: %d\r\n\r\n" % (closing, len(body)))
        lines.append(body)
        self.transport.write(b"".join(lines))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def close_after(self) -> None:
        """Close the connection once the answer under way has ended."""
        self.cycle.keep_alive = False

    def sweep(self, now_seconds: float) -> None:
        """Close the connection if something of it is overdue."""
        limits = self.limits
        if self.stalled_seconds is not None and now_seconds - self.stalled_seconds > limits.write_seconds:
            self.transport.abort()
        elif self.due == "head" and now_seconds - self.since_seconds > limits.head_seconds:
            self.transport.close()
        elif self.due == "body" and self._body_overdue(now_seconds):
            self._time_out()

    def _body_overdue(self, now_seconds: float) -> bool:
        if now_seconds - self.heard_seconds > self.limits.body_idle_seconds:
            # A body that we ourselves stopped reading is not late.
            return not self.flow.read_paused
        size = next((value for name, value in self.headers if name == b"content-length"), b"0")
        allowed = BODY_SECONDS_LEAST + int(size) / BODY_BYTES_PER_SECOND_LEAST
        return now_seconds - self.since_seconds > allowed

    def _time_out(self) -> None:
        cycle: RequestResponseCycle = self.cycle
        if not cycle.response_started:
            self.transport.write(_TIMED_OUT % (len(_TIMED_OUT_BODY), _TIMED_OUT_BODY))
        cycle.disconnected = True
        cycle.message_event.set()
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready and when it starts to drain, and sweeps its connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None],
        drain: Callable[[], None],
        until: asyncio.Event | None,
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._drain = drain
        self._until = until
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._sweep()))
        if self._until is not None:
            self._tasks.append(loop.create_task(self._wait(self._until)))
        if not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let calls finish for as long as the configuration says, then cut them."""
        await super().shutdown(sockets)
        for task in self._tasks:
            task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT begin the drain; a second SIGINT ends at once. A drained server exits with status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain."""
        self._drain()
        super().handle_exit(sig, frame)

    async def _wait(self, until: asyncio.Event) -> None:
        await until.wait()
        self._drain()
        self.should_exit = True

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection) and connection.transport is not None:
                    connection.sweep(now)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `OSError` when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


async def serve(
    application: Application,
    listener: socket.socket,
    *,
    limits: ConnectionLimits,
    drain_seconds: int,
    ready: Callable[[], None],
    drain: Callable[[], None],
    until: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `until`; `ready` is called once listening, `drain` when the end begins."""
    protocol = type("LimitedConnection", (Connection,), {"limits": limits})
    config = uvicorn.Config(
        application,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
        backlog=BACKLOG,
    )
    server = _Server(config, ready, drain, until)
    await server.serve(sockets=[listener])
