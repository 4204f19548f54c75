"""The ports: what the engine asks of clocks, networks, clients and stores, none of which it knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Decoder, End, Event, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.target import Target, Timeouts
from oneflow_ai.core.value import value

if TYPE_CHECKING:
    from oneflow_ai.core.record import Exchange


class Clock(Protocol):
    """Time, as an argument: monotonic seconds for durations, UTC for records, and waiting."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def utc(self) -> datetime:
        """The wall clock, aware, UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Chance(Protocol):
    """Randomness, as an argument."""

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""


class Body(Protocol):
    """A body that is too large to be held: it is read as it is sent, anew for each try."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, from the beginning; raises `OSError` where they cannot be read."""


@value
class HttpRequest:
    """One request to a provider, whole; key and prompt never print. `way` names its provider's pool of connections.

    `large` is what is sent after `body`, which is then empty as a rule.
    `dropped` are the client's own names of what was asked and could not be sent, where that changes little. `sign` is
    there where the headers hold good for a while only: it gives them anew, for the moment (UTC) at which they are sent.
    `named` is there where the body was written anew: the client's own name of a field that the provider refuses by its.
    `names` are those of tools that the provider would not take: as they are sent instead, and as the client wrote them.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    timeouts: Timeouts
    way: str
    dropped: tuple[str, ...] = ()
    sign: Callable[[datetime], tuple[tuple[str, str], ...]] | None = field(default=None, repr=False)
    large: Body | None = field(default=None, repr=False)
    named: Callable[[Prompt, str], str | None] | None = field(default=None, repr=False)
    names: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def size_bytes(self) -> int:
        """The length of all that is sent."""
        return len(self.body) + (0 if self.large is None else self.large.size_bytes)

    def signed(self, at: datetime) -> HttpRequest:
        """The request as it is sent at that moment (UTC)."""
        return self if self.sign is None else replace(self, headers=self.sign(at), sign=None)


@value
class RateHints:
    """What a provider's headers tell of its limits; None where they say nothing. Waits are in seconds."""

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_seconds: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_seconds: float | None = None
    limit_concurrency: int | None = None


NO_HEADERS: Mapping[str, str] = MappingProxyType({})
Take: TypeAlias = Callable[[bytes], float | None]
"""Takes what arrived, nothing at the end; gives by when more must come (monotonic), or None: no more for now."""


class Pouring(ABC):
    """Pours an answer that can only be read."""

    __slots__ = ()

    @abstractmethod
    async def read(self, until_seconds: float) -> bytes:
        """As in `HttpAnswer`."""

    async def pour(self, take: Take, until_seconds: float) -> None:
        """As in `HttpAnswer`."""
        further: float | None = until_seconds
        while further is not None:
            further = take(await self.read(further))


class HttpAnswer(Protocol):
    """A provider's answer as it arrives. Header names are lower case.

    `sent_seconds` is when its request went out (monotonic) if a connection had to be opened first; None: at once.
    """

    @property
    def status(self) -> int:
        """The answer's status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers."""

    @property
    def sent_seconds(self) -> float | None:
        """When the request went out, if a connection had to be opened first."""

    async def read(self, until_seconds: float) -> bytes:
        """Give the next bytes, at most what has arrived; empty at the end.

        Raises `Failure` (`upstream_timeout` when nothing came by `until_seconds`, monotonic; `upstream_closed`,
        `upstream_bad_response` or `upstream_stream_interrupted` when the connection broke or spoke no HTTP).
        """

    async def pour(self, take: Take, until_seconds: float) -> None:
        """Give `take` the bytes as they arrive, as `read` gives them, until it says that it has enough.

        Raises what `read` raises, and what `take` raises.
        """

    def release(self) -> None:
        """The answer ended by its own mark: keep the connection if the little that may be left comes in a moment."""

    def close(self) -> None:
        """Close the connection at once, unless the answer was read to its end or released. Harmless if repeated."""

    def discard(self) -> None:
        """The answer was not what it should be: close the connection, even if it was read to its end.

        Nothing after `release` or `close`. Harmless if repeated.
        """


class Mark(Protocol):
    """Whoever must know whether a request went out, even if it is cancelled midway."""

    sent: bool


