"""A call's answer as ASGI messages: events to bytes, what it cost to headers, failures to the client's own shape."""

from __future__ import annotations

from typing import Protocol

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import End, Event, Raw, Usage
from oneflow_ai.core.failure import DEADLINE_EXCEEDED, INSUFFICIENT_QUOTA, Failure
from oneflow_ai.core.money import usd_text
from oneflow_ai.core.ports import Head
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import openai
from oneflow_ai.edge.asgi import Headers, Send, respond

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_NO_STORE = (b"cache-control", b"no-store")
_CACHE_OFF = (b"x-oneflow-cache", b"off")
_SIMULATED = (b"x-oneflow-simulated", b"true")
_NO_RETRY = (b"x-should-retry", b"false")
_NO_USAGE = Usage(source="estimated")


class Connection(Protocol):
    """Our own server's connection, which takes a whole answer at once."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Write one whole answer."""

    def close_after(self) -> None:
        """Close the connection once the answer under way has ended."""


class AsgiClient:
    """Implements the `Client` port for one HTTP request in OpenAI's dialect.

    A stream's head goes out when the answer commits; a whole answer waits for its end, so that its headers can tell
    what it cost. `begun` says whether anything went out.
    """

    __slots__ = ("_call", "_connection", "_head", "_parts", "_send", "begun")

    def __init__(self, call: Call, send: Send, connection: Connection | None) -> None:
        self._call = call
        self._send = send
        self._connection = connection
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self.begun = False

    async def begin(self, head: Head) -> None:
        """Commit to this target."""
        self._head = head
        if self._call.stream:
            self.begun = True
            headers: Headers = [_EVENTS, _NO_STORE, *self._told(head.target, head.attempts)]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(self, event: Event) -> None:
        """Pass one event on."""
        if isinstance(event, Raw):
            if self.begun:
                await self._send({"type": "http.response.body", "body": event.content, "more_body": True})
            else:
                self._parts.append(event.content)

    async def finish(self, end: End, exchange: Exchange) -> None:
        """Release the last bytes."""
        if self.begun:
            last = openai.stream_end(end, exchange.usage or _NO_USAGE, exchange.cost_nanos, self._call.include_usage)
            await self._send({"type": "http.response.body", "body": last})
            return
        assert self._head is not None
        headers = [_JSON, *self._told(self._head.target, self._head.attempts)]
        headers.append((b"x-oneflow-cost-usd", usd_text(exchange.cost_nanos).encode()))
        if exchange.estimated:
            headers.append((b"x-oneflow-estimated", b"true"))
        if end.model is not None and end.model != self._head.target.model:
            headers.append((b"x-oneflow-model-actual", header_value(end.model)))
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if self._connection is not None:
            await self._connection.respond(200, headers, body)
        else:
            await respond(self._send, 200, headers, body)

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """Tell the failure: as the answer, or as the last event of a stream that has begun."""
        if self.begun:
            if self._connection is not None:
                self._connection.close_after()
            await self._send({"type": "http.response.body", "body": openai.stream_failure(failure)})
            return
        headers = self._told(None, len(exchange.attempts))
        if exchange.attempts:
            headers.append((b"x-oneflow-cost-usd", usd_text(exchange.cost_nanos).encode()))
        await send_failure(self._send, failure, headers)

    async def fault(self, failure: Failure) -> None:
        """Tell a fault of the gateway itself, if the client can still be told anything."""
        if self.begun:
            await self._send({"type": "http.response.body", "body": openai.stream_failure(failure)})
        else:
            await send_failure(self._send, failure, self._told(None, 0))

    def _told(self, target: Target | None, attempts: int) -> Headers:
        headers = [
            (b"x-request-id", self._call.id.encode()),
            (b"x-oneflow-attempts", b"%d" % attempts),
            _CACHE_OFF,
        ]
        if target is not None:
            headers.append((b"x-oneflow-provider", header_value(target.provider)))
            headers.append((b"x-oneflow-model", header_value(target.model)))
            if target.simulated:
                headers.append(_SIMULATED)
        return headers


async def send_failure(send: Send, failure: Failure, headers: Headers) -> None:
    """Send a failure in OpenAI's shape; a client's own retries are stopped where ours have been made or cannot help."""
    out: Headers = [_JSON, *headers]
    if failure.retry_after_seconds is not None:
        seconds = max(failure.retry_after_seconds, 0.0)
        out.append((b"retry-after", b"%d" % -(-seconds // 1)))
        out.append((b"retry-after-ms", b"%d" % round(seconds * 1000)))
    if failure.status == 401:
        out.append((b"www-authenticate", b"Bearer"))
    if failure.kind.cause == "upstream" or failure.kind in (INSUFFICIENT_QUOTA, DEADLINE_EXCEEDED):
        out.append(_NO_RETRY)
    await respond(send, failure.status, out, openai.failure_body(failure))


def header_value(text: str) -> bytes:
    """A name as a header's value: printable ASCII, the rest as `?`."""
    value = text.encode("ascii", "replace")
    return value if value.isalnum() else bytes(byte if 32 < byte < 127 else 63 for byte in value)
