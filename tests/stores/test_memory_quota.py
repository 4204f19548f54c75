"""What is particular to the quota kept in this process: its speed, its bounds, and what it tells of itself."""

import asyncio
import gc
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import OVERLOADED, QUEUE_TIMEOUT, Failure
from oneflow_ai.core.ports import RateHints
from oneflow_ai.core.target import ProviderLimits
from oneflow_ai.policy.fair import QUEUE_OF_KEY_MOST
from oneflow_ai.policy.rate import WINDOW_SECONDS
from oneflow_ai.stores.memory_quota import CREDENTIALS_MOST, PLACES_MOST, MemoryQuota, QuotaState
from oneflow_ai.testing import SeededChance, StepClock, VirtualClock, VirtualLoop, run_virtual
from tests.ports.calls import call, target

REQUESTS, TOKENS, CONCURRENCY = 4, 100, 3
LIMITED = target(ProviderLimits(REQUESTS, TOKENS, CONCURRENCY))


def known(quota: MemoryQuota, credential: str = "openai#1") -> QuotaState:
    """How a credential stands that has been asked for."""
    state = quota.state(credential)
    assert state is not None
    return state


class QuotaMachine(RuleBasedStateMachine):
    """Random holds, cancels, settles, refusals and steps of time: no limit is ever passed, and nothing stays behind."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.quota = MemoryQuota(self.clock, SeededChance(0))
        self.waiting: dict[asyncio.Task[None], Call] = {}
        self.running: dict[str, tuple[Call, int]] = {}
        self.sent: dict[str, tuple[float, int]] = {}
        self.stopped_until_seconds = 0.0

    @rule(key=st.sampled_from("abc"), tokens=st.integers(0, 150), patience_seconds=st.integers(0, 200))
    def ask(self, key: str, tokens: int, patience_seconds: int) -> None:
        mine = call(key, deadline_seconds=self.clock.monotonic() + patience_seconds)
        self.waiting[self.loop.create_task(self._hold(mine, tokens))] = mine
        self._go_on()

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 100))
    def give_up(self, which: int) -> None:
        list(self.waiting)[which % len(self.waiting)].cancel()
        self._go_on()

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 100), part=st.floats(0, 1), others_give_up=st.booleans())
    def settle(self, which: int, part: float, others_give_up: bool) -> None:
        mine, tokens = self.running.pop(list(self.running)[which % len(self.running)])
        used = int(tokens * part)
        self.sent[mine.id] = (self.sent[mine.id][0], used)
        self.quota.settle(mine, LIMITED, used)
        for task in list(self.waiting)[: 1 if others_give_up else 0]:
            task.cancel()
        self._go_on()

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 100))
    def never_send(self, which: int) -> None:
        mine, _ = self.running.pop(list(self.running)[which % len(self.running)])
        del self.sent[mine.id]
        self.quota.void(mine, LIMITED)
        self._go_on()

    @rule(seconds=st.one_of(st.floats(0, 2), st.floats(0, 80)))
    def wait(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self._go_on()

    @rule(hours=st.integers(-24, 24))
    def set_the_wall_clock(self, hours: int) -> None:
        self.clock.jump_wall(hours * 3600.0)

    @rule(seconds=st.floats(0, 20))
    def refuse(self, seconds: float) -> None:
        self.quota.refused(LIMITED, seconds)
        self.stopped_until_seconds = max(self.stopped_until_seconds, self.clock.monotonic() + seconds)
        self._go_on()

    @invariant()
    def limits_are_kept(self) -> None:
        now = self.clock.monotonic()
        in_window = [tokens for at, tokens in self.sent.values() if at + WINDOW_SECONDS > now + 0.01]
        assert len(self.running) <= CONCURRENCY
        assert len(in_window) <= REQUESTS
        assert sum(in_window) <= TOKENS or len([tokens for tokens in in_window if tokens]) == 1

    @invariant()
    def it_tells_the_truth(self) -> None:
        state = self.quota.state("openai#1")
        if state is not None:
            assert state.in_flight == len(self.running)
            assert state.waiting == len(self.waiting)

    @invariant()
    def nobody_waits_without_need(self) -> None:
        if self.waiting and self.clock.monotonic() >= self.stopped_until_seconds:
            assert self.running or self.sent or known(self.quota).factor < 1.0 or known(self.quota).stopped_seconds

    def teardown(self) -> None:
        for task in list(self.waiting):
            task.cancel()
        self._go_on()
        for mine, tokens in self.running.values():
            self.quota.settle(mine, LIMITED, tokens)
        self.loop.run_until_complete(asyncio.sleep(500.0))
        state = self.quota.state("openai#1")
        tasks = asyncio.all_tasks(self.loop)
        faults = self.loop.faults
        self.loop.close()
        assert not tasks
        assert not faults
        if state is not None:
            assert (state.waiting, state.in_flight, state.requests_used, state.tokens_used) == (0, 0, 0, 0)

    async def _hold(self, mine: Call, tokens: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await self.quota.hold(mine, LIMITED, tokens)
            now = self.clock.monotonic()
            assert now >= self.stopped_until_seconds
            assert now <= mine.deadline_seconds + 0.01 or now == mine.deadline_seconds
            self.running[mine.id] = (mine, tokens)
            self.sent[mine.id] = (now, tokens)
        except Failure as failure:
            self._note(failure)
        finally:
            self.waiting.pop(task)

    def _note(self, failure: Failure) -> None:
        if failure.kind is not QUEUE_TIMEOUT:
            self.loop.faults.append(failure)

    def _go_on(self) -> None:
        async def some_rounds() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(some_rounds())


TestMemoryQuota = QuotaMachine.TestCase
TestMemoryQuota.settings = settings(max_examples=80, stateful_step_count=40)


@pytest.mark.parametrize(
    "limits",
    [ProviderLimits(), ProviderLimits(60), ProviderLimits(60, 10_000, 10)],
    ids=["no limits", "requests", "all"],
)
@pytest.mark.parametrize("learned", [False, True])
def test_a_call_that_finds_room_never_suspends(limits: ProviderLimits, learned: bool) -> None:
    """It runs to its end without a loop, so it makes no future, no task and no timer."""
    quota = MemoryQuota(StepClock(), SeededChance(0))
    where = target(limits)
    if learned:
        quota.learn(where, RateHints(limit_requests=50, remaining_requests=50, reset_requests_seconds=0.0))
    with pytest.raises(StopIteration):
        quota.hold(call(), where, 10).send(None)
    assert known(quota).in_flight == 1


def test_nothing_is_left_of_a_hundred_thousand_calls() -> None:
    where = target(ProviderLimits(requests_per_minute=100_000, tokens_per_minute=1_000_000_000, concurrency=2))

    async def rounds(quota: MemoryQuota, clock: VirtualClock, count: int) -> None:
        for number in range(count):
            first, second, third, fourth = (call(f"key-{number % 100}", deadline_seconds=1e9) for _ in range(4))
            await quota.hold(first, where, 10)
            await quota.hold(second, where, 10)
            given_up = asyncio.ensure_future(quota.hold(third, where, 10))
            patient = asyncio.ensure_future(quota.hold(fourth, where, 10))
            await asyncio.sleep(0)
            given_up.cancel()
            quota.settle(first, where, 5)
            await patient
            quota.settle(second, where, 5)
            quota.settle(fourth, where, 5)
            await clock.sleep(0.01)

    async def story(clock: VirtualClock, chance: SeededChance) -> tuple[int, int]:
        quota = MemoryQuota(clock, chance)
        await rounds(quota, clock, 2_000)
        gc.collect()
        before = len(gc.get_objects())
        await rounds(quota, clock, 23_000)
        gc.collect()
        state = known(quota)
        assert (state.waiting, state.in_flight) == (0, 0)
        return before, len(gc.get_objects())

    before, after = run_virtual(story)
    assert after - before < 2_000


def test_those_who_gave_up_are_not_kept_until_their_deadline() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> int:
        quota = MemoryQuota(clock, chance)
        where = target(ProviderLimits(concurrency=1))
        first = call()
        await quota.hold(first, where, 1)
        waiting = asyncio.ensure_future(quota.hold(call(deadline_seconds=100.0), where, 1))
        await asyncio.sleep(0)
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(5_000):
            given_up = asyncio.ensure_future(quota.hold(call(deadline_seconds=500.0), where, 1))
            await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
        gc.collect()
        grown = len(gc.get_objects()) - before
        quota.settle(first, where, 1)
        await waiting
        return grown

    assert run_virtual(story) < 1_000


def test_it_tells_how_a_credential_stands() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        assert quota.state("openai#1") is None
        for _ in range(3):
            await quota.hold(call(), LIMITED, 20)
        waiting = asyncio.ensure_future(quota.hold(call(), LIMITED, 20))
        await asyncio.sleep(0)
        assert known(quota) == QuotaState(
            waiting=1,
            in_flight=3,
            requests_used=3,
            requests_limit=4,
            tokens_used=60,
            tokens_limit=100,
            concurrency_limit=3,
            stopped_seconds=0.0,
            factor=1.0,
        )
        quota.refused(LIMITED, 10.0)
        assert 10.0 <= known(quota).stopped_seconds <= 11.0
        assert (known(quota).factor, known(quota).requests_limit) == (0.8, 3)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    run_virtual(story)


def test_a_call_that_was_never_sent_leaves_no_mark() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        for _ in range(100):
            mine = call()
            await quota.hold(mine, LIMITED, 90)
            quota.void(mine, LIMITED)
            quota.void(mine, LIMITED)
        assert (known(quota).requests_used, known(quota).tokens_used, known(quota).in_flight) == (0, 0, 0)

    run_virtual(story)


def test_a_request_that_had_to_wait_for_its_connection_has_its_minute_counted_from_then() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        where = target(ProviderLimits(requests_per_minute=1))
        quota.learn(where, RateHints(limit_requests=1))
        mine = call()
        await quota.hold(mine, where, 1)
        await clock.sleep(9.0)
        quota.sent(mine, where, 4.0)
        await quota.hold(call(), where, 1)
        assert clock.monotonic() == pytest.approx(64.5, abs=0.01)

    run_virtual(story)


def test_a_turn_that_a_busy_loop_takes_up_late_counts_from_when_it_is_taken_up() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        slow = StepClock()
        quota = MemoryQuota(slow, chance)
        where = target(ProviderLimits(requests_per_minute=1, concurrency=1))
        mine, next_one = call(), call()
        await quota.hold(mine, where, 1)
        waiting = asyncio.ensure_future(quota.hold(next_one, where, 1))
        await asyncio.sleep(0)
        slow.step(61.0)
        quota.settle(mine, where, 1)
        slow.step(5.0)
        await waiting
        quota.settle(next_one, where, 1)
        assert quota.expected_seconds(call(), where, 1) == WINDOW_SECONDS

    run_virtual(story)


def test_estimates_far_too_high_hold_back_only_as_long_as_calls_last() -> None:
    """A call may hold a long answer's tokens and use a hundredth: the next ones wait for its end, not for a minute."""

    async def story(clock: VirtualClock, chance: SeededChance) -> float:
        quota = MemoryQuota(clock, chance)
        where = target(ProviderLimits(tokens_per_minute=220_000))

        async def one() -> None:
            mine = call(deadline_seconds=clock.monotonic() + 10.0)
            await quota.hold(mine, where, 33_000)
            await clock.sleep(2.0)
            quota.settle(mine, where, 300)

        for _ in range(5):
            await asyncio.gather(*(one() for _ in range(12)))
        return clock.monotonic()

    assert run_virtual(story) == pytest.approx(20.0, abs=0.5)


