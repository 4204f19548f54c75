"""One client's connection: llhttp decides what is HTTP; we decide how much of it, in what time, and in what order."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.edge import head
from oneflow_ai.edge.asgi import Headers, Receive, Scope, Send
from oneflow_ai.edge.turn import BODY_WAITING_BYTES_MOST, Turn

KEEP_ALIVE_SECONDS = 75.0
BODY_SECONDS_LEAST = 60.0
BODY_BYTES_PER_SECOND_LEAST = 256 << 10
TURNS_WAITING_MOST = 16
# So much is parsed at a time while heads are read: what comes beyond the turns that may wait is left unparsed.
SLICE_BYTES = 4 << 10
LINGER_SECONDS = 2.0
KNOCKS = 3
KNOCK_SECONDS = 0.05
_SECONDS = {"idle": KEEP_ALIVE_SECONDS, "end": LINGER_SECONDS}
_VERSION = {"version": "3.0", "spec_version": "2.3"}


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Time limits of a client's connection, in seconds: for the head, between a body's bytes, for a stalled reader."""

    head_seconds: float = 10.0
    body_idle_seconds: float = 10.0
    write_seconds: float = 30.0


class Served(Protocol):
    """What connections bring requests to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

    def refusal(self, failure: Failure) -> tuple[int, Headers, bytes]:
        """The answer to what came and is no request: status, headers, body."""

    def failed(self, error: Exception) -> None:
        """Take note of a fault of our own."""


class State(Protocol):
    """What uvicorn keeps of its connections: those that are open, their tasks, the headers that every answer has."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    default_headers: Headers


