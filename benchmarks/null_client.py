"""Clients that take everything and are nowhere: what a step of a call is measured against."""

from __future__ import annotations

from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.turn import Turn


class NullReply:
    """An answer to nobody."""

    slow = False

    async def drained(self) -> None:
        """Wait for nothing."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""

    def write(self, piece: bytes) -> None:
        """Give a piece of it."""

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""

    async def cut(self, piece: bytes) -> None:
        """Give a last piece of an answer that is not whole."""


class NullLine:
    """A connection whose client takes everything."""

    slow = False
    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None

    @property
    def date(self) -> Headers:
        """The headers that every answer has."""
        return [(b"date", b"Wed, 25 Nov 2026 21:00:00 GMT")]

    def write(self, content: bytes) -> None:
        """Write it nowhere."""

    async def drained(self) -> None:
        """Wait for nothing."""

    def read_on(self) -> None:
        """There is nothing to read."""

    def answered(self, turn: Turn) -> None:
        """Take no other request."""
