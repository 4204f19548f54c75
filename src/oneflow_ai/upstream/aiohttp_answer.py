"""One provider answer over aiohttp: read in pieces against a moving deadline, unpacked within bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import http_exceptions
from aiohttp.client_proto import ResponseHandler

from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_CLOSED, UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import Pouring
from oneflow_ai.upstream.unpack import PIECE_BYTES_MOST, unpacker_for

LINGER_SECONDS = 0.1
FRAMING_BYTES_MOST = 64 << 10
_EXPIRY_SLACK_SECONDS = 0.002
# Half a line end, which some parsers take for a whole one: RFC 9112 section 2.2, 2026-11-25.
_HALF_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_HEAD_END = re.compile(rb"\n\r?\n")
_INTERIM_HEADS = re.compile(rb"(?:HTTP/1\.1 1(?!01).*?\r\n\r\n)*", re.DOTALL)


class HeldResponse(aiohttp.ClientResponse):
    """A response that keeps its connection after its end, until it is released or closed.

    aiohttp gives it back as the last byte arrives: whoever then finds that the answer was not what it should be comes
    too late (3.14.5, `ClientResponse._response_eof`, 2026-11-28).
    """

    def _response_eof(self) -> None:
        """The last byte is there."""


class AiohttpAnswer(Pouring):
    """Implements the `HttpAnswer` port over one aiohttp response."""

    __slots__ = (
        "_done", "_host", "_loop", "_response", "_timer", "_unpacker", "_until_seconds", "_waits", "headers",
        "sent_seconds", "status",
    )  # fmt: skip

    def __init__(self, response: aiohttp.ClientResponse, host: str) -> None:
        self._response = response
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._until_seconds = 0.0
        self._waits = False
        self._done = False
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.sent_seconds: float | None = None
        try:
            self._unpacker = unpacker_for(response.headers.get("content-encoding"), host)
        except Failure:
            response.close()
            raise

    async def read(self, until_seconds: float) -> bytes:
        """Give the next bytes, at most what has arrived; empty at the end. Raises `Failure`."""
        unpacker = self._unpacker
        if unpacker is None:
            return await self._read(until_seconds)
        while True:
            packed = unpacker.waiting or await self._read(until_seconds)
            piece = unpacker.unpack(packed)
            if piece:
                return piece
            if not packed or unpacker.ended:
                return b""

    def release(self) -> None:
        """Keep the connection if the rest of the answer comes in a moment."""
        self._stop_timer()
        if self._done:
            return
        self._done = True
        if self._response.content.is_eof():
            self._response.release()
        else:
            _Linger(self._response, self._loop)

    def close(self) -> None:
        """Close the connection unless the answer was read to its end or released."""
        self._stop_timer()
        if not self._done:
            self._done = True
            if self._response.content.is_eof():
                self._response.release()
            else:
                self._response.close()

    def discard(self) -> None:
        """Close the connection, whatever came."""
        self._stop_timer()
        if not self._done:
            self._done = True
            self._response.close()

    async def _read(self, until_seconds: float) -> bytes:
        content = self._response.content
        try:
            ready = content.read_nowait(PIECE_BYTES_MOST)
            if ready or content.at_eof():
                return ready
            self._arm(until_seconds)
            self._waits = True
            return await content.readany()
        except TimeoutError:
            raise Failure(UPSTREAM_TIMEOUT, f"{self._host} sent nothing more in time") from None
        except aiohttp.ClientPayloadError as error:
            raise self._cut(error) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failure(UPSTREAM_CLOSED, f"the connection to {self._host} broke within its answer") from error
        except http_exceptions.HttpProcessingError:
            raise Failure(UPSTREAM_BAD_RESPONSE, f"{self._host} sent an answer that is not HTTP") from None
        finally:
            self._waits = False

    def _cut(self, error: aiohttp.ClientPayloadError) -> Failure:
        # aiohttp calls both a chunk that is none and a chunk that the end cut a transfer-encoding error.
        if isinstance(error.__cause__, http_exceptions.TransferEncodingError) and "Not enough data" not in str(error):
            return Failure(UPSTREAM_BAD_RESPONSE, f"{self._host} sent an answer that is not HTTP")
        return Failure(UPSTREAM_CLOSED, f"{self._host} closed the connection within its answer")

    def _arm(self, until_seconds: float) -> None:
        """Make sure the timer fires by then; one timer serves many reads, moved only when it would be late."""
        self._until_seconds = until_seconds
        timer = self._timer
        if timer is None or timer.when() > until_seconds + _EXPIRY_SLACK_SECONDS:
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(until_seconds, self._ring)

    def _ring(self) -> None:
        if self._loop.time() + _EXPIRY_SLACK_SECONDS < self._until_seconds:
            self._timer = self._loop.call_at(self._until_seconds, self._ring)
            return
        self._timer = None
        if not self._waits:
            # It is the client that takes its time; the provider is given its own at the next read.
            return
        self._response.content.set_exception(TimeoutError())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Linger:
    """Waits a moment for the end of an answer whose last event was seen; then lets go of the connection either way."""

    def __init__(self, response: aiohttp.ClientResponse, loop: asyncio.AbstractEventLoop) -> None:
        self._response = response
        self._timer = loop.call_later(LINGER_SECONDS, response.close)
        response.content.on_eof(self._ended)

    def _ended(self) -> None:
        self._timer.cancel()
        self._response.release()


class PunctualHandler(ResponseHandler):
    """A connection whose answer's head may take at most `head_seconds` from its first byte (F10)."""

    def __init__(self, head_seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_due = False
        self._head = bytearray()
        self._body_bytes = 0
        self._idle_bytes = 0

    def set_response_params(self, **params: Any) -> None:
        """A new answer is expected on this connection."""
        self._head_due = True
        self._head.clear()
        self._body_bytes = self._idle_bytes = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; its head is complete once a message waits or a body has begun."""
        if self._head_due and self._half_line_end(data):
            self.set_exception(http_exceptions.BadHttpMessage("half a line end in a head"))
            self.close()
            return
        super().data_received(data)
        if not self._head_due:
            self._check_framing(len(data))
            return
        if self._buffer or self._payload is not None or self._exception is not None:
            self._head_due = False
            self._head.clear()
            self._stop()
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._head_seconds, self._late)

    def _half_line_end(self, data: bytes) -> bool:
        """Whether a head, once it is whole, has half a line end inside, which aiohttp takes for a whole one (F36)."""
        self._head += data
        if not _HEAD_END.search(self._head, max(0, len(self._head) - len(data) - 2)):
            return False
        interim = _INTERIM_HEADS.match(self._head)
        start = interim.end() if interim is not None else 0
        end = _HEAD_END.search(self._head, start)
        return end is not None and _HALF_LINE_END.search(self._head, start, end.end()) is not None

    def _check_framing(self, size_bytes: int) -> None:
        """Refuse chunk extensions and trailers without end: bytes that bring no body."""
        payload = self._payload
        if payload is None:
            return
        if self._exception is not None and not payload.is_eof():
            # What is no chunk ends the connection; whoever reads the body is not told of it.
            payload.set_exception(http_exceptions.TransferEncodingError("no chunk"))
            return
        if payload.total_bytes != self._body_bytes:
            self._body_bytes, self._idle_bytes = payload.total_bytes, 0
            return
        self._idle_bytes += size_bytes
        if self._idle_bytes > FRAMING_BYTES_MOST:
            payload.set_exception(http_exceptions.TransferEncodingError("too much framing"))
            self.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        self._stop()
        super().connection_lost(exc)

    def _late(self) -> None:
        self._head_timer = None
        self.set_exception(TimeoutError("the answer's head took too long"))
        self.force_close()

    def _stop(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
