"""Where an answer goes: the port that our own server implements on its connections, and any ASGI server's `send`."""

from __future__ import annotations

from typing import Protocol

from oneflow_ai.edge.asgi import Headers, Message, Send


class Reply(Protocol):
    """The answer to one request. Pieces are taken at once; who finds it `slow` afterwards waits until it has `drained`.

    Header names are lower case, values checked; lengths, dates and framing are the server's.
    """

    @property
    def slow(self) -> bool:
        """Whether the client has yet to be sent what was given."""

    async def drained(self) -> None:
        """Wait until it has been sent."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""

    def write(self, piece: bytes) -> None:
        """Give a piece of it."""

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""

    async def cut(self, piece: bytes) -> None:
        """Give a last piece of an answer that is not whole, so that no client takes it for a whole one."""


class AsgiReply:
    """Implements `Reply` on the `send` of any ASGI server, which takes nothing without being waited for."""

    __slots__ = ("_send", "_waiting")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[Message] = []

    @property
    def slow(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._waiting)

    async def drained(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            await self._send(message)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""
        self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.end(body)

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        self._waiting.append({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, piece: bytes) -> None:
        """Give a piece of it."""
        self._waiting.append({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""
        await self.drained()
        await self._send({"type": "http.response.body", "body": piece})

    async def cut(self, piece: bytes) -> None:
        """Give a last piece: an ASGI server knows one end only, so its words alone tell that something is missing."""
        await self.end(piece)
