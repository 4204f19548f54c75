"""The edge on a server whose connections are not ours: what ours check and bound, for each request that it brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.edge import head
from oneflow_ai.edge.asgi import Headers, Message, Receive, Scope, Send
from oneflow_ai.edge.connection import BODY_BYTES_PER_SECOND_LEAST
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.reply import relay
from oneflow_ai.edge.scope import address_of, scope_of
from oneflow_ai.edge.served import ConnectionLimits, Served

_DISCONNECT: Message = {"type": "http.disconnect"}


class Guests:
    """The edge as an ASGI application for any server; it knows the requests under way, and can cut them."""

    def __init__(self, served: Served, limits: ConnectionLimits) -> None:
        self._served = served
        self._limits = limits
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(scope, receive, send)
        except asyncio.CancelledError:
            # The client is gone, or the server's drain is over: an answer that has begun stays without its end.
            pass
        finally:
            self._tasks.discard(task)

    async def ended(self, within_seconds: float) -> bool:
        """Wait until no request is under way; give whether it came to that in time."""
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=within_seconds)
        return not self._tasks

    def cut(self) -> None:
        """Cancel every request that is under way."""
        for task in self._tasks:
            task.cancel()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure: Failure | None = None
        try:
            found = _head(scope)
            failure = found.failure or self._served.busy(found.path)
        except Failure as refused:
            found, failure = head.NO_HEAD, refused
        guest = Guest(found, scope, receive, send, self._limits, self._refusal)
        if failure is not None:
            await guest.refuse(failure)
            return
        self._served.at_hand += 1
        try:
            await self._served.answer(guest)
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: a bug of ours ends one request
            self._served.failed(error)
        finally:
            self._served.at_hand -= 1
            guest.leave()
        if not guest.begun:
            await guest.refuse(Failure(kinds.INTERNAL_ERROR, "the gateway failed; its log says how"))

    def _refusal(self, failure: Failure, found: RequestHead) -> tuple[int, Headers, bytes]:
        status, headers, body = self._served.refusal(failure, found.headers, found.path)
        if found is head.NO_HEAD or failure.kind is kinds.MALFORMED_REQUEST:
            headers.append((b"connection", b"close"))
        return status, headers, body


class Guest:
    """One request and its answer, as the edge sees a turn of ours.

    Its body has the same time to arrive. `watched` has the task that serves it cancelled when the client leaves, and
    when a write lasts beyond the call's deadline.
    """

    __slots__ = (
        "_complete", "_limits", "_loop", "_over", "_receive", "_refusal", "_scope", "_send", "_since_seconds", "_task",
        "_waiting", "_watch", "_writing", "begun", "gone", "head", "whole",
    )  # fmt: skip

    def __init__(
        self,
        found: RequestHead,
        scope: Scope,
        receive: Receive,
        send: Send,
        limits: ConnectionLimits,
        refusal: Callable[[Failure, RequestHead], tuple[int, Headers, bytes]],
    ) -> None:
        self.head = found
        self._scope = scope
        self._waiting: list[Message] = []
        self._receive = receive
        self._send = send
        self._limits = limits
        self._refusal = refusal
        self._loop = asyncio.get_running_loop()
        self._since_seconds = self._loop.time()
        self._task = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self._over: asyncio.TimerHandle | None = None
        self._complete = self._writing = False
        self.begun = self.gone = self.whole = False

    # ---- the request

    def scope(self) -> Scope:
        """What an ASGI application is told of it: what our own connections tell."""
        return scope_of(self.head, _address(self._scope.get("client")), _address(self._scope.get("server")))

    def body(self) -> bytes | None:
        """None: it must be received."""
        return None

    def watched(self, until_seconds: float) -> None:
        """From now on the task that serves it ends with the client, and the answer's writes by then."""
        self._watch = self._loop.create_task(self._wait_for_end())
        self._over = self._loop.call_at(until_seconds, self._cut_write)

    async def receive(self) -> Message:
        """The next piece of the body; then, when it comes to that, word that the client is gone."""
        if self.gone or self._complete:
            return _DISCONNECT
        if self.whole:
            message = await self._receive()
        else:
            try:
                async with asyncio.timeout(self._body_seconds()):
                    message = await self._receive()
            except TimeoutError:
                await self.refuse(Failure(kinds.REQUEST_TIMEOUT, "the request did not arrive in time"))
                return _DISCONNECT
        if message["type"] != "http.request":
            if not self.whole:
                # A server tells the same of a client that left and of one whose body turned out to be none.
                await self.refuse(Failure(kinds.MALFORMED_REQUEST, "the body ended early, or is not sound HTTP"))
            self.gone = True
        elif not message.get("more_body"):
            self.whole = True
        return message

    def _body_seconds(self) -> float:
        limits = self._limits
        allowed = limits.body_seconds_least + self.head.length_bytes / BODY_BYTES_PER_SECOND_LEAST
        return min(limits.body_idle_seconds, self._since_seconds + allowed - self._loop.time())

    # ---- the answer

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Give a whole answer."""
        self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.end(body)

    async def refuse(self, failure: Failure) -> None:
        """Give the answer to what is no request that can be served."""
        if not self.begun:
            await self.respond(*self._refusal(failure, self.head))
        self._complete = True

    @property
    def slow(self) -> bool:
        """Whether something waits to be sent: the server takes nothing without being waited for."""
        return bool(self._waiting)

    async def drained(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            if not self.gone:
                await self._write(message)

    def begin(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        if not (self._complete or self.gone):
            self.begun = True
            self._waiting.append({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, piece: bytes) -> None:
        """Give a piece of it."""
        if piece and not (self._complete or self.gone):
            self._waiting.append({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self, piece: bytes) -> None:
        """Give its last piece."""
        if not (self._complete or self.gone):
            self._complete = True
            self._waiting.append({"type": "http.response.body", "body": piece, "more_body": False})
            await self.drained()

    async def cut(self, piece: bytes) -> None:
        """Give a last piece and no end: a server closes the connection of an answer that it was not given whole."""
        self.write(piece)
        await self.drained()
        self._complete = True

    async def send(self, message: Message) -> None:
        """The same as ASGI messages, from an application whose headers are not checked."""
        await relay(message, self)
        await self.drained()

    async def _write(self, message: Message) -> None:
        self._writing = True
        try:
            await self._send(message)
        finally:
            self._writing = False

    # ---- its end

    def leave(self) -> None:
        """The application has done with it: nobody waits for the client to leave any more."""
        if self._watch is not None:
            self._watch.cancel()
        if self._over is not None:
            self._over.cancel()

    async def _wait_for_end(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        if not self._complete and self._task is not None:
            self._task.cancel()

    def _cut_write(self) -> None:
        if self._writing and self._task is not None:
            self._task.cancel()


def _head(scope: Scope) -> RequestHead:
    """A request's head, held to the rules of our own connections; raises `Failure`."""
    headers: Headers = list(scope["headers"])
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    url = path + b"?" + query if query else path
    if len(url) > head.URL_BYTES_MOST:
        raise head.too_long()
    if len(headers) > head.HEADERS_MOST or sum(map(_bytes, headers)) > head.HEAD_BYTES_MOST:
        raise head.too_large()
    return head.read(scope["method"].encode("latin-1"), scope["http_version"], url, headers)


def _bytes(header: tuple[bytes, bytes]) -> int:
    return len(header[0]) + len(header[1])


def _address(found: object) -> tuple[str, int] | None:
    """Some servers tell a port as text."""
    return address_of(tuple(found)) if isinstance(found, (tuple, list)) else None
