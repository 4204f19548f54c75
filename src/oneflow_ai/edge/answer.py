"""A call's answer over HTTP: events to bytes, what it cost to headers, failures to the client's own shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from oneflow_ai.core.call import Account, Call
from oneflow_ai.core.events import Blob, Encoder, End, Event, HeadedEncoder, OrderEncoder, Usage
from oneflow_ai.core.failure import DEADLINE_EXCEEDED, INSUFFICIENT_QUOTA, Failure
from oneflow_ai.core.money import usd_text
from oneflow_ai.core.ports import Head, RateHints
from oneflow_ai.core.record import Exchange
from oneflow_ai.dialects.table import DIALECTS, Teller
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.reply import Reply

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_NO_STORE = (b"cache-control", b"no-store")
_CACHE_OFF = (b"x-oneflow-cache", b"off")
_SIMULATED = (b"x-oneflow-simulated", b"true")
_ID = b"x-request-id"
_NO_RETRY = (b"x-should-retry", b"false")
_NO_USAGE = Usage(source="estimated")
TARGETS_REMEMBERED = 1_024
HANDED_CHARACTERS_MOST = 256


class ReplyClient:
    """Implements the `Client` port for one HTTP request in the dialect of its call.

    A stream's head goes out when the answer commits; a whole answer waits for its end, so that its headers can tell
    what it cost. `begun` says whether anything went out. `standing` tells what is left of the key's limits.
    """

    __slots__ = ("_call", "_dialect", "_encoder", "_head", "_id", "_parts", "_reply", "_standing", "begun")

    def __init__(self, call: Call, reply: Reply, standing: Callable[[Account], RateHints | None]) -> None:
        self._call = call
        self._id = call.client_id or call.id
        self._dialect = DIALECTS[call.dialect]
        self._encoder: Encoder | None = None
        self._standing = standing
        self._reply = reply
        self._head: Head | None = None
        self._parts: list[bytes] = []
        self.begun = False

    @property
    def slow(self) -> bool:
        """Whether the client has yet to be sent what was given."""
        return self._reply.slow

    async def drained(self) -> None:
        """Wait until it has been sent."""
        await self._reply.drained()

    def begin(self, head: Head) -> None:
        """Commit to this target."""
        self._head = head
        self._encoder = self._dialect.encoder(self._call, head.target)
        if self._call.stream:
            self._open(head, _EVENTS)

    def send(self, event: Event) -> None:
        """Pass one event on."""
        assert self._encoder is not None
        piece = self._encoder.feed(event)
        if piece:
            if self.begun:
                self._reply.write(piece)
            elif type(event) is Blob and self._call.operation.flows:
                assert self._head is not None
                self._open(self._head, (b"content-type", header_value(event.media_type)))
                self._reply.write(piece)
            else:
                self._parts.append(piece)

    def _open(self, head: Head, content_type: tuple[bytes, bytes]) -> None:
        self.begun = True
        self._reply.begin(200, [content_type, _NO_STORE, *self._told(head, head.attempts)])

    async def finish(self, end: End, exchange: Exchange) -> None:
        """Release the last bytes."""
        head, encoder = self._head, self._encoder
        assert head is not None and encoder is not None
        last = encoder.end(end, exchange.usage or _NO_USAGE, exchange.cost_nanos)
        if self.begun:
            await self._reply.end(last)
            return
        kind = _JSON
        if self._call.order is not None:
            kind = (b"content-type", _words(cast(OrderEncoder, encoder).media_type))
        headers = [kind, *self._told(head, head.attempts)]
        headers.append((b"x-oneflow-cost-usd", usd_text(exchange.cost_nanos).encode()))
        if self._call.order is not None and isinstance(encoder, HeadedEncoder):
            headers += [(name.encode(), header_value(value)) for name, value in encoder.headers]
        if exchange.estimated:
            headers.append((b"x-oneflow-estimated", b"true"))
        if end.model is not None and end.model != head.target.model:
            headers.append((b"x-oneflow-model-actual", header_value(end.model)))
        parts = [*self._parts, last] if last else self._parts
        await self._reply.respond(200, headers, parts[0] if len(parts) == 1 else b"".join(parts))

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """Tell the failure: as the answer, or as the last event of a stream that has begun."""
        if self.begun:
            await self._cut(failure)
            return
        headers = self._told(None, exchange.tries)
        if exchange.attempts:
            headers.append((b"x-oneflow-cost-usd", usd_text(exchange.cost_nanos).encode()))
        await self._reply.respond(*failure_reply(failure, headers, self._dialect, self._id))

    async def fault(self, failure: Failure) -> None:
        """Tell a fault of the gateway itself, if the client can still be told anything."""
        if self.begun:
            await self._cut(failure)
        else:
            await self._reply.respond(*failure_reply(failure, self._told(None, 0), self._dialect, self._id))

    async def _cut(self, failure: Failure) -> None:
        # A fault of the encoder itself leaves none.
        encoder = self._encoder
        await self._reply.cut(encoder.failure(failure) if encoder is not None else b"")

    def _told(self, head: Head | None, attempts: int) -> Headers:
        call = self._call
        headers = [*id_headers(self._id, self._dialect), (b"x-oneflow-attempts", b"%d" % attempts), _CACHE_OFF]
        if head is not None and head.handed:
            # Its clients give the provider's own id back to it in a later request.
            handed = [(name.encode(), _handed(value)) for name, value in head.handed]
            names = {name for name, _ in handed}
            headers = [*(each for each in headers if each[0] not in names), *handed]
        if head is not None:
            target = head.target
            headers += _of_target(target.provider, target.model, simulated=target.simulated)
            if target.ends is not None:
                words = target.warning(call.received.date())
                if words is not None:
                    headers.append((b"x-oneflow-warning", _words(words)))
            if head.dropped:
                headers.append((b"x-oneflow-dropped", header_value(",".join(head.dropped))))
        left = self._standing(call.account)
        return headers if left is None else headers + _rate_limits(left)


def id_headers(request_id: str, dialect: Teller) -> Headers:
    """The headers that tell a request's id: the field's usual one, and the one that this dialect's clients read."""
    told, further = request_id.encode(), dialect.ID_HEADER
    return [(_ID, told)] if further == _ID else [(_ID, told), (further, told)]