class Upstream(Protocol):
    """The one way out to providers. It retries nothing and follows no redirect."""

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        """Send a request and give the answer once its head is there; raises `Failure`.

        Sets `mark.sent` as the request's bytes go out, not while it waits for a connection or opens one.
        """

    async def close(self) -> None:
        """Close every connection."""


class Adapter(Protocol):
    """A provider as pure functions between calls, HTTP bytes and events."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        """The request that asks this target for this call; raises `Failure` for what the target cannot do."""

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        """A decoder for one successful answer to this call, which has these headers."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """What an unsuccessful answer means."""

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        """What the answer's headers tell of the provider's limits."""

    def models_request(self, target: Target) -> HttpRequest:
        """The request for the list of the models that the credential may use; it costs nothing."""


@runtime_checkable
class TellsAccount(Protocol):
    """An adapter of a provider that tells, for nothing, what an account has left."""

    def account_request(self, target: Target) -> HttpRequest:
        """The request for how the account stands."""

    def account(self, body: bytes) -> str:
        """What is left, in a few words, of the answer to it; empty for one that says nothing."""


@value
class Head:
    """What the client may be told when its answer begins: who serves it, at which attempt, and what was left out.

    `handed` are headers of the provider's answer that its own clients look for.
    """

    target: Target
    attempts: int
    dropped: tuple[str, ...] = ()
    handed: tuple[tuple[str, str], ...] = ()


class Client(Protocol):
    """Where events go: the push side of a call.

    It takes what it is given at once. Whoever finds it `slow` afterwards gives it no more before it has `drained`.
    """

    @property
    def slow(self) -> bool:
        """Whether enough waits to be read already."""

    async def drained(self) -> None:
        """Wait while it is slow."""

    def begin(self, head: Head) -> None:
        """The answer commits to this target; nothing else may be tried after it."""

    def send(self, event: Event) -> None:
        """One event of the answer."""

    async def finish(self, end: End, exchange: Exchange) -> None:
        """The answer is complete and accounted for: release its last bytes, with what it cost."""

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """The call failed: as an error answer, or inside the answer when that has begun."""


class Meter(Protocol):
    """Anything that can run out. Each method is harmless if repeated for the same call id."""

    async def hold(self, call: Call, tokens: int, nanos: int) -> None:
        """Take an upper bound; raises `Failure` naming the scope that has not enough."""

    async def settle(self, call: Call, usage: Usage, nanos: int) -> None:
        """Turn the hold into what was used."""

    async def void(self, call: Call) -> None:
        """Give the hold back."""


class Quota(Protocol):
    """A provider's own limits, kept per credential by waiting in a fair queue."""

    async def hold(self, call: Call, target: Target, tokens: int) -> None:
        """Wait for a turn; raises `Failure` (`queue_timeout`) when none can come before the deadline."""

    def sent(self, call: Call, target: Target, sent_seconds: float) -> None:
        """The request went out only then, since a connection had to be opened first."""

    def settle(self, call: Call, target: Target, tokens: int) -> None:
        """Correct the tokens and free the place of a call that ended."""

    def void(self, call: Call, target: Target) -> None:
        """Give back all that a call held which was never sent."""

    def learn(self, target: Target, hints: RateHints) -> None:
        """Adjust to what the provider's headers say."""

    def refused(self, target: Target, retry_after_seconds: float | None) -> None:
        """The provider answered 429: stop that credential for a while and slow down."""


class Purse(Protocol):
    """Money: of every budget and wallet that limits a call. Each method is harmless if repeated for an attempt."""

    async def hold(self, attempt_id: str, key_id: str, provider: str, nanos: int) -> None:
        """Take an upper bound; raises `Failure` (`insufficient_quota`) naming the scope that has not enough."""

    async def settle(self, attempt_id: str, nanos: int) -> None:
        """Turn the hold into what the attempt cost; done once a crash cannot undo it."""

    def void(self, attempt_id: str) -> None:
        """Give the hold back, unless it was settled."""


class Recorder(Protocol):
    """Takes each finished exchange without waiting."""

    def record(self, exchange: Exchange) -> None:
        """Queue one exchange for the sinks."""
