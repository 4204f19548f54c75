"""One HTTP/1.1 connection to a provider: llhttp decides what is HTTP, we decide how much of it we take."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol, cast

import httptools

from oneflow_ai.core.failure import (
    STORAGE_UNAVAILABLE,
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_CLOSED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    Failure,
)
from oneflow_ai.upstream.address import Address
from oneflow_ai.upstream.alarm import Alarm
from oneflow_ai.upstream.answer import Answer
from oneflow_ai.upstream.way import UNREADABLE, Way

HEAD_BYTES_MOST = 64 << 10
HEADERS_MOST = 200
INTERIM_ANSWERS_MOST = 16
FRAMING_BYTES_MOST = 64 << 10
_SWITCHING_PROTOCOLS = 101


class Origin(Protocol):
    """Where a connection leads, and where it is kept."""

    address: Address
    kept: deque[Connection]


class Owner(Protocol):
    """The pool of a connection, as far as the connection needs it."""

    way: Way
    alarm: Alarm

    def over(self, connection: Connection, usable: bool) -> None:
        """The request that it carried is over."""


class Connection(asyncio.Protocol):
    """Carries one request at a time. `reused` says that it has carried one before, to its end.

    `untouched` is True while nothing of the present answer has come: only then a kept connection may just have been
    closed by the other side as we wrote (F8).
    """

    def __init__(self, owner: Owner, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._host = origin.address.host
        self.origin = origin
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._answer: Answer | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._idle_bytes = self._interim = 0
        self._sized = self._keep = self._progress = False
        self._stall: asyncio.TimerHandle | None = None
        self._write_seconds = 0.0
        self._left_bytes = 0
        self._unsent: Iterator[bytes] | None = None
        self._carries = self._crowded = False
        self.reused = False
        self.untouched = True
        self.idle_since_seconds = 0.0

    # ---- used by the pool

    @property
    def open(self) -> bool:
        """Whether the other side has it open still, as far as is known."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, head: bytes, body: bytes, write_seconds: float) -> Answer:
        """Write a request; the answer is fed as it comes. Raises `Failure` when the connection is gone already."""
        if self._transport is None or self._transport.is_closing():
            raise Failure(UPSTREAM_UNREACHABLE, f"{self._host} closed the connection at once")
        if not self.reused:
            self._parser = httptools.HttpResponseParser(self)
        self._headers.clear()
        self._carries = True
        self._idle_bytes = self._interim = 0
        self._sized = self._keep = False
        self._write_seconds = write_seconds
        self.untouched = True
        answer = self._answer = Answer(self, self._loop, self._host)
        self._transport.writelines((head, body))
        return answer

    def send_on(self, pieces: Iterator[bytes]) -> None:
        """Write what follows of the request, as fast as the other side reads it."""
        self._unsent = pieces
        self._pump()

    def close(self) -> None:
        """Close at once."""
        self._unsent = None
        self._stop_stall()
        if self._transport is not None:
            self._transport.abort()

    # ---- used by the answer

    def pause(self) -> None:
        """Read no more for now."""
        if self.open and self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.open and self._transport is not None:
            self._transport.resume_reading()

    def give_back(self) -> None:
        """The answer was read to its end: the connection may carry another."""
        self._over(usable=self._keep and self.open and self._stall is None and self._unsent is None)

    def break_off(self) -> None:
        """The answer is left in the middle."""
        self._over(usable=False)

    def by(self, until_seconds: float) -> None:
        """See that `ring` is called by then."""
        self._owner.alarm.by(until_seconds)

    def ring(self, now_seconds: float) -> float:
        """Give up what is overdue; gives when something will be."""
        return self._answer.ring(now_seconds) if self._answer is not None else math.inf

    def _over(self, *, usable: bool) -> None:
        carried, self._carries = self._carries, False
        self._answer = None
        if not usable:
            self.close()
        if carried:
            self._owner.over(self, usable)

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        # uvloop's transports are not asyncio's by class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer, or ones that nobody asked for: then the connection is closed."""
        answer = self._answer
        if answer is None or answer.ended:
            self.close()
            return
        first, self.untouched = self.untouched, False
        self._progress = False
        self._idle_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken("switched to another protocol")
        except httptools.HttpParserError:
            self._broken("sent what is not HTTP")
        else:
            self._bound(answer)
            if first and not answer.begun and not self._interim:
                answer.hurry(self._loop.time() + self._owner.way.head_seconds)
        answer.pass_on()

    def eof_received(self) -> None:
        """The other side sends no more."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone. An answer without a length ends so; any other is cut."""
        self._stop_stall()
        self._transport = self._unsent = None
        answer = self._answer
        if answer is None or answer.ended:
            return
        if answer.begun and not self._sized and exc is None:
            answer.end()
        else:
            where = "within its answer" if answer.begun else "without an answer"
            answer.fail(Failure(UPSTREAM_CLOSED, f"{self._host} closed the connection {where}"))

    def pause_writing(self) -> None:
        """The other side does not read as fast as we write: it must take something within the write limit."""
        assert self._transport is not None
        self._crowded = True
        self._left_bytes = self._transport.get_write_buffer_size()
        self._stall = self._loop.call_later(self._write_seconds, self._stalled)

    def resume_writing(self) -> None:
        """The other side reads again."""
        self._crowded = False
        self._stop_stall()
        if self._unsent is not None:
            self._pump()

    def _pump(self) -> None:
        """Write until as much waits to be read as may."""
        while self._unsent is not None and not self._crowded and self._transport is not None:
            try:
                piece = next(self._unsent, None)
            except OSError:
                self._unsent = None
                if self._answer is not None:
                    self._answer.fail(Failure(STORAGE_UNAVAILABLE, UNREADABLE))
                return
            if piece is None:
                self._unsent = None
            else:
                self._transport.write(piece)

    def _stalled(self) -> None:
        self._stall = None
        left = self._transport.get_write_buffer_size() if self._transport is not None else 0
        if 0 < left < self._left_bytes:
            self.pause_writing()
        elif left and self._answer is not None:
            self._answer.fail(Failure(UPSTREAM_TIMEOUT, f"{self._host} does not read the request"))

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # ---- llhttp

    def on_message_begin(self) -> None:
        """An answer begins; after the one that was asked for, none may."""
        if self._answer is None or self._answer.ended:
            raise ValueError("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of a head, or of the trailers. How many they are is looked at when all that was read is there."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is complete: an interim one, or the answer's."""
        answer = self._answer
        if answer is None or answer.begun:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != _SWITCHING_PROTOCOLS:
            self._interim += 1
            if self._interim > INTERIM_ANSWERS_MOST:
                raise ValueError("too many interim answers")
            self._check_headers()
            return
        self._check_headers()
        headers = {str(name, "latin-1").lower(): str(value, "latin-1") for name, value in self._headers}
        self._sized = "content-length" in headers or "transfer-encoding" in headers
        self._progress = True
        answer.take_head(status, headers)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._progress = True
        if self._answer is not None:
            self._answer.take(body)

    def on_message_complete(self) -> None:
        """An answer is complete; an interim one is forgotten."""
        answer = self._answer
        if answer is None:
            return
        if not answer.begun:
            self._headers.clear()
            return
        self._check_headers()
        self._keep = self._sized_or_empty(answer.status) and self._parser.should_keep_alive()
        answer.end()

    def _sized_or_empty(self, status: int) -> bool:
        return self._sized or status in (204, 304)

    def _check_headers(self) -> None:
        """Refuse too many headers and trailers, and each of both too large. Where little was read, they cannot be."""
        found = self._headers
        if len(found) > HEADERS_MOST:
            raise ValueError("too many headers")
        if self._idle_bytes > HEAD_BYTES_MOST:
            size_bytes = sum(len(name) + len(value) for name, value in found)
            if size_bytes > HEAD_BYTES_MOST:
                raise ValueError("too large headers")

    def _bound(self, answer: Answer) -> None:
        """Refuse a head without end, and chunk extensions or trailers without end."""
        if not answer.begun:
            if self._idle_bytes > HEAD_BYTES_MOST or len(self._headers) > HEADERS_MOST:
                self._broken("sent a head that is too large")
        elif len(self._headers) > HEADERS_MOST:
            self._broken("sent too many trailers")
        elif self._progress:
            self._idle_bytes = 0
        elif not answer.ended and self._idle_bytes > FRAMING_BYTES_MOST:
            self._broken("sent framing without end")

    def _broken(self, words: str) -> None:
        self._keep = False
        answer = self._answer
        if answer is None or answer.ended:
            self.close()
        else:
            answer.fail(Failure(UPSTREAM_BAD_RESPONSE, f"{self._host} {words}"))