def failure_reply(failure: Failure, headers: Headers, dialect: Teller, request_id: str) -> tuple[int, Headers, bytes]:
    """A failure in a dialect's shape; a client's own retries are stopped where ours have been made or cannot help."""
    out: Headers = [_JSON, *headers]
    if failure.retry_after_seconds is not None:
        seconds = max(failure.retry_after_seconds, 0.0)
        out.append((b"retry-after", b"%d" % -(-seconds // 1)))
        out.append((b"retry-after-ms", b"%d" % -(-seconds * 1000 // 1)))
    if failure.status == 401:
        out.append((b"www-authenticate", b"Bearer"))
    hopeless = failure.should_retry is False or failure.kind in (INSUFFICIENT_QUOTA, DEADLINE_EXCEEDED)
    if hopeless or failure.kind.cause == "upstream":
        out.append(_NO_RETRY)
    return failure.status, out, dialect.failure_body(failure, request_id)


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


def _handed(text: str) -> bytes:
    """A provider's header as we pass it on: its characters, and so many of them, are not its to choose."""
    return header_value(text[:HANDED_CHARACTERS_MOST])


def _words(text: str) -> bytes:
    """Words as a header's value; a warning holds a model's name, which a client may have made up."""
    return b" ".join(header_value(word) for word in text.split())


def header_value(text: str) -> bytes:
    """A name as a header's value: printable ASCII, the rest as `?`."""
    value = text.encode("ascii", "replace")
    return value if value.isalnum() else bytes(byte if 32 < byte < 127 else 63 for byte in value)
