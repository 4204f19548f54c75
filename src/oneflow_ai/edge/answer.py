"""A call's answer over HTTP: events to bytes, what it cost to headers, failures to the client's own shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from oneflow_ai.core.call import Account, Call
from oneflow_ai.core.events import End, Event, Raw, Usage
from oneflow_ai.core.failure import DEADLINE_EXCEEDED, INSUFFICIENT_QUOTA, Failure
from oneflow_ai.core.money import usd_text
from oneflow_ai.core.ports import Head, RateHints
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import openai
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.reply import Reply

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_NO_STORE = (b"cache-control", b"no-store")
_CACHE_OFF = (b"x-oneflow-cache", b"off")
_SIMULATED = (b"x-oneflow-simulated", b"true")
_NO_RETRY = (b"x-should-retry", b"false")
_NO_USAGE = Usage(source="estimated")
TARGETS_REMEMBERED = 1_024


class ReplyClient:
    """Implements the `Client` port for one HTTP request in OpenAI's dialect.

    A stream's head goes out when the answer commits; a whole answer waits for its end, so that its headers can tell
    what it cost. `begun` says whether anything went out. `standing` tells what is left of the key's limits.
    """

    __slots__ = ("_call", "_head", "_parts", "_reply", "_standing", "begun")

    def __init__(self, call: Call, reply: Reply, standing: Callable[[Account], RateHints | None]) -> None:
        self._call = call
        self._standing = standing
        self._reply = reply
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self.begun = False

    async def begin(self, head: Head) -> None:
        """Commit to this target."""
        self._head = head
        if self._call.stream:
            self.begun = True
            await self._reply.begin(200, [_EVENTS, _NO_STORE, *self._told(head.target, head.attempts)])

    async def send(self, event: Event) -> None:
        """Pass one event on."""
        if isinstance(event, Raw):
            if self.begun:
                await self._reply.write(event.content)
            else:
                self._parts.append(event.content)

    async def finish(self, end: End, exchange: Exchange) -> None:
        """Release the last bytes."""
        if self.begun:
            usage = exchange.usage or _NO_USAGE
            await self._reply.end(openai.stream_end(end, usage, exchange.cost_nanos, self._call.include_usage))
            return
        assert self._head is not None
        target = self._head.target
        headers = [_JSON, *self._told(target, self._head.attempts)]
        headers.append((b"x-oneflow-cost-usd", usd_text(exchange.cost_nanos).encode()))
        if exchange.estimated:
            headers.append((b"x-oneflow-estimated", b"true"))
        if end.model is not None and end.model != target.model:
            headers.append((b"x-oneflow-model-actual", header_value(end.model)))
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        await self._reply.respond(200, headers, body)

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """Tell the failure: as the answer, or as the last event of a stream that has begun."""
        if self.begun:
            await self._reply.cut(openai.stream_failure(failure))
            return
        headers = self._told(None, len(exchange.attempts))
        if exchange.attempts:
            headers.append((b"x-oneflow-cost-usd", usd_text(exchange.cost_nanos).encode()))
        await self._reply.respond(*failure_reply(failure, headers))

    async def fault(self, failure: Failure) -> None:
        """Tell a fault of the gateway itself, if the client can still be told anything."""
        if self.begun:
            await self._reply.cut(openai.stream_failure(failure))
        else:
            await self._reply.respond(*failure_reply(failure, self._told(None, 0)))

    def _told(self, target: Target | None, attempts: int) -> Headers:
        call = self._call
        told_id = (call.client_id or call.id).encode()
        headers = [(b"x-request-id", told_id), (b"x-oneflow-attempts", b"%d" % attempts), _CACHE_OFF]
        if target is not None:
            headers += _of_target(target.provider, target.model, simulated=target.simulated)
        left = self._standing(call.account)
        return headers if left is None else headers + _rate_limits(left)


def failure_reply(failure: Failure, headers: Headers) -> tuple[int, Headers, bytes]:
    """A failure in OpenAI's shape; a client's own retries are stopped where ours have been made or cannot help."""
    out: Headers = [_JSON, *headers]
    if failure.retry_after_seconds is not None:
        seconds = max(failure.retry_after_seconds, 0.0)
        out.append((b"retry-after", b"%d" % -(-seconds // 1)))
        out.append((b"retry-after-ms", b"%d" % round(seconds * 1000)))
    if failure.status == 401:
        out.append((b"www-authenticate", b"Bearer"))
    if failure.kind.cause == "upstream" or failure.kind in (INSUFFICIENT_QUOTA, DEADLINE_EXCEEDED):
        out.append(_NO_RETRY)
    return failure.status, out, openai.failure_body(failure)


def _rate_limits(left: RateHints) -> Headers:
    """What is left of a key's limits, as OpenAI tells it: amounts, and how long until all of it is there again."""
    headers: Headers = []
    if left.limit_requests is not None:
        headers += [
            (b"x-ratelimit-limit-requests", b"%d" % left.limit_requests),
            (b"x-ratelimit-remaining-requests", b"%d" % (left.remaining_requests or 0)),
            (b"x-ratelimit-reset-requests", b"%.3fs" % (left.reset_requests_seconds or 0.0)),
        ]
    if left.limit_tokens is not None:
        headers += [
            (b"x-ratelimit-limit-tokens", b"%d" % left.limit_tokens),
            (b"x-ratelimit-remaining-tokens", b"%d" % (left.remaining_tokens or 0)),
            (b"x-ratelimit-reset-tokens", b"%.3fs" % (left.reset_tokens_seconds or 0.0)),
        ]
    return headers


@lru_cache(TARGETS_REMEMBERED)
def _of_target(provider: str, model: str, *, simulated: bool) -> Headers:
    headers = [(b"x-oneflow-provider", header_value(provider)), (b"x-oneflow-model", header_value(model))]
    return [*headers, _SIMULATED] if simulated else headers


def header_value(text: str) -> bytes:
    """A name as a header's value: printable ASCII, the rest as `?`."""
    value = text.encode("ascii", "replace")
    return value if value.isalnum() else bytes(byte if 32 < byte < 127 else 63 for byte in value)