class Connection(asyncio.Protocol):
    """Takes requests in turn. `scope["oneflow.turn"]` is the turn, so that the edge can answer without detours."""

    def __init__(self, served: Served, limits: ConnectionLimits, state: State, loop: asyncio.AbstractEventLoop) -> None:
        self._served = served
        self._limits = limits
        self._state = state
        self._loop = loop
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        self._turns: deque[Turn] = deque()
        self._task: asyncio.Task[None] | None = None
        self._unread = b""
        self._deaf = self._half_closed = self._reading_paused = False
        self._url = b""
        self._headers: Headers = []
        self._head_bytes = self._part_bytes = 0
        self._refusal: Failure | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._drain: asyncio.Future[None] | None = None
        self._since_seconds = self._heard_seconds = 0.0
        self._due = "head"

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected: its request's head is due."""
        self._transport = transport
        self._state.connections.add(self)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        self._since_seconds = self._heard_seconds = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the call that serves it is told at once."""
        self._deaf = True
        self._state.connections.discard(self)
        self.resume_writing()
        if self._task is not None and self._turns and self._turns[0].cancels:
            self._task.cancel()
        for turn in self._turns:
            turn.leave()
        self._turns.clear()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._deaf:
            return
        self._heard_seconds = self._loop.time()
        if self._due == "idle":
            self._due, self._since_seconds = "head", self._heard_seconds
        if self._unread or len(data) > SLICE_BYTES:
            self._unread += data
            self._parse_unread()
        else:
            self._parse(data)
        self._advance()

    def eof_received(self) -> bool:
        """The client sends no more: it is gone, or has only closed its half and waits for its answer."""
        self._half_closed = True
        if self._deaf or not self._turns or not self._turns[-1].whole:
            return False
        self._knock(KNOCKS)
        return True

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: it has the write limit, and the call's time, to read some."""
        until = self._loop.time() + self._limits.write_seconds
        if self._turns:
            until = min(until, self._turns[0].until_seconds)
        self._drain = self._loop.create_future()
        self._stall = self._loop.call_at(until, self._transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._drain is not None:
            drain, self._drain = self._drain, None
            if not drain.done():
                drain.set_result(None)

    # ---- what uvicorn asks of a connection

    def shutdown(self) -> None:
        """The server stops: close when the answer under way is complete, now if there is none."""
        if self._turns:
            self._turns[-1].keep = False
            self._deaf = True
        else:
            self._transport.close()

    # ---- what a turn asks

    @property
    def date(self) -> Headers:
        """The headers that every answer has."""
        return self._state.default_headers

    def write(self, content: bytes) -> None:
        """Write."""
        self._transport.write(content)

    async def drained(self) -> None:
        """Wait while the client reads more slowly than we write."""
        if self._drain is not None:
            await asyncio.shield(self._drain)

    def read_on(self) -> None:
        """What was read of the body has been taken."""
        self._listen()

    def answered(self, turn: Turn) -> None:
        """The answer is complete: the connection closes, or the next request has its turn."""
        self._turns.popleft()
        last = self._half_closed and not self._turns and not self._unread
        if last or not turn.keep or not turn.whole:
            self._close_gently(turn)
            return
        self._since_seconds = self._loop.time()
        if self._due == "nothing":
            self._due = "idle"
        if self._unread:
            self._parse_unread()
        if self._reading_paused:
            self._listen()

    def _close_gently(self, turn: Turn) -> None:
        """Close; while a client still sends, only our half at first, or its system would throw our answer away."""
        self._deaf = True
        if turn.whole or self._half_closed or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._due, self._since_seconds = "end", self._loop.time()
        self._transport.write_eof()
        self._listen()

    # ---- time

    def sweep(self, now_seconds: float) -> None:
        """Close the connection if something of it is overdue."""
        limits, due = self._limits, self._due
        since_seconds = now_seconds - self._since_seconds
        if due in _SECONDS or (due == "head" and not self._turns):
            if since_seconds > _SECONDS.get(due, limits.head_seconds):
                self._transport.abort() if due == "end" else self._transport.close()
        elif due == "body" and self._body_overdue(now_seconds):
            self._due = "nothing"
            self._refuse_rest(Failure(kinds.REQUEST_TIMEOUT, "the request did not arrive in time"))
            self._advance()

    def _body_overdue(self, now_seconds: float) -> bool:
        if now_seconds - self._heard_seconds > self._limits.body_idle_seconds:
            # A body that we ourselves stopped reading is not late.
            return not self._reading_paused
        size = self._turns[-1].headers.get(b"content-length", b"0")
        allowed = BODY_SECONDS_LEAST + int(size) / BODY_BYTES_PER_SECOND_LEAST
        return now_seconds - self._since_seconds > allowed

    def _knock(self, times: int) -> None:
        if self._turns and not self._transport.is_closing():
            self._turns[0].knock()
            if times > 1:
                self._loop.call_later(KNOCK_SECONDS, self._knock, times - 1)

    # ---- parsing

    def _parse_unread(self) -> None:
        """Parse what was read, as long as few enough requests wait for their turn; then read no more for now."""
        while self._unread and not self._deaf:
            if len(self._turns) > TURNS_WAITING_MOST:
                self._stop_listening()
                return
            size = len(self._unread) if self._due == "body" else SLICE_BYTES
            piece, self._unread = self._unread[:size], self._unread[size:]
            self._parse(piece)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Nothing is upgraded to; the request was answered as it is, and its connection ends with it.
            self._deaf = True
            if self._turns:
                self._turns[-1].keep = False
        except httptools.HttpParserError as error:
            self._refuse_rest(self._refusal or _meaning(error, data))
        else:
            if self._due == "head":
                self._part_bytes += len(data)
                if self._part_bytes > head.HEAD_BYTES_MOST:
                    self._refuse_rest(head.too_large())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = []
        self._head_bytes = self._part_bytes = 0
        self._due, self._since_seconds = "head", self._heard_seconds

    def on_url(self, piece: bytes) -> None:
        """A piece of its address."""
        self._url += piece
        if len(self._url) > head.URL_BYTES_MOST:
            self._refuse(head.too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; after the body, one trailer, which nobody reads."""
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)
        if len(self._headers) > head.HEADERS_MOST or self._head_bytes > head.HEAD_BYTES_MOST:
            self._refuse(head.too_large())

    def on_headers_complete(self) -> None:
        """The head is there; its body is due."""
        parser, headers = self._parser, self._headers
        method: bytes = parser.get_method()
        found = dict(headers)
        try:
            head.check(method, parser.get_http_version(), headers, found)
            path, query = head.path_and_query(self._url, found[b"host"])
        except Failure as failure:
            self._refuse(failure)
        scope = self._scope(method, path, query)
        turn = Turn(self, scope, found, method, keep=parser.should_keep_alive())
        turn.expects = b"expect" in found
        scope["oneflow.turn"] = turn
        self._turns.append(turn)
        self._due, self._since_seconds = "body", self._heard_seconds

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if self._turns:
            turn = self._turns[-1]
            turn.take(piece)
            if turn.waiting_bytes > BODY_WAITING_BYTES_MOST:
                self._stop_listening()

    def on_message_complete(self) -> None:
        """The request is there; nothing is due but our answer."""
        self._due = "nothing"
        if self._turns:
            self._turns[-1].take_end()

    def _scope(self, method: bytes, path: bytes, query: bytes) -> dict[str, Any]:
        text = path.decode("latin-1")
        return {
            "type": "http",
            "asgi": _VERSION,
            "http_version": "1.1",
            "method": method.decode("latin-1"),
            "scheme": "http",
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
        }

    # ---- turns

    def _advance(self) -> None:
        """Let the first request that waits have its turn."""
        if not self._turns or self._task is not None:
            return
        turn = self._turns[0]
        if turn.failure is not None:
            turn.say(*self._served.refusal(turn.failure))
            return
        self._task = task = self._loop.create_task(self._serve(turn))
        self._state.tasks.add(task)

    async def _serve(self, turn: Turn) -> None:
        try:
            await self._served(turn.scope, turn.receive, turn.send)
        except asyncio.CancelledError:
            # The client is gone, or the server's drain is over.
            turn.keep = False
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: a bug of ours ends one request
            self._served.failed(error)
        task, self._task = self._task, None
        self._state.tasks.discard(task)
        if turn.complete:
            self._advance()
        elif turn.begun or turn.gone or not turn.keep:
            self._transport.close()
        else:
            turn.keep = False
            turn.say(*self._served.refusal(Failure(kinds.INTERNAL_ERROR, "the gateway failed; its log says how")))

    def _refuse(self, failure: Failure) -> None:
        self._refusal = failure
        raise ValueError(failure.code)

    def _refuse_rest(self, failure: Failure) -> None:
        """What comes from here on is no request that can be served: say so when its turn comes, and close."""
        self._deaf = True
        self._unread = b""
        if not self._turns or self._turns[-1].whole:
            self._turns.append(Turn(self, {}, {}, b"", keep=False))
        turn = self._turns[-1]
        turn.failure, turn.keep = failure, False
        if self._task is None or turn is not self._turns[0]:
            return
        if turn.begun:
            self._transport.close()
        else:
            turn.say(*self._served.refusal(failure))

    # ---- reading

    def _stop_listening(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _listen(self) -> None:
        if self._reading_paused and not self._unread:
            self._reading_paused = False
            self._transport.resume_reading()


def _address(found: Any) -> tuple[str, int] | None:
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) and len(found) >= 2 else None


def _meaning(error: httptools.HttpParserError, data: bytes) -> Failure:
    if isinstance(error, httptools.HttpParserInvalidMethodError) and data[:1].isalpha():
        return Failure(kinds.METHOD_NOT_IMPLEMENTED, "there is no such method")
    if "version" in str(error) or "PRI" in str(error):
        return Failure(kinds.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1")
    return Failure(kinds.MALFORMED_REQUEST, "the request is not sound HTTP")
