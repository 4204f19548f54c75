"""The engine: whatever becomes of a call, what it held is let go once, and a record is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from oneflow_ai.core.call import Account, Call
from oneflow_ai.core.events import Decoder, End, Event, Raw, Usage
from oneflow_ai.core.failure import (
    DEADLINE_EXCEEDED,
    UNSUPPORTED_PARAMETER,
    UPSTREAM_CLOSED,
    UPSTREAM_OVERLOADED,
    UPSTREAM_TIMEOUT,
    UPSTREAM_TLS_ERROR,
    UPSTREAM_UNREACHABLE,
    Failure,
    Kind,
)
from oneflow_ai.core.ports import NO_HEADERS, Adapter, HttpRequest, RateHints
from oneflow_ai.core.price import UNITS, flat_price, free
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import ProviderLimits, RetryPolicy, Snapshot, Target
from oneflow_ai.flow.admission import Admission
from oneflow_ai.flow.attempt import Ways
from oneflow_ai.flow.engine import Desk, Engine
from oneflow_ai.policy.route import Router
from oneflow_ai.policy.score import ScoreBook
from oneflow_ai.stores.memory_limits import MemoryLimits
from oneflow_ai.stores.memory_quota import MemoryQuota
from oneflow_ai.testing import (
    NEVER,
    ListeningClient,
    Scripted,
    ScriptedUpstream,
    SeededChance,
    VirtualClock,
    run_virtual,
)
from tests.policy.places import planner, target
from tests.ports.calls import call

ACCOUNT = Account("key-1", requests_per_minute=10, concurrency=1)


@dataclass
class Plain:
    """An adapter whose answers are text, all of it one event; `usage` is what each is said to have used."""

    usage: Usage = Usage(3, 4)

    def request(self, call: Call, target: Target) -> HttpRequest:
        return HttpRequest("POST", target.base_url, (), b"", target.timeouts, target.way)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        return _PlainDecoder(self.usage)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        return Failure(UPSTREAM_CLOSED, f"{status}")

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        return None


@dataclass
class _PlainDecoder:
    usage: Usage

    def feed(self, chunk: bytes) -> list[Event]:
        return [Raw(chunk, 1), self.usage]

    def close(self) -> list[Event]:
        return [End("stop")]


class Whole(Plain):
    """An adapter whose answers are read to their end before anything of them is told; a failure quotes its body."""

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        return _WholeDecoder(self.usage)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        return Failure(UPSTREAM_OVERLOADED, f"{status} {body.decode()}")


@dataclass
class _WholeDecoder:
    usage: Usage
    content: bytes = b""

    def feed(self, chunk: bytes) -> list[Event]:
        self.content += chunk
        return []

    def close(self) -> list[Event]:
        return [Raw(self.content, 1), self.usage, End("stop")]


@dataclass
class Broken(Plain):
    """An adapter with a fault: its decoder breaks down `within` an answer, or at its end."""

    within: bool = False

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        return _BrokenDecoder(self.usage, self.within)


@dataclass
class _BrokenDecoder(_PlainDecoder):
    within: bool

    def feed(self, chunk: bytes) -> list[Event]:
        return super().feed(chunk) if self.within else []

    def close(self) -> list[Event]:
        raise RuntimeError("a fault of ours")


class Routes(Router):
    """Leads every call to the same targets."""

    def __init__(self, chain: Sequence[Target]) -> None:
        super().__init__(ScoreBook(), SeededChance(0))
        self._chain_told = chain

    def targets(self, snapshot: Snapshot, call: Call) -> Sequence[Target]:
        return self._chain_told


@dataclass
class Office:
    """An engine over one target that answers by script; `records` is what it recorded."""

    clock: VirtualClock
    answer: Scripted
    place: Target
    records: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits = MemoryLimits(self.clock)
        self.quota = MemoryQuota(self.clock, SeededChance(0))
        self.upstream = ScriptedUpstream(lambda request: self.answer, self.clock)
        snapshot = Snapshot("1", {}, {}, {}, RetryPolicy(attempts=1))
        ways = Ways(self.clock, self.quota, self.upstream)
        self.planner = planner()
        self.routes = Routes([self.place])
        self.engine = Engine(Desk(snapshot), self.routes, self.planner, Admission([self.limits]), ways, self)

    def record(self, exchange: Exchange) -> None:
        self.records.append(exchange)

    @property
    def held(self) -> int:
        """What is held at the provider."""
        state = self.quota.state(self.place.credential.id)
        return 0 if state is None else state.in_flight

    @property
    def requests_used(self) -> int:
        """What is used of the provider's minute."""
        state = self.quota.state(self.place.credential.id)
        return 0 if state is None else state.requests_used

    @property
    def requests_left(self) -> int | None:
        """What is left of the key's requests."""
        standing = self.limits.standing(ACCOUNT)
        return None if standing is None else standing.remaining_requests

    async def serve(self, client: ListeningClient, *, deadline_seconds: float = 600.0) -> None:
        await self.engine.serve(call(ACCOUNT, deadline_seconds=deadline_seconds), client)


