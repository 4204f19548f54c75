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

    async def cut(self, piece: bytes) -> None:
        """Give a last piece of an answer that is not whole, so that no client takes it for a whole one."""


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

    async def cut(self, piece: bytes) -> None:
        """Give a last piece: an ASGI server knows one end only, so its words alone tell that something is missing."""
        await self.end(piece)
