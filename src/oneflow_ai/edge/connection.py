"""One client's connection: what is due in what time, and whose turn it is."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Any

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.head import NO_HEAD, RequestHead
from oneflow_ai.edge.outflow import Outflow, is_broken
from oneflow_ai.edge.reader import SLICE_BYTES, Reader
from oneflow_ai.edge.scope import address_of
from oneflow_ai.edge.served import ConnectionLimits, Served, State
from oneflow_ai.edge.turn import BODY_WAITING_BYTES_MOST, Turn

BODY_BYTES_PER_SECOND_LEAST = 256 << 10
TURNS_WAITING_MOST = 16
LINGER_SECONDS = 2.0
KNOCKS = 3
KNOCK_SECONDS = 0.05


class Connection(asyncio.Protocol):
    """Takes requests in turn."""

    def __init__(self, served: Served, limits: ConnectionLimits, state: State, loop: asyncio.AbstractEventLoop) -> None:
        self._served = served
        self._limits = limits
        self._state = state
        self._loop = loop
        self._reader = Reader(self)
        self._transport: Any = None
        self.client: tuple[str, int] | None = None
        self.server: tuple[str, int] | None = None
        self._turns: deque[Turn] = deque()
        self._task: asyncio.Task[None] | None = None
        self._unread = b""
        self._deaf = self._half_closed = self._reading_paused = False
        self._since_seconds = self._heard_seconds = 0.0
        self._idle = self._has_asked = self.ending = False
        self.slow = False

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected: its request's head is due."""
        self._transport = transport
        self._outflow = Outflow(transport, self._loop, self._limits.write_seconds)
        self._state.connections.add(self)
        self.client = address_of(transport.get_extra_info("peername"))
        self.server = address_of(transport.get_extra_info("sockname"))
        self._since_seconds = self._heard_seconds = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the call that serves it is told at once."""
        self._deaf = True
        self._state.connections.discard(self)
        self._outflow.resume()
        if self._task is not None and self._turns and self._turns[0].cancels:
            self._task.cancel()
        for turn in self._turns:
            turn.leave()
        self._turns.clear()
        # What is left in a cycle would wait for the garbage collector, which looks at what lived long once in hours.
        self._unread = b""
        self._reader.close()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._deaf:
            return
        self._heard_seconds = self._loop.time()
        if not self._turns and not self._unread and (again := self._reader.again(data)) is not None:
            self._take_again(*again)
            return
        if self._idle:
            self._idle, self._since_seconds = False, self._heard_seconds
        self._read(data)
        self._advance()

    def eof_received(self) -> bool:
        """The client sends no more: it is gone, or has only closed its half and waits for its answer."""
        self._half_closed = True
        if self.ending or not self._turns or not self._turns[-1].whole:
            return False
        self._knock(KNOCKS)
        return True

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.slow = True
        self._outflow.pause(self._turns[0].until_seconds if self._turns else math.inf)

    def resume_writing(self) -> None:
        """The client reads again: those who wait for that go on, and what was refused meanwhile is told."""
        self.slow = False
        self._outflow.resume()
        if self.ending:
            return
        self._advance()
        if self._unread and not self._deaf:
            self._read(b"")
            self._advance()
        self._listen()

    # ---- what uvicorn, and the server around it, ask of a connection

    @property
    def unused(self) -> tuple[bool, float] | None:
        """Whether it has ever asked anything, and since when it says nothing (loop's time).

        None while a request is under way whose head is complete, and where it ends.
        """
        if self._turns or self.ending:
            return None
        return self._has_asked, max(self._since_seconds, self._heard_seconds)

    def shutdown(self) -> None:
        """The server stops: close when the answer under way is complete, now if there is none."""
        if not self._turns:
            self._close()
            return
        last = self._turns[-1]
        last.keep = False
        # What is still arriving is a request that we took: its rest is read.
        self._deaf = last.whole

    def cut(self) -> None:
        """The calls are cut: none is begun after the one under way."""
        while len(self._turns) > 1:
            self._turns.pop().leave()
        self.shutdown()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

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
        await self._outflow.drained()

    def read_on(self) -> None:
        """What was read of the body has been taken."""
        self._listen()

    def answered(self, turn: Turn) -> None:
        """The answer is complete: the connection closes, or the next request has its turn."""
        last = self._half_closed and len(self._turns) == 1 and not self._unread
        if last or not turn.keep:
            self._turns.popleft()
            self._close_gently(turn)
        elif turn.whole:
            self._next(turn)

    def _next(self, turn: Turn) -> None:
        """Both the request and its answer are complete."""
        assert self._turns[0] is turn
        self._turns.popleft()
        self._since_seconds = self._loop.time()
        self._idle = self._reader.due == "nothing"
        if self._unread:
            self._read(b"")
        if self._reading_paused:
            self._listen()

    def _close_gently(self, turn: Turn) -> None:
        """Close; while a client still sends, only our half at first, or its system would throw our answer away."""
        self._deaf = True
        self._unread = b""
        # Requests behind the last that is answered are never begun.
        for other in self._turns:
            other.leave()
        self._turns.clear()
        if turn.failure is None and (turn.whole or self._half_closed or not self._transport.can_write_eof()):
            self._close()
            return
        self._end()
        self._transport.write_eof()
        self._listen()

    def _close(self) -> None:
        """Close once the client has read what was written, for which it has the write limit."""
        self._deaf = True
        self._end()
        self._transport.close()

    def _end(self) -> None:
        self.ending, self._since_seconds = True, self._loop.time()
        self._outflow.end()

    # ---- time

    def sweep(self, now_seconds: float) -> None:
        """Close the connection if something of it is overdue."""
        limits, since_seconds = self._limits, now_seconds - self._since_seconds
        if self.ending:
            unread = self._transport.get_write_buffer_size()
            if self._outflow.moves():
                self._outflow.mark()
                self._since_seconds = now_seconds
            elif since_seconds > (max(limits.write_seconds, LINGER_SECONDS) if unread else LINGER_SECONDS):
                self._transport.abort()
        elif not self._turns:
            if since_seconds > (limits.keep_alive_seconds if self._idle else limits.head_seconds):
                self._close()
        elif self._reading_paused and is_broken(self._transport):
            # Nobody reads, so nobody is told.
            self._transport.abort()
        elif self._reader.due == "body" and self._body_overdue(now_seconds):
            self._refuse_rest(Failure(kinds.REQUEST_TIMEOUT, "the request did not arrive in time"))
            self._advance()

    def _body_overdue(self, now_seconds: float) -> bool:
        if now_seconds - self._heard_seconds > self._limits.body_idle_seconds:
            # A body that we ourselves stopped reading is not late.
            return not self._reading_paused
        allowed = self._limits.body_seconds_least + self._turns[-1].head.length_bytes / BODY_BYTES_PER_SECOND_LEAST
        return now_seconds - self._since_seconds > allowed

    def _knock(self, times: int) -> None:
        if self._turns and not self._transport.is_closing():
            self._turns[0].knock()
            if times > 1:
                self._loop.call_later(KNOCK_SECONDS, self._knock, times - 1)

    # ---- reading

    def _read(self, data: bytes) -> None:
        """Read on as long as few enough requests wait for their turn; then listen no more for now.

        A client that does not read its answers has no more of its requests read.
        """
        reader = self._reader
        if not self._unread and len(data) <= SLICE_BYTES and not self._full():
            self._feed(data)
            return
        self._unread += data
        while self._unread and not self._deaf:
            if self._full():
                self._stop_listening()
                return
            size = reader.size_bytes(len(self._unread))
            piece, self._unread = self._unread[:size], self._unread[size:]
            self._feed(piece)

    def _full(self) -> bool:
        return len(self._turns) > TURNS_WAITING_MOST or (self.slow and len(self._turns) > 0)

    def _feed(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except Failure as failure:
            self._refuse_rest(failure)

    def take_head(self, head: RequestHead) -> None:
        """A head is complete; its body is due."""
        self._has_asked = True
        self._open(head, head.failure or self._served.busy(head.path))

    def _open(self, head: RequestHead, failure: Failure | None) -> None:
        turn = Turn(self, head)
        turn.failure = failure
        self._turns.append(turn)
        self._since_seconds, self._idle = self._heard_seconds, False

    def _take_again(self, head: RequestHead, body: bytes) -> None:
        """A request with the head of the one before, and its body, or some of it."""
        failure, whole = self._served.busy(head.path), self._reader.due == "nothing"
        if failure is not None and whole and not self.slow:
            answer = self._served.ready_refusal(failure, head, self._state.default_headers)
            if answer is not None:
                self._since_seconds, self._idle = self._heard_seconds, True
                self._transport.write(answer)
                return
        self._open(head, failure)
        if whole:
            self._turns[0].take_whole(body)
        elif body:
            self._turns[0].take(body)
        if self._holds_enough():
            self._stop_listening()
        self._advance()

    def take_body(self, piece: bytes) -> None:
        """A piece of the body arrived."""
        if self._turns:
            turn = self._turns[-1]
            turn.take(piece)
            if self._holds_enough():
                self._stop_listening()

    def take_end(self) -> None:
        """A request is complete; nothing is due but our answer."""
        if self._turns:
            turn = self._turns[-1]
            turn.take_end()
            if turn.complete:
                # It was answered before. This runs inside the reader: whoever feeds it goes on with what is unread.
                self._turns.popleft()
                self._since_seconds, self._idle = self._loop.time(), True
                if not turn.keep:
                    self._close()

    def _stop_listening(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _listen(self) -> None:
        if self._reading_paused and not self._unread and not self._holds_enough():
            self._reading_paused = False
            self._transport.resume_reading()

    def _holds_enough(self) -> bool:
        """Whether what was read of the last body waits for somebody to take it."""
        return bool(self._turns) and self._turns[-1].waiting_bytes > BODY_WAITING_BYTES_MOST

    # ---- turns

    def _advance(self) -> None:
        """Let the first request that waits have its turn."""
        if self._task is not None:
            return
        while self._turns and not (turn := self._turns[0]).complete:
            if turn.failure is None:
                self._begin(turn)
                return
            if self.slow:
                # What is refused waits too, or its answers would pile up.
                return
            turn.say(*self._served.refusal(turn.failure, turn.headers, turn.head.path))

    def _begin(self, turn: Turn) -> None:
        self._task = task = self._loop.create_task(self._serve(turn))
        self._state.tasks.add(task)
        self._served.at_hand += 1

    async def _serve(self, turn: Turn) -> None:
        try:
            await self._served.answer(turn)
        except asyncio.CancelledError:
            # The client is gone, or the server's drain is over.
            turn.leave()
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: a bug of ours ends one request
            self._served.failed(error)
        self._served.at_hand -= 1
        task, self._task = self._task, None
        self._state.tasks.discard(task)
        try:
            self._after(turn)
        except Exception as error:  # noqa: BLE001 - a fault in our own words must not leave the client waiting
            self._served.failed(error)
            self._close()

    def _after(self, turn: Turn) -> None:
        """The application has done with a turn: the next begins, or what is missing is said."""
        if turn.complete:
            self._advance()
        elif turn.begun or turn.gone:
            self._close()
        else:
            turn.keep = False
            failure = Failure(kinds.INTERNAL_ERROR, "the gateway failed; its log says how")
            turn.say(*self._served.refusal(failure, turn.headers, turn.head.path))

    def _refuse_rest(self, failure: Failure) -> None:
        """What comes from here on is no request that can be served: say so when its turn comes, and close."""
        self._deaf = True
        self._unread = b""
        if self._turns and self._turns[-1].whole and not self._turns[-1].keep:
            # The request before was to be the last.
            return
        if not self._turns or self._turns[-1].whole:
            self._turns.append(Turn(self, NO_HEAD))
        turn = self._turns[-1]
        turn.failure, turn.keep, turn.whole = failure, False, True
        if turn.complete or turn.begun:
            self._close()
        elif self._task is not None and turn is self._turns[0]:
            turn.say(*self._served.refusal(failure, turn.headers, turn.head.path))