def place(adapter: Plain | None = None, *, concurrency: int = 0, requests_per_minute: int = 0) -> Target:
    limits = ProviderLimits(requests_per_minute=requests_per_minute, concurrency=concurrency)
    return replace(target(), adapter=cast(Adapter, adapter or Plain()), price=free(), limits=limits)


PRICED = flat_price(dict.fromkeys(UNITS, 1_000))


async def give_up(office: Office, after_seconds: float) -> None:
    """A client that leaves so long after it asked."""
    asked = asyncio.create_task(office.serve(ListeningClient()))
    await asyncio.sleep(after_seconds)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


HELLO = Scripted(steps=(b"hello",))


def test_a_fault_as_the_cost_is_worked_out_leaves_nothing_held() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, HELLO, place(Plain(Usage(3, 4, cached_tokens=cast(int, "two")))))
        for _ in range(5):
            # The key may run one call at once: a hold that stayed would refuse the second.
            with pytest.raises(TypeError):
                await office.serve(ListeningClient())
        assert (office.held, office.requests_left) == (0, 10)
        assert [record.outcome for record in office.records] == ["internal_error"] * 5

    run_virtual(run)


def test_a_fault_of_ours_is_paid_by_nobody_unless_its_client_got_something() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        for within in (False, True):
            office = Office(clock, HELLO, replace(place(Broken(within=within)), price=PRICED))
            with pytest.raises(RuntimeError):
                await office.serve(ListeningClient())
            (record,) = office.records
            assert (record.outcome, [attempt.outcome for attempt in record.attempts]) == (
                "internal_error",
                ["internal_error"],
            )
            assert (record.cost_nanos > 0, record.served is not None) == (within, within)
            assert (office.held, office.requests_left) == (0, 9)

    run_virtual(run)


def test_a_fault_of_ours_before_anything_was_sent_costs_its_key_no_request() -> None:
    class Unable(Plain):
        """An adapter that cannot even ask."""

        def request(self, call: Call, target: Target) -> HttpRequest:
            raise RuntimeError("a fault of ours")

    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, HELLO, place(Unable()))
        with pytest.raises(RuntimeError):
            await office.serve(ListeningClient())
        assert [attempt.outcome for attempt in office.records[0].attempts] == ["internal_error"]
        assert (office.held, office.requests_left) == (0, 10)

    run_virtual(run)


