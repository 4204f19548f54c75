"""One request and its answer on a connection of our own: what an application reads from and answers to."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Protocol

from oneflow_ai.core.failure import Failure
from oneflow_ai.edge.asgi import Headers, Message, Scope
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.reply import relay
from oneflow_ai.edge.scope import scope_of

BODY_WAITING_BYTES_MOST = 256 << 10
BODY_SKIPPED_BYTES_MOST = 256 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_COMMENT = b"3\r\n:\n\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_WITHOUT_BODY = (204, 304)
_CLOSE = (b"connection", b"close")
_as_line = b": ".join
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Line(Protocol):
    """The connection of a turn, as far as the turn needs it: between which addresses it is.

    `slow`: the client reads more slowly than we write.
    """

    slow: bool
    client: tuple[str, int] | None
    server: tuple[str, int] | None

    def write(self, content: bytes) -> None:
        """Write."""

    async def drained(self) -> None:
        """Wait while the client reads more slowly than we write."""

    def read_on(self) -> None:
        """What was read of the body has been taken."""

    def answered(self, turn: Turn) -> None:
        """The answer is complete."""

    @property
    def date(self) -> Headers:
        """The headers that every answer has."""


class Turn:
    """One request as ASGI's `receive`, and its answer as ASGI's `send` or, more directly, as a `Reply`.

    `failure` is set where the request turned out to be none: no application answers such a turn. `whole` says that the
    body is complete, `gone` that nobody is there to be answered. `cancels` asks that the task be cancelled when the
    client leaves before the answer is complete; no write outlasts `until_seconds` (monotonic).
    """

    __slots__ = (
        "_chunked", "_delivered", "_events", "_line", "_pieces", "_waiter", "begun", "cancels", "complete", "expects",
        "failure", "gone", "head", "headers", "keep", "until_seconds", "waiting_bytes", "whole",
    )  # fmt: skip

    def __init__(self, line: Line, head: RequestHead) -> None:
        self._line = line
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._delivered = False
        self._chunked = self._events = False
        self.head = head
        self.headers = head.headers
        self.keep = head.keep
        self.expects = b"expect" in head.headers
        self.failure: Failure | None = head.failure
        self.until_seconds = float("inf")
        self.waiting_bytes = 0
        self.begun = self.cancels = self.complete = self.whole = self.gone = False

    # ---- the connection's side

    def take(self, piece: bytes) -> None:
        """A piece of the body arrived."""
        if not self.complete:
            self._pieces.append(piece)
            self.waiting_bytes += len(piece)
            self._wake()

    def take_whole(self, body: bytes) -> None:
        """The body is there, before anybody could wait for it."""
        self._pieces.append(body)
        self.waiting_bytes = len(body)
        self.whole = True

    def take_end(self) -> None:
        """The body is complete."""
        self.whole = True
        self._wake()

    def leave(self) -> None:
        """The client is gone."""
        if not self.complete:
            self.gone = True
            self._wake()

    def knock(self) -> None:
        """Write what a client that is still there ignores, and one that is gone has its system refuse."""
        if not self.begun:
            self._line.write(_CONTINUE)
        elif self._chunked and self._events:
            self._line.write(_COMMENT)

    # ---- the request

    def scope(self) -> Scope:
        """What an ASGI application is told of it."""
        return scope_of(self.head, self._line.client, self._line.server)

    def watched(self, until_seconds: float) -> None:
        """From now on the task that serves it ends with the client, and the answer's writes by then."""
        self.cancels, self.until_seconds = True, until_seconds

    def body(self) -> bytes | None:
        """The whole body where it is there already; None where it must be received."""
        if not self.whole or self._delivered or self.gone or self.complete:
            return None
        self._delivered = True
        return self._taken()

    async def receive(self) -> Message:
        """The next piece of the body; then, when it comes to that, word that the client is gone."""
        if self.expects and not self.begun:
            self.expects = False
            self._line.write(_CONTINUE)
        while not (self._pieces or self.gone or self.complete or (self.whole and not self._delivered)):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.gone or self.complete:
            return {"type": "http.disconnect"}
        self._delivered = self.whole
        return {"type": "http.request", "body": self._taken(), "more_body": not self.whole}

    def _taken(self) -> bytes:
        pieces = self._pieces
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        waited_bytes, self.waiting_bytes = self.waiting_bytes, 0
        if waited_bytes > BODY_WAITING_BYTES_MOST:
            self._line.read_on()
        return content

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- the answer, whole or in pieces

    @property
    def slow(self) -> bool:
        """Whether the client reads more slowly than we write."""
        return self._line.slow

    async def drained(self) -> None:
        """Wait while it does."""
        await self._line.drained()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""
        if self._line.slow:
            await self._line.drained()
        self.say(status, headers, body)

    def say(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer, however slowly the client reads."""
        if self.gone or self.complete:
            return
        lines = self._head(status, headers)
        lines.append(b"content-length: %d\r\n\r\n" % len(body))
        if self.head.method != b"HEAD":
            lines.append(body)
        self._line.write(b"".join(lines))
        self._finish()

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces: chunked, unless its headers give its length."""
        if self.gone or self.complete:
            return
        lines = self._head(status, headers)
        names = dict(headers)
        sized = self.head.method == b"HEAD" or status in _WITHOUT_BODY or b"content-length" in names
        self._chunked = not sized
        self._events = names.get(b"content-type", b"").startswith(b"text/event-stream")
        lines.append(b"\r\n" if sized else b"transfer-encoding: chunked\r\n\r\n")
        self._line.write(b"".join(lines))

    def write(self, piece: bytes) -> None:
        """Give a piece of it."""
        if piece and not self.gone and self.head.method != b"HEAD":
            self._line.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    async def cut(self, piece: bytes) -> None:
        """Give a last piece, and close without the mark of an end: the answer is not whole, and must not look so."""
        if self._line.slow:
            await self._line.drained()
        self.write(piece)
        self.keep = False
        if not self.gone and not self.complete:
            self._finish()

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""
        if self._line.slow:
            await self._line.drained()
        if self.gone or self.complete:
            return
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
            self._line.write(chunk + _LAST_CHUNK)
        elif piece and self.head.method != b"HEAD":
            self._line.write(piece)
        self._finish()

    async def send(self, message: Message) -> None:
        """The same as ASGI messages, from an application whose headers are not checked."""
        await relay(message, self)

    def _head(self, status: int, headers: Headers) -> list[bytes]:
        self.begun = True
        if not (self.whole or self._can_be_skipped()):
            self.keep = False
        lines = [*map(_as_line, self._line.date), *map(_as_line, headers)]
        if _CLOSE in headers:
            self.keep = False
        elif not self.keep:
            lines.append(_as_line(_CLOSE))
        lines.append(b"")
        return [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status, b"\r\n".join(lines)]

    def _can_be_skipped(self) -> bool:
        """Whether what is left of the body is little, sure to come and soon read over."""
        return 0 < self.head.length_bytes <= BODY_SKIPPED_BYTES_MOST and not self.expects

    def _finish(self) -> None:
        self.complete = True
        self._wake()
        self._line.answered(self)
