"""Where an answer goes: the port that the edge answers to, on a connection of our own or on another server's."""

from __future__ import annotations

import re
from typing import Protocol

from oneflow_ai.edge.asgi import Headers, Message, Scope
from oneflow_ai.edge.head import RequestHead

_UNSOUND = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


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


class Request(Reply, Protocol):
    """One request as the edge sees it, and its answer. `whole` says that its body is there."""

    head: RequestHead
    whole: bool

    def scope(self) -> Scope:
        """What an ASGI application is told of it."""

    def body(self) -> bytes | None:
        """The whole body where it is there already; None where it must be received."""

    async def receive(self) -> Message:
        """The next piece of the body; then, when it comes to that, word that the client is gone."""

    async def send(self, message: Message) -> None:
        """The answer as ASGI messages, from an application whose headers are not checked."""

    def watched(self, until_seconds: float) -> None:
        """From now on the task that serves it ends with the client, and the answer's writes by then."""


async def relay(message: Message, reply: Reply) -> None:
    """Give a reply what an ASGI application sends; raises `ValueError` for a header that nothing may hold."""
    if reply.slow:
        await reply.drained()
    if message["type"] == "http.response.start":
        headers = [(name.lower(), value) for name, value in message.get("headers", ())]
        if any(_UNSOUND.search(name) or _UNSOUND.search(value) for name, value in headers):
            raise ValueError("a header holds a control character")
        reply.begin(message["status"], headers)
    elif message.get("more_body"):
        reply.write(message.get("body", b""))
    else:
        await reply.end(message.get("body", b""))
