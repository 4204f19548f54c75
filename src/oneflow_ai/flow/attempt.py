"""One try at one target: its quota held, the request sent, the answer's events pushed to the client."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Decoder, Delta, End, Event, HeadedDecoder, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Client, Clock, Head, HttpAnswer, Purse, Quota, Upstream
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.target import Target
from oneflow_ai.flow.cohort import Cohort
from oneflow_ai.flow.own_names import OwnNames
from oneflow_ai.flow.places import PROVIDER_SHARE, Places
from oneflow_ai.policy.usage import believable

ANSWER_BYTES_MOST = 64 << 20
FLOWING_BYTES_MOST = 1 << 30
ERROR_BYTES_MOST = 64 << 10
ERROR_SECONDS_MOST = 2.0
PENDING_BYTES_MOST = 256 << 10

# How a wait for the provider may end for no other reason than that its time was over.
_WAITS = (
    kinds.UPSTREAM_TIMEOUT, kinds.UPSTREAM_IDLE_TIMEOUT, kinds.UPSTREAM_UNREACHABLE, kinds.UPSTREAM_TLS_ERROR,
)  # fmt: skip
DEADLINE_SLACK_SECONDS = 0.01

# What a decoder finds of an answer that is cut or is none. Whatever else it ends in, the provider has told.
_FOUND_OUT = (kinds.UPSTREAM_BAD_RESPONSE, kinds.UPSTREAM_STREAM_INTERRUPTED, kinds.UPSTREAM_TOO_LARGE)

# What a connection's failure is called once something of the answer has reached the client.
_INTERRUPTIONS = {
    kinds.UPSTREAM_TIMEOUT: kinds.UPSTREAM_IDLE_TIMEOUT,
    kinds.UPSTREAM_CLOSED: kinds.UPSTREAM_STREAM_INTERRUPTED,
    kinds.UPSTREAM_UNREACHABLE: kinds.UPSTREAM_STREAM_INTERRUPTED,
    kinds.UPSTREAM_BAD_RESPONSE: kinds.UPSTREAM_STREAM_INTERRUPTED,
}


class Attempt:
    """One try, and what came of it: `usage`, `end`, whether it `committed`, `content_events` seen.

    `asked`: it was on its way to the provider; `sent`: bytes of it went out.
    """

    __slots__ = (
        "_call", "_client", "_clock", "_cohort", "_decoder", "_dropped", "_failure", "_handed", "_in_order",
        "_latest_seconds", "_left", "_named", "_names", "_number", "_pending", "_pending_bytes", "_quota", "_tokens",
        "_until_seconds", "_upstream", "_ways",
        "asked",
        "bytes_read", "committed", "content_events", "end", "failed", "first_event_seconds", "sent", "started_seconds",
        "status", "target", "usage",
    )  # fmt: skip

    def __init__(self, call: Call, target: Target, client: Client, ways: Ways, *, number: int, tokens: int) -> None:
        self._call = call
        self._client = client
        self._clock = ways.clock
        self._cohort = ways.cohort
        self._ways = ways
        self._quota = ways.quota
        self._upstream = ways.upstream
        self._number = number
        self._tokens = tokens
        self._pending: list[Event] = []
        self._pending_bytes = 0
        self._dropped: tuple[str, ...] = ()
        self._handed: tuple[tuple[str, str], ...] = ()
        self._named: Callable[[Prompt, str], str | None] | None = None
        self._names: tuple[tuple[str, str], ...] = ()
        self._latest_seconds = self._until_seconds = 0.0
        self._in_order = self._left = False
        self._decoder: Decoder | None = None
        self._failure: Failure | None = None
        self.target = target
        self.started_seconds = ways.clock.monotonic()
        self.first_event_seconds: float | None = None
        self.asked = self.sent = False
        self.failed = False
        self.committed = False
        self.content_events = 0
        self.bytes_read = 0
        self.status = 0
        self.usage: Usage | None = None
        self.end: End | None = None

    async def run(self) -> Failure | None:
        """Push the whole answer but for its end, which waits for the accounts; gives why it failed, if it did."""
        call, target, ways, waits = self._call, self.target, self._ways, 0
        try:
            # First what may be refused at once, for what it asks.
            request = target.adapter.request(call, target)
            self._dropped, self._named, self._names = request.dropped, request.named, request.names
            await self._cohort.stage(call.prompt_bytes)
            waits = 1
            ways.waiting += waits
            await self._quota.hold(call, target, self._tokens)
            await self._cohort.stage(call.prompt_bytes)
            self._begin()
            if request.sign is not None:
                # Only now, for the turn may have been long in coming.
                request = request.signed(self._clock.utc())
            self.asked = True
            answer = await self._upstream.send(request, self._until_seconds, self)
            try:
                self._opened(answer)
                if answer.status != 200:
                    raise await self._refusal(answer)
                try:
                    await self._relay(answer)
                except Failure:
                    # Where the provider says why it gives no answer, the connection is as good as after one.
                    (answer.release if self._in_order else answer.discard)()
                    raise
                if self.end is not None:
                    answer.release()
            finally:
                answer.close()
        except Failure as failure:
            self.failed = True
            # Without its traceback: that would hold this frame, and with it the whole call, in a cycle.
            return self._as_deadline(self._renamed(failure)).with_traceback(None)
        finally:
            ways.waiting -= waits
            self._let_go()
        return None

    def leave(self, nobody: Client) -> None:
        """Its client has gone: what still comes goes to nobody, and is left as soon as it is known what it costs."""
        self._client, self._left = nobody, True

    @property
    def told(self) -> bool:
        """Whether the provider has told what the whole answer takes, whatever of it is still to come."""
        return self.usage is not None and self.usage.source == "provider"

    def _begin(self) -> None:
        """The turn has come: time runs from here."""
        timeouts = self.target.timeouts
        started = self.started_seconds = self._clock.monotonic()
        latest = self._latest_seconds = min(self._call.deadline_seconds, started + timeouts.total_seconds)
        operation = self._call.operation
        flows = self._call.stream or (operation.flows and not operation.late)
        self._until_seconds = min(latest, started + timeouts.first_event_seconds) if flows else latest

    def _renamed(self, failure: Failure) -> Failure:
        """What a provider names by its own name is told by the client's, or not at all; its words stay as they are."""
        if failure.param is not None and self._named is not None and failure.kind.cause == "upstream":
            failure.param = self._named(self._call.prompt(), failure.param)
        return failure

    def _as_deadline(self, failure: Failure) -> Failure:
        """A wait that the caller's own deadline cut says nothing of the provider: nobody is blamed for it."""
        late = self._clock.monotonic() >= self._call.deadline_seconds - DEADLINE_SLACK_SECONDS
        if not late or failure.kind not in _WAITS:
            return failure
        # What was told as a timeout still is.
        code = failure.code if failure.status == kinds.DEADLINE_EXCEEDED.status else None
        return Failure(kinds.DEADLINE_EXCEEDED, failure.message, code=code)

    def _let_go(self) -> None:
        if not self.sent:
            self._quota.void(self._call, self.target)
            return
        usage = self.usage
        free = self._call.operation.free
        used = self._tokens
        if usage is not None and not free and believable(usage):
            used = usage.input_tokens + usage.output_tokens
        self._quota.settle(self._call, self.target, used)

    def _opened(self, answer: HttpAnswer) -> None:
        """The head is there: what it tells of the provider's limits counts from now on."""
        target = self.target
        self.status = answer.status
        if answer.sent_seconds is not None:
            self._quota.sent(self._call, target, answer.sent_seconds)
        hints = target.adapter.hints(answer.headers)
        if hints is not None:
            self._quota.learn(target, hints)
        if target.hands_on and self._call.dialect == target.kind:
            headers = answer.headers
            self._handed = tuple((name, headers[name]) for name in target.hands_on if name in headers)

    async def _refusal(self, answer: HttpAnswer) -> Failure:
        """What an error answer means: by its status, and by what comes of its body in a moment."""
        until_seconds = min(self._until_seconds, self._clock.monotonic() + ERROR_SECONDS_MOST)
        body = b""
        try:
            while len(body) < ERROR_BYTES_MOST and (chunk := await answer.read(until_seconds)):
                body += chunk
        except Failure as cut:
            if cut.kind is not kinds.UPSTREAM_TIMEOUT:
                raise
        failure = self.target.adapter.failure(answer.status, answer.headers, body)
        busy = failure.kind is kinds.UPSTREAM_OVERLOADED and failure.retry_after_seconds is not None
        if failure.kind is kinds.UPSTREAM_RATE_LIMITED or busy:
            self._quota.refused(self.target, failure.retry_after_seconds)
        return failure

    async def _relay(self, answer: HttpAnswer) -> None:
        stream = self._call.stream
        decoder = self.target.adapter.decoder(self._call, self.target, answer.headers)
        if self._names:
            decoder = OwnNames(decoder, self._names)
        self._decoder = decoder
        if self._call.order is not None and isinstance(decoder, HeadedDecoder):
            self.usage = decoder.told
        try:
            while self.end is None and not (self._left and self.told):
                try:
                    await answer.pour(self._take, self._until_seconds)
                except Failure as failure:
                    if not stream:
                        raise self._as_interruption(failure) from None
                    # A stream that said it was finished is finished, whatever became of its connection.
                    self._push_all(decoder.close(), failure)
                if self._failure is not None:
                    raise self._failure
                if self._client.slow:
                    await self._wait_for_client()
        finally:
            self._decoder = None
            if self.end is None and self.usage is None and (stream or self.committed):
                # Cut in the middle: what the provider had told by then of its usage counts. A fault of the decoder must
                # not hide why it was cut.
                with contextlib.suppress(Exception):
                    self.usage = next((event for event in decoder.close() if isinstance(event, Usage)), None)

    async def _wait_for_client(self) -> None:
        """The client takes its time: what it takes is not the provider's, who keeps what it had left, and no more."""
        since_seconds = self._clock.monotonic()
        await self._client.drained()
        took_seconds = self._clock.monotonic() - since_seconds
        self._until_seconds = min(self._latest_seconds, self._until_seconds + took_seconds)

    def _take(self, chunk: bytes) -> float | None:
        """What arrived, nothing at the end; gives by when more must come, None when no more is wanted for now."""
        decoder = self._decoder
        assert decoder is not None
        self.bytes_read += len(chunk)
        if self.bytes_read > ANSWER_BYTES_MOST and self._too_large():
            return None
        events = decoder.feed(chunk) if chunk else decoder.close()
        progress = bool(events) and self._push_all(events, None)
        if self.end is not None or self._failure is not None:
            return None
        # Comments, pings and events without content are no progress of a stream: only content moves its idle limit.
        # Of a whole answer every byte is; it comes at its end, so only what follows its first bytes is so bound.
        if progress or not self._call.stream:
            self._progressed()
        if (events and self._client.slow) or (self._left and self.told):
            return None
        return self._until_seconds

    def _too_large(self) -> bool:
        """Whether so many bytes are more than an answer may have; what flows through is not kept, and may have more."""
        most = FLOWING_BYTES_MOST if self._call.operation.flows else ANSWER_BYTES_MOST
        if self.bytes_read <= most:
            return False
        self._failure = Failure(kinds.UPSTREAM_TOO_LARGE, f"the answer is larger than {most} bytes")
        return True

    def _progressed(self) -> None:
        idle_seconds = self._clock.monotonic() + self.target.timeouts.idle_seconds
        self._until_seconds = min(self._latest_seconds, idle_seconds)

    def _push_all(self, events: list[Event], cut: Failure | None) -> bool:
        """Pass events on; gives whether there was content among them."""
        progress = False
        for event in events:
            match event:
                case Raw():
                    self.content_events += event.content_events
                    progress |= event.content_events > 0
                    self._push(event, event.content_events > 0)
                case Usage():
                    self.usage = event
                case End():
                    self._finish(event, cut)
                    if self._failure is not None:
                        return progress
                case _:
                    self.content_events += isinstance(event, Delta)
                    progress = True
                    self._push(event, True)
        return progress

    def _push(self, event: Event, content: bool) -> None:
        if self.committed:
            self._client.send(event)
            return
        self._pending.append(event)
        self._pending_bytes += len(event.content) if isinstance(event, Raw) else 0
        if content or self._pending_bytes > PENDING_BYTES_MOST:
            self._commit()

    def _commit(self) -> None:
        self.committed = True
        self.first_event_seconds = self._clock.monotonic()
        self._client.begin(Head(self.target, self._number, self._dropped, self._handed))
        for event in self._pending:
            self._client.send(event)
        self._pending.clear()

    def _finish(self, end: End, cut: Failure | None) -> None:
        failure = end.failure
        if failure is not None:
            self._in_order = cut is None and failure.kind not in _FOUND_OUT
            self._failure = self._as_interruption(cut or failure)
            return
        if not self.committed:
            self._commit()
        self.end = end

    def _as_interruption(self, failure: Failure) -> Failure:
        kind = _INTERRUPTIONS.get(failure.kind) if self.committed else None
        return failure if kind is None else Failure(kind, failure.message)


class Ways:
    """What calls act through: clock, quota and network, how many may be at each provider, and the calls beside them.

    `purse` is where its money comes from, as long as anything limits that. `waiting` calls have nothing to do but wait,
    for their turn, for a provider, for their client, or to try again.
    """

    __slots__ = ("bulkheads", "clock", "cohort", "purse", "quota", "upstream", "waiting")

    def __init__(self, clock: Clock, quota: Quota, upstream: Upstream) -> None:
        self.bulkheads = Places(PROVIDER_SHARE)
        self.clock = clock
        self.cohort = Cohort()
        self.purse: Purse | None = None
        self.waiting = 0
        self.quota = quota
        self.upstream = upstream