class Unwilling(Plain):
    """An adapter that knows without asking that its provider cannot do it."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        raise Failure(UNSUPPORTED_PARAMETER, "no", param="n")


def test_what_was_refused_before_it_was_sent_is_on_record_and_no_try() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office, client = Office(clock, HELLO, place()), ListeningClient()
        office.routes._chain_told = [replace(place(Unwilling()), place="unwilling/m"), place()]
        await office.serve(client)
        assert client.head is not None and client.exchange is not None
        assert (client.head.attempts, client.exchange.tries, len(office.upstream.requests)) == (1, 1, 1)
        outcomes = [(attempt.outcome, attempt.asked) for attempt in client.exchange.attempts]
        assert outcomes == [("unsupported_parameter", False), ("ok", True)]

    run_virtual(run)


def test_a_call_given_up_while_it_waits_for_the_provider_costs_its_key_no_request() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, replace(HELLO, wait_seconds=30.0), place(concurrency=1))
        busy = asyncio.create_task(office.engine.serve(call("another"), ListeningClient()))
        await asyncio.sleep(1.0)
        await give_up(office, 1.0)
        assert (office.held, office.requests_left, len(office.upstream.requests)) == (1, 10, 1)
        assert [record.outcome for record in office.records] == ["client_closed"]
        await busy
        assert office.held == 0

    run_virtual(run)


@pytest.mark.parametrize("after_seconds", [0.001, 1.0])
def test_a_call_given_up_once_it_was_sent_counts(after_seconds: float) -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, replace(HELLO, wait_seconds=30.0), place())
        await give_up(office, after_seconds)
        assert (office.held, office.requests_left) == (0, 9)

    run_virtual(run)


def test_a_call_given_up_before_its_request_went_out_costs_nothing() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, replace(HELLO, connect_seconds=0.5, wait_seconds=30.0), place(requests_per_minute=5))
        for seconds, left, used in ((0.4, 10, 0), (0.6, 9, 1)):
            await give_up(office, seconds)
            assert (office.held, office.requests_left, office.requests_used) == (0, left, used)
        assert [record.served is None for record in office.records] == [True, False]

    run_virtual(run)


def test_a_call_that_no_turn_comes_for_counts_as_a_request() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, replace(HELLO, wait_seconds=30.0), place(concurrency=1))
        busy = asyncio.create_task(office.engine.serve(call("another"), ListeningClient()))
        await asyncio.sleep(1.0)
        client = ListeningClient()
        await office.serve(client, deadline_seconds=2.0)
        assert client.failure is not None
        assert (client.failure.code, office.requests_left) == ("queue_timeout", 9)
        await busy

    run_virtual(run)


@pytest.mark.parametrize(
    "kind", [UPSTREAM_TIMEOUT, UPSTREAM_UNREACHABLE, UPSTREAM_TLS_ERROR], ids=lambda kind: kind.code
)
@pytest.mark.parametrize(("deadline_seconds", "state"), [(1.0, "closed"), (60.0, "open")], ids=["cut", "its own"])
def test_a_wait_that_the_callers_deadline_cuts_is_held_against_nobody(
    kind: Kind, deadline_seconds: float, state: str
) -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, Scripted(wait_seconds=1.0, failure=Failure(kind, "nothing came of it")), place())
        for _ in range(10):
            client = ListeningClient()
            await office.serve(client, deadline_seconds=clock.monotonic() + deadline_seconds)
            assert client.failure is not None
            assert client.failure.kind is (DEADLINE_EXCEEDED if state == "closed" else kind)
            assert client.failure.status == (504 if state == "closed" else kind.status)
        breakers = {shown.place: str(shown.state) for shown in office.planner.book.shown(clock.monotonic())}
        assert breakers.get(office.place.place, "closed") == state

    run_virtual(run)


def test_a_whole_answer_that_stalls_after_its_first_bytes_times_out() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, Scripted(steps=(100.0, b"hal", 20.0, b"f", NEVER)), place(Whole()))
        client = ListeningClient()
        await office.serve(client)
        assert client.failure is not None
        assert (client.failure.kind, client.head) == (UPSTREAM_TIMEOUT, None)
        # The first bytes may take their time; what follows them may pause for 30 s.
        assert clock.monotonic() == 150.0

    run_virtual(run)


def test_a_whole_answer_may_take_its_time_to_begin_and_then_come_slowly() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, Scripted(steps=(500.0, b"a", 29.0, b"b", 29.0, b"c", 29.0)), place(Whole()))
        client = ListeningClient()
        await office.serve(client)
        assert (client.failure, client.events) == (None, [Raw(b"abc", 1)])

    run_virtual(run)


@pytest.mark.parametrize(
    ("steps", "told"),
    [((NEVER,), ""), ((b"{", NEVER), "{"), ((b"{", *(0.75, b".") * 100), "{.."), ((1.0, b"{", 0.5, b"}"), "{}")],
    ids=["silent", "stalled", "dripping", "slow"],
)
@pytest.mark.parametrize("deadline_seconds", [600.0, 2.0])
def test_a_refusal_whose_body_does_not_end_is_known_by_its_status(
    steps: tuple[bytes | float, ...], told: str, deadline_seconds: float
) -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, Scripted(503, steps=steps), place(Whole()))
        client = ListeningClient()
        await office.serve(client, deadline_seconds=deadline_seconds)
        assert client.failure is not None
        assert (client.failure.kind, client.failure.message) == (UPSTREAM_OVERLOADED, f"503 {told}")
        assert clock.monotonic() <= 2.0

    run_virtual(run)


def test_a_refusal_whose_connection_breaks_is_a_broken_connection() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, Scripted(503, steps=(b"{", Failure(UPSTREAM_CLOSED, "gone"))), place(Whole()))
        client = ListeningClient()
        await office.serve(client)
        assert client.failure is not None
        assert client.failure.kind is UPSTREAM_CLOSED

    run_virtual(run)
