"""Look-ups of names: shared, kept for a while, in threads of their own, so that no name holds up another (F1)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

import pytest
import uvloop

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.kept_names import FRESH_SECONDS, LAST_SECONDS, NAMES_MOST, KeptNames
from oneflow_ai.upstream.system_names import THREADS_MOST, SystemNames
from tests.upstreams import KINDS, Kind, failure_of, request_to, soon, upstream_of, whole

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
HOST = "api.provider.example"
OLD, NEW = ("1.1.1.1",), ("8.8.8.8",)


class Lookups:
    """A blocking look-up that answers as it is told; a name in `hung` waits until it is let go."""

    def __init__(self, answers: Mapping[str, Sequence[str]] | None = None) -> None:
        self.answers = dict(answers or {})
        self.hung: set[str] = set()
        self.go = threading.Event()
        self.asked: Counter[str] = Counter()
        self.most = self._now = 0
        self._lock = threading.Lock()

    def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        with self._lock:
            self.asked[host] += 1
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            if host in self.hung:
                assert self.go.wait(20)
            if host not in self.answers:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return self.answers[host]
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def lookups() -> Iterator[Lookups]:
    found = Lookups({HOST: OLD})
    yield found
    found.go.set()
    for thread in threading.enumerate():
        if thread.name == "look-up":
            assert thread.daemon
            thread.join(5)


@pytest.fixture(params=LOOPS.values(), ids=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[None, None, None]], None]:
    """Runs on either loop."""

    def on_loop(work: Coroutine[None, None, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(work)

    return on_loop


Run = Callable[[Coroutine[None, None, None]], None]


def _stale() -> KeptNames:
    """Nothing in it is fresh."""
    return KeptNames(fresh_seconds=-1.0)


def test_an_answer_is_fresh_for_a_while_and_the_last_good_one_for_longer() -> None:
    kept = KeptNames()
    place = (HOST, 443)
    assert (kept.fresh(place, 100.0), kept.last(place, 100.0)) == (None, None)
    kept.keep(place, OLD, 100.0)
    assert kept.fresh(place, 100.0 + FRESH_SECONDS) == OLD
    assert kept.fresh(place, 100.1 + FRESH_SECONDS) is None
    assert kept.last(place, 100.0 + LAST_SECONDS) == OLD
    assert kept.last(place, 100.1 + LAST_SECONDS) is None
    assert kept.last((HOST, 80), 100.0) is None
    kept.keep(place, NEW, 200.0)
    assert kept.fresh(place, 200.0) == NEW


def test_names_are_kept_within_a_bound_and_the_oldest_goes() -> None:
    kept = KeptNames()
    for number in range(NAMES_MOST):
        kept.keep((f"{number}.example", 443), OLD, 0.0)
    kept.keep(("0.example", 443), NEW, 1.0)
    kept.keep((HOST, 443), OLD, 1.0)
    assert kept.last(("0.example", 443), 1.0) == NEW
    assert kept.last(("1.example", 443), 1.0) is None


def test_one_look_up_serves_all_who_ask_and_outlives_those_who_leave(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups)
        lookups.hung = {HOST}
        asking = [asyncio.create_task(names(HOST, 443)) for _ in range(20)]
        await asyncio.sleep(0.05)
        for one in asking[:5]:
            one.cancel()
        await asyncio.wait(asking[:5])
        lookups.go.set()
        assert await asyncio.gather(*asking[5:]) == [OLD] * 15
        assert await names(HOST, 443) == OLD
        assert lookups.asked[HOST] == 1

    run(play())


def test_a_look_up_that_nobody_waits_for_any_more_serves_the_next(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups)
        lookups.hung = {HOST}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(names(HOST, 443), 0.05)
        lookups.go.set()
        assert await asyncio.wait_for(names(HOST, 443), 5) == OLD
        assert lookups.asked[HOST] == 1

    run(play())


def test_names_that_hang_hold_up_no_other(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups)
        lookups.hung = {f"{number}.hung.example" for number in range(12)}
        hung = [asyncio.create_task(names(name, 443)) for name in lookups.hung for _ in range(3)]
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(names(HOST, 443), 1) == OLD
        lookups.go.set()
        outcomes = await asyncio.gather(*hung, return_exceptions=True)
        assert all(isinstance(outcome, OSError) for outcome in outcomes)
        assert set(lookups.asked.values()) == {1}

    run(play())


def test_look_ups_are_bounded_and_those_beyond_wait_for_their_turn(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups)
        hosts = [f"{number}.example" for number in range(2 * THREADS_MOST)]
        lookups.answers = dict.fromkeys(hosts, NEW)
        lookups.hung = set(hosts)
        asking = [asyncio.create_task(names(host, 443)) for host in hosts]
        await asyncio.sleep(0.1)
        assert len(lookups.asked) == THREADS_MOST
        lookups.go.set()
        assert await asyncio.gather(*asking) == [NEW] * len(hosts)
        assert lookups.most == THREADS_MOST

    run(play())


def test_a_failed_look_up_is_tried_anew_by_the_next(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups)
        del lookups.answers[HOST]
        for _ in range(2):
            with pytest.raises(OSError, match="Temporary failure"):
                await names(HOST, 443)
        lookups.answers[HOST] = NEW
        assert await names(HOST, 443) == NEW

    run(play())


def test_the_last_good_answer_is_used_while_look_ups_fail_or_find_nothing(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups, _stale())
        assert await names(HOST, 443) == OLD
        del lookups.answers[HOST]
        assert await names(HOST, 443) == OLD
        lookups.answers[HOST] = ()
        assert await names(HOST, 443) == OLD
        lookups.answers[HOST] = NEW
        assert await names(HOST, 443) == NEW
        assert lookups.asked[HOST] == 4

    run(play())


def test_the_last_good_answer_is_used_while_a_look_up_is_slow_and_the_new_one_after_it(
    lookups: Lookups, run: Run
) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        names = SystemNames(lookups, _stale(), slow_seconds=0.1)
        assert await names(HOST, 443) == OLD
        lookups.hung, lookups.answers[HOST] = {HOST}, NEW
        began = loop.time()
        assert await names(HOST, 443) == OLD
        assert 0.09 < loop.time() - began < 1.0
        # That it is slow is known by now.
        began = loop.time()
        assert await names(HOST, 443) == OLD
        assert loop.time() - began < 0.09
        lookups.go.set()
        await asyncio.sleep(0.1)
        assert await names(HOST, 443) == NEW
        assert lookups.asked[HOST] == 3

    run(play())


def test_the_last_good_answer_has_an_end(lookups: Lookups, run: Run) -> None:
    async def play() -> None:
        names = SystemNames(lookups, KeptNames(fresh_seconds=-1.0, last_seconds=-1.0))
        assert await names(HOST, 443) == OLD
        del lookups.answers[HOST]
        with pytest.raises(OSError, match="Temporary failure"):
            await names(HOST, 443)

    run(play())


@pytest.mark.parametrize("host", ["a\0b.example", "x" * 300 + ".example", "é" * 100 + ".example"])
async def test_a_name_that_is_none_is_told_as_such(host: str) -> None:
    with pytest.raises((OSError, ValueError)):
        await asyncio.wait_for(SystemNames()(host, 443), 5)


async def test_the_systems_own_look_up_finds_this_machine() -> None:
    assert set(await SystemNames()("localhost", 443)) <= {"127.0.0.1", "::1"}


async def test_look_ups_without_a_thread_to_run_in_fail(lookups: Lookups, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names = SystemNames(lookups)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        with pytest.raises(OSError, match="thread"):
            await names(HOST, 443)
    assert await names(HOST, 443) == OLD


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_a_kept_answer_is_checked_at_each_new_connection(kind: Kind, lookups: Lookups) -> None:
    lookups.answers[HOST] = ("127.0.0.1",)
    names = SystemNames(lookups)
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        place = simulator.base_url.replace("127.0.0.1", HOST)
        async with upstream_of(kind, Way(resolver=names, private=True)) as upstream:
            assert (await whole(upstream, request_to(place)))[0] == 200
        async with upstream_of(kind, Way(resolver=names)) as upstream:
            failure = await failure_of(lambda: upstream.send(request_to(place), soon()))
        assert failure.kind is kinds.UPSTREAM_BLOCKED
        assert lookups.asked[HOST] == 1
        assert simulator.record.counts.connections == 1


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_an_answer_whose_addresses_all_refuse_is_not_used_again(kind: Kind, lookups: Lookups) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        # Nobody listens there on this port: the provider has moved.
        lookups.answers[HOST] = ("127.0.0.2", "127.0.0.3")
        place = simulator.base_url.replace("127.0.0.1", HOST)
        async with upstream_of(kind, Way(resolver=SystemNames(lookups), private=True)) as upstream:
            failure = await failure_of(lambda: upstream.send(request_to(place), soon()))
            assert failure.kind is kinds.UPSTREAM_UNREACHABLE
            lookups.answers[HOST] = ("127.0.0.1",)
            assert (await whole(upstream, request_to(place)))[0] == 200
        assert lookups.asked[HOST] == 2


def test_a_doubted_answer_is_not_fresh_but_the_last_good_one() -> None:
    kept = KeptNames()
    place = (HOST, 443)
    kept.doubt(place)
    kept.keep(place, OLD, 100.0)
    assert kept.fresh(place, 100.0) == OLD
    kept.doubt(place)
    assert (kept.fresh(place, 100.0), kept.last(place, 100.0)) == (None, OLD)
    kept.keep(place, NEW, 101.0)
    assert kept.fresh(place, 101.0) == NEW