def test_another_configuration_holds_for_those_who_wait() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        narrow, wide = target(ProviderLimits(requests_per_minute=1)), target(ProviderLimits(requests_per_minute=100))
        await quota.hold(call(), narrow, 1)
        waiting = asyncio.ensure_future(quota.hold(call(), narrow, 1))
        await clock.sleep(1.0)
        await quota.hold(call(), wide, 1)
        await waiting
        assert clock.monotonic() == 1.0
        assert known(quota).requests_used == 3

    run_virtual(story)


def test_headers_of_more_models_than_it_remembers_change_nothing_for_those_in_use() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        limits = ProviderLimits(requests_per_minute=1_000)
        models = [target(limits, model=f"model-{number}") for number in range(PLACES_MOST + 10)]
        for where in models:
            quota.learn(where, RateHints(limit_requests=3))
            await quota.hold(call(), where, 1)
        quota.learn(models[0], RateHints(limit_requests=1))
        assert quota.expected_seconds(call(), models[0], 1) == pytest.approx(WINDOW_SECONDS)
        await clock.sleep(61.0)
        quota.learn(models[-1], RateHints(limit_requests=1))
        assert quota.expected_seconds(call(), models[-1], 1) == 0.0

    run_virtual(story)


def test_credentials_are_bounded_and_only_idle_ones_are_forgotten() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        limits = ProviderLimits(requests_per_minute=1)
        calls = deque[tuple[Call, str]]()
        for number in range(CREDENTIALS_MOST):
            calls.append((call(), f"credential-{number}"))
            await quota.hold(calls[-1][0], target(limits, credential=calls[-1][1]), 1)
        with pytest.raises(Failure) as refused:
            await quota.hold(call(), target(limits, credential="one more"), 1)
        assert (refused.value.kind, refused.value.retry_after_seconds) == (OVERLOADED, WINDOW_SECONDS)
        for mine, credential in calls:
            quota.settle(mine, target(limits, credential=credential), 1)
        await clock.sleep(61.0)
        await quota.hold(call(), target(limits, credential="one more"), 1)
        assert sum(quota.state(credential) is None for _, credential in calls) >= 1

    run_virtual(story)


def test_a_call_that_the_queue_has_no_place_for_is_told_when_its_turn_would_come() -> None:
    async def story(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        where = target(ProviderLimits(requests_per_minute=1))
        await quota.hold(call(deadline_seconds=1e9), where, 1)
        waiting = [
            asyncio.ensure_future(quota.hold(call(deadline_seconds=1e9), where, 1)) for _ in range(QUEUE_OF_KEY_MOST)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Failure) as refused:
            await quota.hold(call(deadline_seconds=1e9), where, 1)
        assert refused.value.kind is QUEUE_TIMEOUT
        assert refused.value.retry_after_seconds == pytest.approx((QUEUE_OF_KEY_MOST + 1) * 60.0, rel=0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run_virtual(story)
