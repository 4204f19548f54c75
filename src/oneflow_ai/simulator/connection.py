"""One client connection: bytes in through the parser, requests to the stage, its performances out to the socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import Protocol, cast

import httptools

from oneflow_ai.core.ports import Clock
from oneflow_ai.simulator.answer import head
from oneflow_ai.simulator.form import FORM_BYTES_MOST, form_of
from oneflow_ai.simulator.record import CLIENT_CLOSED, CLOSED, COMPLETED, RESET
from oneflow_ai.simulator.request import HIDDEN, SECRET_HEADERS, Request
from oneflow_ai.simulator.stage import Performance
from oneflow_ai.simulator.steps import Await, Close, Deafen, Flood, Hang, Reset, Send, Steps, Wait

BODY_BYTES_MOST = 64 << 20
HEAD_BYTES_MOST = 256 << 10
WAITING_MOST = 16
HANG_SECONDS_MOST = 3_600.0
FLOOD_BYTES_MOST = 8 << 30
_DEAF_BUFFER_BYTES = 4_096
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """What a connection speaks to: the stage, or the control port's routes."""

    clock: Clock

    def opened(self) -> int:
        """A connection came; gives its number."""

    def closed(self) -> None:
        """A connection went."""

    def malformed(self) -> None:
        """A client sent bytes that are no HTTP request."""

    def unwelcome(self) -> Steps | None:
        """What a connection meets as it comes; None where it is welcome."""

    def early(self, request: Request, place: tuple[int, int], part: bytes = b"") -> Performance | None:
        """What strikes before the body is read."""

    def begin(self, request: Request, place: tuple[int, int]) -> Performance:
        """What a whole request gets."""

    def ended(self, performance: Performance, how: str, sent_bytes: int) -> None:
        """A performance is over."""


