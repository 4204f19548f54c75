"""Reads a connection's bytes as requests: llhttp decides what is HTTP, we decide how much of it there may be."""

from __future__ import annotations

import re
from typing import Any, Protocol

import httptools

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.edge import head
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.repeat import Repeat, repeat_of

# So much is parsed at a time while heads are read: what comes beyond the requests that may wait is left unparsed.
SLICE_BYTES = 4 << 10
# What a body may cost beside itself: sizes, extensions and trailers of its chunks.
FRAMING_BYTES_MOST = 16 << 10
FRAMING_BYTES_EACH = 16
# Heads that were kept for nothing, one after another, until no more are kept.
KEPT_IN_VAIN_MOST = 4
_REQUEST_LINE = re.compile(rb"[!-~]+ [!-~]+ HTTP/1\.1\r\n")


class Taker(Protocol):
    """Who is given the requests, piece by piece."""

    def take_head(self, head: head.RequestHead) -> None:
        """A head is complete."""

    def take_body(self, piece: bytes) -> None:
        """A piece of the body arrived."""

    def take_end(self) -> None:
        """The request is complete."""


class _Nobody:
    """Takes what nobody reads any more."""

    def take_head(self, head: head.RequestHead) -> None:
        """Nothing."""

    def take_body(self, piece: bytes) -> None:
        """Nothing."""

    def take_end(self) -> None:
        """Nothing."""


_NOBODY = _Nobody()


class Reader:
    """Gives the requests in the bytes that it is fed. `due` is what must come next: `head`, `body` or `nothing`."""

    __slots__ = (
        "_bare_bytes", "_body_bytes", "_failure", "_head", "_head_bytes", "_headers", "_in_vain", "_left_bytes",
        "_messages", "_parser", "_raw_bytes", "_repeat", "_taker", "_url", "due",
    )  # fmt: skip

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._parser: Any = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._head_bytes = self._raw_bytes = self._body_bytes = self._messages = 0
        self._left_bytes = self._bare_bytes = 0
        self._failure: Failure | None = None
        self._head: head.RequestHead | None = None
        self._repeat: Repeat | None = None
        self._in_vain = 0
        self.due = "nothing"

    def close(self) -> None:
        """Let go of who takes the requests, and of the parser, which holds this reader: it must not be fed again."""
        self._taker, self._parser, self._repeat = _NOBODY, None, None

    def again(self, data: bytes) -> tuple[head.RequestHead, bytes] | None:
        """The head of a request that differs from the last one's in its length alone, and the body that is there of it.

        None for any other, which is to be fed. llhttp has read all the rest of these very bytes already. Where the body
        is not whole, it is `due`: its rest is to be fed.
        """
        if self._repeat is None or self.due != "nothing":
            return None
        body = self._repeat.body(data)
        if body is None:
            return None
        self._in_vain = 0
        found = self._repeat.head
        if len(body) < found.length_bytes:
            self._bare_bytes = self._left_bytes = found.length_bytes - len(body)
            self.due = "body"
        return found, body

    def size_bytes(self, waiting_bytes: int) -> int:
        """How much of what waits is to be fed next."""
        return min(waiting_bytes, max(self._left_bytes, SLICE_BYTES) if self.due == "body" else SLICE_BYTES)

    def feed(self, data: bytes) -> None:
        """Read on; raises `Failure` for what is no request, and must not be fed again after that."""
        fresh = self.due == "nothing"
        if self._bare_bytes:
            data = self._feed_bare(data)
            if not data:
                return
        self._messages = 0
        self._raw_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise self._failure or self._meaning(error, data if fresh else b"") from None
        else:
            self._bound()
            if fresh and self.due != "head" and self._messages == 1 and self._in_vain < KEPT_IN_VAIN_MOST:
                self._keep(data)

    def _keep(self, data: bytes) -> None:
        """Remember a head that came in one piece."""
        assert self._head is not None
        self._in_vain += 1
        self._repeat = repeat_of(self._head, data, self._body_bytes)

    def _bound(self) -> None:
        if self.due == "head" and self._raw_bytes > head.HEAD_BYTES_MOST:
            raise head.too_large()
        if self.due == "body":
            framing_bytes = self._raw_bytes - self._body_bytes
            if framing_bytes > FRAMING_BYTES_MOST + FRAMING_BYTES_EACH * self._body_bytes:
                raise Failure(kinds.MALFORMED_REQUEST, "the body's chunks are more framing than body")

    def _decline(self, rest: bytes) -> None:
        """Nothing is upgraded to: the request stands as it is. llhttp leaves what follows it, its body too."""
        self._parser = httptools.HttpRequestParser(self)
        if rest:
            self.feed(rest)

    def _feed_bare(self, data: bytes) -> bytes:
        """Take of the body that llhttp left; give what is beyond it."""
        body, rest = data[: self._bare_bytes], data[self._bare_bytes :]
        self._bare_bytes -= len(body)
        self._left_bytes -= len(body)
        self._taker.take_body(body)
        if not self._bare_bytes:
            self._end()
        return rest

    def _meaning(self, error: httptools.HttpParserError, data: bytes) -> Failure:
        unknown = isinstance(error, httptools.HttpParserInvalidMethodError)
        if unknown and self._messages == 1 and _REQUEST_LINE.match(data):
            return Failure(kinds.METHOD_NOT_IMPLEMENTED, "there is no such method")
        if "Invalid HTTP version" in str(error) or "PRI" in str(error):
            return head.other_version()
        return Failure(kinds.MALFORMED_REQUEST, "the request is not sound HTTP")

    def _refuse(self, failure: Failure) -> None:
        self._failure = failure
        raise ValueError(failure.code)

    # ---- llhttp

    def on_message_begin(self) -> None:
        """A request begins."""
        self._messages += 1
        self._url = b""
        self._headers = []
        self._head_bytes = self._raw_bytes = 0
        self.due = "head"

    def on_url(self, piece: bytes) -> None:
        """A piece of its address."""
        self._url += piece
        if len(self._url) > head.URL_BYTES_MOST:
            self._refuse(head.too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; after the body, one trailer, which nobody reads."""
        if value[-1:] in (b" ", b"\t"):
            value = value.rstrip(b" \t")
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)
        if len(self._headers) > head.HEADERS_MOST or self._head_bytes > head.HEAD_BYTES_MOST:
            self._refuse(head.too_large())

    def on_headers_complete(self) -> None:
        """The head is there; its body is due."""
        parser, headers = self._parser, self._headers
        try:
            found = head.read(parser.get_method(), parser.get_http_version(), self._url, headers)
        except Failure as failure:
            self._refuse(failure)
        self._headers = []
        self._head_bytes = self._raw_bytes = self._body_bytes = 0
        self._left_bytes = found.length_bytes
        self.due = "body"
        found.keep = parser.should_keep_alive()
        if parser.should_upgrade() and b"transfer-encoding" in found.headers:
            self._refuse(Failure(kinds.MALFORMED_REQUEST, "an upgrade is offered with a body in chunks"))
        self._head = found
        self._taker.take_head(found)

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(piece)
        self._left_bytes -= len(piece)
        self._taker.take_body(piece)

    def on_message_complete(self) -> None:
        """The request is there."""
        if self._left_bytes > 0 and self._parser.should_upgrade():
            self._bare_bytes = self._left_bytes
        else:
            self._end()

    def _end(self) -> None:
        self._left_bytes = 0
        self.due = "nothing"
        self._taker.take_end()
