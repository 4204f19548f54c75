"""One provider answer as it arrives on a connection of our own: head, pieces, end, and what becomes of the line."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from oneflow_ai.core.failure import UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import Take
from oneflow_ai.upstream.unpack import Unpacker, unpacker_for

BUFFERED_BYTES_MOST = 256 << 10
LINGER_SECONDS = 0.1


class Line(Protocol):
    """The connection that an answer comes on, as far as the answer needs it."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read again."""

    def give_back(self) -> None:
        """The answer was read to its end."""

    def break_off(self) -> None:
        """The answer is left in the middle: the connection is of no more use."""

    def by(self, until_seconds: float) -> None:
        """See that the answer's `ring` is called by then."""


class Answer:
    """Implements the `HttpAnswer` port. The connection feeds it; one reader takes from it.

    Something must come by `until_seconds` (monotonic); infinity while nobody waits.
    """

    __slots__ = (
        "_buffered_bytes", "_failure", "_fault", "_left", "_line", "_loop", "_pieces", "_take", "_unpacker", "_waiter",
        "begun", "ended", "headers", "host", "sent_seconds", "status", "until_seconds",
    )  # fmt: skip

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop, host: str) -> None:
        self._line = line
        self._loop = loop
        self._pieces: list[bytes] = []
        self._buffered_bytes = 0
        self._failure: Failure | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Take | None = None
        self._fault: Exception | None = None
        self.until_seconds = math.inf
        self._unpacker: Unpacker | None = None
        self._left = False
        self.host = host
        self.status = 0
        self.headers: dict[str, str] = {}
        self.begun = False
        self.ended = False
        self.sent_seconds: float | None = None

    # ---- the reader's side

    async def head(self, until_seconds: float) -> None:
        """Wait for the head; raises `Failure`."""
        while not self.begun and self._failure is None:
            await self._wait(until_seconds)
        if self._failure is not None:
            raise self._failure
        encoding = self.headers.get("content-encoding")
        if encoding is not None:
            self._unpacker = unpacker_for(encoding, self.host)

    async def read(self, until_seconds: float) -> bytes:
        """Give what has arrived; empty at the end. Raises `Failure`."""
        if self._unpacker is None:
            return await self._read(until_seconds)
        unpacker = self._unpacker
        while True:
            packed = unpacker.waiting or await self._read(until_seconds)
            piece = unpacker.unpack(packed)
            if piece:
                return piece
            if not packed or unpacker.ended:
                return b""

    async def pour(self, take: Take, until_seconds: float) -> None:
        """Give `take` the bytes as they arrive until it says that it has enough; raises what `read` and `take` raise.

        What arrives while this waits is given at once, without a turn of the event loop for it.
        """
        further: float | None = until_seconds
        while further is not None:
            further = take(await self.read(further))
            if further is None or self._unpacker is not None:
                continue
            # What came, ended or broke meanwhile wakes nobody any more.
            if not (self._pieces or self.ended or self._failure):
                self._take = take
                try:
                    await self._wait(further)
                finally:
                    enough, self._take = self._take is None, None
                if self._fault is not None:
                    raise self._fault
                if enough:
                    return
                further = self.until_seconds

    def release(self) -> None:
        """Keep the connection if the rest of the answer comes in a moment."""
        if self._left:
            return
        if self.ended:
            self._leave()
            self._line.give_back()
        else:
            self._leave()
            self.until_seconds = self._loop.time() + LINGER_SECONDS
            self._line.by(self.until_seconds)

    def close(self) -> None:
        """Close the connection unless the answer was read to its end or released."""
        if self._left:
            return
        self._leave()
        if self.ended and self._failure is None:
            self._line.give_back()
        else:
            self._line.break_off()

    def discard(self) -> None:
        """Close the connection, whatever came: who breaks an answer off in order is about to close."""
        if not self._left:
            self._leave()
            self._line.break_off()

    async def _read(self, until_seconds: float) -> bytes:
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self.ended:
                return b""
            await self._wait(until_seconds)
        return self._taken()

    def _taken(self) -> bytes:
        pieces = self._pieces
        chunk = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._buffered_bytes > BUFFERED_BYTES_MOST:
            self._line.resume()
        self._buffered_bytes = 0
        return chunk

    def _wait(self, until_seconds: float) -> asyncio.Future[None]:
        """Done when something has come, or is overdue."""
        if until_seconds < self.until_seconds or self.begun:
            self.until_seconds = until_seconds
        self._line.by(until_seconds)
        self._waiter = waiter = self._loop.create_future()
        return waiter

    # ---- the connection's side

    def take_head(self, status: int, headers: dict[str, str]) -> None:
        """The head is there."""
        self.status, self.headers, self.begun = status, headers, True
        # What was set for the head must not ring for the body.
        self.until_seconds = math.inf
        self._wake()

    def take(self, piece: bytes) -> None:
        """A piece of the body arrived."""
        if self._left:
            return
        self._pieces.append(piece)
        before = self._buffered_bytes
        self._buffered_bytes += len(piece)
        if before <= BUFFERED_BYTES_MOST < self._buffered_bytes:
            self._line.pause()
        if self._take is None:
            self._wake()

    def pass_on(self) -> None:
        """All that was read at once has been taken: whoever has it poured is given it."""
        take = self._take
        if take is None or not self._pieces:
            return
        try:
            further = take(self._taken())
        except Exception as fault:  # noqa: BLE001 - it is raised where the answer is poured, not where bytes are read
            self._fault, further = fault, None
        if further is None:
            self._take = None
            self._wake()
            return
        if further < self.until_seconds:
            self._line.by(further)
        self.until_seconds = further

    def end(self) -> None:
        """The answer is complete."""
        self.ended = True
        if self._left:
            self._line.give_back()
        else:
            self._wake()

    def fail(self, failure: Failure) -> None:
        """The connection broke, or what came is no HTTP."""
        if self._failure is None and not self.ended:
            self._failure = failure
            self._wake()

    def hurry(self, until_seconds: float) -> None:
        """The head must be there by then, whatever the reader allowed."""
        if until_seconds < self.until_seconds:
            self.until_seconds = until_seconds
            self._line.by(until_seconds)

    def ring(self, now_seconds: float) -> float:
        """If its time is over, give up; gives when it will be."""
        if now_seconds < self.until_seconds:
            return self.until_seconds
        self.until_seconds = math.inf
        if self._left:
            self._line.break_off()
        elif self._waiter is not None:
            words = "sent nothing more in time" if self.begun else "did not answer in time"
            self.fail(Failure(UPSTREAM_TIMEOUT, f"{self.host} {words}"))
        return math.inf

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _leave(self) -> None:
        if self._buffered_bytes > BUFFERED_BYTES_MOST:
            # The connection must not be kept as one that is not read.
            self._line.resume()
        self._left = True
        self.until_seconds = math.inf