class Connection(asyncio.Protocol):
    """Plays one performance after the other; requests that come meanwhile wait their turn, at most 16."""

    def __init__(self, host: Host, open_connections: set[Connection]) -> None:
        self._host = host
        self._fellows = open_connections
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._number = 0
        self._served = 0
        self._sent_bytes = 0
        self._deaf = False
        self._gone = False
        self._performance: Performance | None = None
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._flushed: asyncio.Future[None] | None = None
        self._writable = True
        self._playing: Request | None = None
        self._request: Request | None = None
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._secrets: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    # ---- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        # TLS holds tickets back until it reads; a limit of 0 would keep both waiting for each other.
        if transport.get_extra_info("ssl_object") is None:
            self._transport.set_write_buffer_limits(0)
        self._fellows.add(self)
        self._number = self._host.opened()
        if (steps := self._host.unwelcome()) is not None:
            self._early(Performance(None, steps=steps))

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, by whichever side."""
        self._gone = True
        if self._task is not None and not self._task.done():
            self._task.add_done_callback(lambda _: self._fellows.discard(self))
            self._task.cancel()
        else:
            self._fellows.discard(self)
        if self._performance is not None:
            self._finish(CLIENT_CLOSED)
        self._host.closed()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests came."""
        if self._deaf:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400)
        if self._request is None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MOST:
                self._refuse(431)

    def pause_writing(self) -> None:
        """The network takes no more for now, so nothing more is read either."""
        self._writable = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Everything written went out."""
        self._writable = True
        if not self._deaf and not self._transport.is_closing():
            self._transport.resume_reading()
        if self._flushed is not None and not self._flushed.done():
            self._flushed.set_result(None)

    def drop(self) -> None:
        """Break the connection off."""
        self._break_off()

    # ---- the parser's side

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._headers, self._secrets = b"", [], {}
        self._body, self._body_bytes = [], 0
        self._request = None
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        name = name.lower()
        if name in SECRET_HEADERS:
            self._secrets[name] = value
            value = HIDDEN
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._deaf:
            return
        method, target = self._parser.get_method().decode("latin-1"), self._url.decode("latin-1")
        request = Request(method, target, self._headers, self._secrets, self._host.clock.monotonic())
        request.version = self._parser.get_http_version()
        request.form = form_of(request.fields.get(b"content-type", b""))
        self._request = request
        if self._performance is None:
            if performance := self._host.early(request, (self._number, self._served)):
                self._early(performance)
            elif b"expect" in request.fields:
                self._transport.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        if self._deaf or self._request is None:
            return
        first = not self._body_bytes and self._performance is None
        if first and (performance := self._host.early(self._request, (self._number, self._served), part)):
            self._early(performance)
            return
        form = self._request.form
        if form is None:
            self._body.append(part)
        else:
            form.feed(part)
        self._body_bytes += len(part)
        if self._body_bytes > (BODY_BYTES_MOST if form is None else FORM_BYTES_MOST):
            self._refuse(413)

    def on_message_complete(self) -> None:
        """The request is whole."""
        request = self._request
        if self._deaf or request is None:
            return
        request.keep_alive = self._parser.should_keep_alive()
        request.body_bytes = self._body_bytes
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if self._performance is None:
            self._start(request)
        elif len(self._waiting) < WAITING_MOST:
            self._waiting.append(request)
        else:
            self._break_off()

    # ---- playing

    def _early(self, performance: Performance) -> None:
        self._deaf = True
        self._open(performance)

    def _start(self, request: Request) -> None:
        self._playing = request
        self._open(self._host.begin(request, (self._number, self._served)))

    def _open(self, performance: Performance) -> None:
        self._served += 1
        self._performance = performance
        if performance.steps is None:
            self._sent_bytes = len(performance.content)
            self._transport.write(performance.content)
            self._over()
        else:
            self._sent_bytes = 0
            self._task = self._loop.create_task(self._play(performance))

    async def _play(self, performance: Performance) -> None:
        try:
            for step in performance.steps or ():
                if isinstance(step, Close | Reset | Hang):
                    await self._end(step)
                    return
                await self._perform(step)
        except BaseException:
            # a bug in a step, or the end of the loop: nothing half played may look like an answer
            self._break_off()
            raise
        self._task = None
        self._over()

    async def _end(self, step: Close | Reset | Hang) -> None:
        await self._all_out()
        if isinstance(step, Hang):
            await self._host.clock.sleep(HANG_SECONDS_MOST)
        if isinstance(step, Close):
            self._finish(CLOSED)
            self._transport.close()
        else:
            self._finish(RESET)
            self._break_off()

    async def _perform(self, step: Send | Wait | Flood | Await | Deafen) -> None:
        match step:
            case Send(content):
                self._write(content)
                await self._all_out()
            case Wait(seconds):
                await self._host.clock.sleep(seconds)
            case Flood(piece, pieces):
                await self._flood(piece, pieces)
            case Await(action):
                await action()
            case Deafen():
                self._deafen()

    async def _flood(self, piece: bytes, pieces: int | None) -> None:
        for _ in range(FLOOD_BYTES_MOST // len(piece) if pieces is None else pieces):
            self._write(piece)
            await self._all_out()
            await asyncio.sleep(0)

    def _deafen(self) -> None:
        self._deaf = True
        if (sock := self._transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _DEAF_BUFFER_BYTES)
        self._transport.pause_reading()

    def _write(self, content: bytes) -> None:
        self._sent_bytes += len(content)
        attempt = self._performance.attempt if self._performance is not None else None
        if attempt is not None and attempt.status is None:
            attempt.status = _status(content)
        self._transport.write(content)

    async def _all_out(self) -> None:
        while not self._writable:
            self._flushed = self._loop.create_future()
            await self._flushed

    def _over(self) -> None:
        """A performance was played to its end: close if the client asked so, else take the next request."""
        self._finish(COMPLETED)
        if self._deaf or (self._playing is not None and not self._playing.keep_alive):
            self._transport.close()
        elif self._waiting:
            self._start(self._waiting.popleft())

    def _finish(self, how: str) -> None:
        performance, self._performance = self._performance, None
        if performance is not None:
            self._host.ended(performance, how, self._sent_bytes)

    def _refuse(self, status: int) -> None:
        """Answer to what is no request, and close."""
        if not self._deaf:
            self._deaf = True
            self._host.malformed()
            self._transport.write(head(status, (("connection", "close"), ("content-length", "0"))))
            self._transport.close()

    def _break_off(self) -> None:
        """Close with RST."""
        if self._gone:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _status(content: bytes) -> int | None:
    """The status that an answer's first bytes tell; None for interim answers and other bytes."""
    if not content.startswith(b"HTTP/1.") or not content[9:12].isdigit():
        return None
    status = int(content[9:12])
    return status if status >= 200 or status == 101 else None
