"""Where an answer goes: the port that our own server implements on its connections, and any ASGI server's `send`."""

from __future__ import annotations

from typing import Protocol

from oneflow_ai.edge.asgi import Headers, Send


class Reply(Protocol):
    """The answer to one request. Awaiting a method is the back-pressure of the client.

    Header names are lower case, values checked; lengths, dates and framing are the server's.
    """

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""

    async def write(self, piece: bytes) -> None:
        """Give a piece of it."""

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""

    def close_after(self) -> None:
        """Close the connection once the answer under way has ended."""


class AsgiReply:
    """Implements `Reply` on the `send` of any ASGI server."""

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""
        await self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.end(body)

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, piece: bytes) -> None:
        """Give a piece of it."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""
        await self._send({"type": "http.response.body", "body": piece})

    def close_after(self) -> None:
        """An ASGI server keeps its connections by its own rules."""
