"""Limits as arithmetic: what a minute has room for, and that no minute ever holds more."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from oneflow_ai.policy.rate import SLOTS_MOST, WINDOW_SECONDS, Concurrency, Gcra, SlidingLog, Slot, TokenReservations

MINUTE_SECONDS = 60.0
JITTER_SECONDS = WINDOW_SECONDS - MINUTE_SECONDS
ROUNDING_SECONDS = 1e-6


def most_in_a_minute(arrivals: list[float]) -> int:
    """The most arrivals that any 60 s hold."""
    arrivals = sorted(arrivals)
    most = first = 0
    for last, arrival in enumerate(arrivals):
        while arrival - arrivals[first] >= MINUTE_SECONDS - ROUNDING_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most


class SlidingLogMachine(RuleBasedStateMachine):
    """Sends whenever there is room, delayed unequally on the way: no 60 s at the provider holds more than the limit."""

    LIMIT = 5
    log: SlidingLog

    def __init__(self) -> None:
        super().__init__()
        self.log = SlidingLog(self.LIMIT)
        self.now_seconds = 0.0
        self.arrivals: list[float] = []
        self.taken: list[tuple[Slot, float]] = []

    @rule(seconds=st.one_of(st.floats(0, 1), st.floats(0, 70), st.just(WINDOW_SECONDS)))
    def wait(self, seconds: float) -> None:
        self.now_seconds += seconds

    @rule(delay_seconds=st.floats(0, JITTER_SECONDS))
    def send(self, delay_seconds: float) -> None:
        if self.log.room(self.now_seconds):
            self.taken.append((self.log.take(self.now_seconds), self.now_seconds + delay_seconds))

    @rule()
    def wait_for_the_next_place(self) -> None:
        when = self.log.next_free_seconds(self.now_seconds)
        if when - self.now_seconds > ROUNDING_SECONDS:
            assert not self.log.room(when - ROUNDING_SECONDS)
        self.now_seconds = max(self.now_seconds, when)
        assert self.log.room(self.now_seconds)

    @rule()
    def never_send_the_last(self) -> None:
        if self.taken:
            self.log.give_back(self.taken.pop()[0])

    @invariant()
    def the_provider_is_content(self) -> None:
        assert most_in_a_minute([arrival for _, arrival in self.taken]) <= self.LIMIT


class CoarseLogMachine(SlidingLogMachine):
    """The same where sends that lie close together share a place."""

    def __init__(self) -> None:
        super().__init__()
        self.log = SlidingLog(self.LIMIT, coarse=True)


STEPS = settings(max_examples=60, stateful_step_count=40)
TestSlidingLog = SlidingLogMachine.TestCase
TestSlidingLog.settings = STEPS
TestCoarseLog = CoarseLogMachine.TestCase
TestCoarseLog.settings = STEPS


def test_a_place_is_free_again_a_minute_and_a_half_second_after_it_was_taken() -> None:
    log = SlidingLog(1)
    log.take(100.0)
    assert log.next_free_seconds(100.0) == 160.5
    assert not log.room(160.49)
    assert log.room(160.5)


def test_no_limit_has_room_for_everything_and_still_counts() -> None:
    log = SlidingLog(0)
    for _ in range(10_000):
        assert log.room(1.0)
        log.take(1.0)
    assert log.used == 10_000


def test_a_log_of_a_large_limit_stays_small_and_strict() -> None:
    limit = 30_000
    log = SlidingLog(limit)
    sent: list[float] = []
    for step in range(130_000):
        now = step * 0.001
        if log.room(now):
            log.take(now)
            sent.append(now)
    assert len(log) <= SLOTS_MOST + 2
    assert most_in_a_minute(sent) == limit
    assert len(sent) > 2 * limit, "the second window was used too"


def test_what_shares_a_place_leaves_with_the_last_of_it() -> None:
    log = SlidingLog(2, coarse=True)
    log.take(0.0)
    log.take(0.05)
    assert len(log) == 1
    assert log.next_free_seconds(1.0) == 60.55


@pytest.mark.parametrize(("told_seconds", "free_seconds"), [(4.0, 65.5), (5.0, 65.5), (7.0, 67.5)])
def test_what_is_told_late_never_counts_from_before_the_last_send(told_seconds: float, free_seconds: float) -> None:
    log = SlidingLog(2)
    early = log.take(0.0)
    log.take(5.0)
    log.give_back(early)
    log.take(told_seconds)
    assert log.next_free_seconds(10.0, 2) == free_seconds


@pytest.mark.parametrize("limit", [0, 1, SLOTS_MOST, 100_000])
def test_what_was_given_back_does_not_pile_up(limit: int) -> None:
    log = SlidingLog(limit)
    earlier = log.take(0.0)
    for step in range(10_000):
        later = log.take(1.0 + step * 0.001)
        log.give_back(earlier)
        earlier = later
    assert log.used == 1
    assert len(log) <= 2 * SLOTS_MOST + 2


def test_another_limit_keeps_what_was_sent() -> None:
    log = SlidingLog(3)
    for _ in range(3):
        log.take(0.0)
    log.resize(4)
    assert log.room(1.0)
    log.resize(2)
    assert not log.room(60.0)


@pytest.mark.parametrize(
    ("used", "remaining", "room"),
    [
        pytest.param(2, 8, True, id="the provider agrees"),
        pytest.param(2, 10, True, id="the provider has not seen ours yet"),
        pytest.param(2, 1, True, id="others use the key"),
        pytest.param(2, 0, False, id="others used it up"),
        pytest.param(10, 5, False, id="our own count is the stricter"),
    ],
)
def test_the_stricter_of_our_view_and_the_providers_holds(used: int, remaining: int, room: bool) -> None:
    log = SlidingLog(10)
    for _ in range(used):
        log.take(0.0)
    log.true_up(1.0, 10 - remaining, 31.0)
    assert log.room(2.0) is room


def test_what_others_use_is_free_at_the_providers_reset_or_with_its_next_word() -> None:
    log = SlidingLog(10)
    log.true_up(0.0, 10, 30.0)
    assert log.next_free_seconds(1.0) == 30.0
    assert log.room(30.0)
    log.true_up(40.0, 10, 70.0)
    log.true_up(41.0, 9, 71.0)
    assert log.room(41.0)


def test_a_schedule_takes_places_as_they_fall_free_and_again_a_window_later() -> None:
    log = SlidingLog(2)
    log.take(0.0)
    log.take(10.0)
    served_seconds = log.schedule(20.0, 20.0)
    assert [served_seconds(n) for n in (1, 2, 3, 4)] == [60.5, 70.5, 121.0, 131.0]


def test_a_schedule_knows_of_what_others_use() -> None:
    log = SlidingLog(2)
    log.take(0.0)
    log.true_up(10.0, 2, 40.0)
    assert log.schedule(10.0, 10.0)(1) == 40.0
    assert log.schedule(10.0, 10.0)(2) == 60.5


def test_tokens_are_reserved_by_estimate_and_corrected() -> None:
    tokens = TokenReservations(1_000)
    slot = tokens.take(0.0, 800)
    assert not tokens.room(1.0, 300)
    tokens.correct(slot, 1.0, 800, 500)
    assert tokens.room(1.0, 300)
    more = tokens.take(2.0, 300)
    tokens.correct(more, 3.0, 300, 450)
    assert tokens.used == 950
    assert tokens.next_free_seconds(3.0, 200) == 60.5


def test_a_correction_after_the_window_changes_nothing() -> None:
    tokens = TokenReservations(1_000)
    slot = tokens.take(0.0, 800)
    assert tokens.room(61.0, 1_000)
    tokens.correct(slot, 61.0, 800, 100)
    assert tokens.used == 0


def test_a_call_above_the_limit_runs_alone() -> None:
    tokens = TokenReservations(1_000)
    tokens.take(0.0, 10)
    assert not tokens.room(1.0, 5_000)
    assert tokens.next_free_seconds(1.0, 5_000) == 60.5
    assert tokens.room(60.5, 5_000)
    tokens.take(60.5, 5_000)
    assert not tokens.room(61.0, 1)


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 400), st.integers(0, 400)), max_size=60))
def test_no_window_reserves_more_tokens_than_the_limit(calls: list[tuple[float, int, int]]) -> None:
    limit, now = 1_000, 0.0
    tokens = TokenReservations(limit)
    used: list[tuple[float, int]] = []
    for gap_seconds, estimate, actual in calls:
        now += gap_seconds
        if tokens.room(now, estimate):
            tokens.correct(tokens.take(now, estimate), now, estimate, min(actual, estimate))
            used.append((now, min(actual, estimate)))
    for start, _ in used:
        assert sum(amount for at, amount in used if start <= at < start + MINUTE_SECONDS) <= limit


def test_concurrency_counts_and_foresees() -> None:
    running = Concurrency(2)
    assert running.room()
    running.in_flight = 2
    assert not running.room()
    running.end(10.0)
    assert running.room()
    assert running.mean_seconds == 10.0
    assert running.served_seconds(1, 100.0) == 100.0
    assert running.served_seconds(3, 100.0) == 110.0


GCRA_RATE = 90
GCRA_BURST = 7


class GcraMachine(RuleBasedStateMachine):
    """In any stretch of time, what is taken less what is given back is at most rate · t + burst."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = Gcra(GCRA_RATE, GCRA_BURST)
        self.microseconds = 0
        self.flows: list[tuple[int, int]] = []
        self.taken = 0

    @property
    def now_seconds(self) -> float:
        return self.microseconds / 1e6

    @rule(microseconds=st.one_of(st.integers(0, 3), st.integers(0, 2_000_000), st.integers(0, 90_000_000)))
    def wait(self, microseconds: int) -> None:
        self.microseconds += microseconds

    @rule(cost=st.integers(1, GCRA_BURST))
    def take(self, cost: int) -> None:
        if self.bucket.wait_seconds(self.now_seconds, cost) == 0.0:
            self._take(cost)

    @rule(cost=st.integers(1, GCRA_BURST + 2), kept=st.booleans())
    def take_if_there(self, cost: int, kept: bool) -> None:
        before = self.bucket.standing(self.now_seconds)
        wait_seconds = self.bucket.wait_seconds(self.now_seconds, cost)
        there = self.bucket.take_if_there(self.now_seconds, cost)
        assert there is (wait_seconds == 0.0)
        if there and kept:
            self.flows.append((self.microseconds, cost))
            self.taken = cost
        elif there:
            self.bucket.refund(cost)
        if not (there and kept):
            assert self.bucket.standing(self.now_seconds) == before
            assert self.bucket.wait_seconds(self.now_seconds, cost) == wait_seconds

    @rule(cost=st.integers(1, GCRA_BURST))
    def wait_as_told_and_take(self, cost: int) -> None:
        wait_seconds = self.bucket.wait_seconds(self.now_seconds, cost)
        assert wait_seconds is not None
        self.microseconds += round(wait_seconds * 1e6)
        assert self.bucket.wait_seconds(self.now_seconds, cost) == 0.0
        self._take(cost)

    @rule(part=st.integers(0, GCRA_BURST))
    def refund(self, part: int) -> None:
        part = min(part, self.taken)
        self.bucket.refund(part)
        self.flows.append((self.microseconds, -part))
        self.taken = 0

    @invariant()
    def never_more_than_the_limit(self) -> None:
        for first, (start, _) in enumerate(self.flows):
            flow = 0
            for at, amount in self.flows[first:]:
                flow += amount
                # A microsecond is a thousand of the bucket's own ticks, so that one of them may be lost to a float.
                assert (flow - GCRA_BURST) * 60_000_000 <= GCRA_RATE * (at - start + 1)

    @invariant()
    def tells_what_is_left(self) -> None:
        left = self.bucket.standing(self.now_seconds)[1]
        assert 0 <= left <= GCRA_BURST
        assert self.bucket.wait_seconds(self.now_seconds, max(left, 1)) == 0.0 or left == 0

    def _take(self, cost: int) -> None:
        self.bucket.take(self.now_seconds, cost)
        self.flows.append((self.microseconds, cost))
        self.taken = cost


TestGcra = GcraMachine.TestCase
TestGcra.settings = STEPS


@given(
    rate=st.integers(1, 100_000),
    burst=st.integers(1, 200),
    start_seconds=st.floats(0, 1e6),
    cost=st.integers(1, 50),
)
def test_a_client_that_waits_as_told_gets_all_of_its_limit(
    rate: int, burst: int, start_seconds: float, cost: int
) -> None:
    cost = min(cost, burst)
    bucket, now, admitted = Gcra(rate, burst), start_seconds, 0
    for _ in range(burst // cost + 100):
        wait_seconds = bucket.wait_seconds(now, cost)
        assert wait_seconds is not None
        now += wait_seconds
        assert bucket.wait_seconds(now, cost) == 0.0
        bucket.take(now, cost)
        admitted += cost
    most = rate * (now - start_seconds) / 60 + burst
    assert admitted <= most + 1e-3
    assert admitted >= 0.98 * most - cost


def test_more_than_the_burst_is_never_there() -> None:
    assert Gcra(60, 10).wait_seconds(0.0, 11) is None


def test_what_is_owed_is_made_up_before_more_is_given() -> None:
    bucket = Gcra(60, 10)
    bucket.take(0.0, 30)
    assert bucket.standing(0.0)[1] == 0
    assert bucket.wait_seconds(0.0) == pytest.approx(21.0, abs=1e-4)
    assert bucket.standing(0.0)[2] == pytest.approx(30.0)


def test_a_refund_never_fills_above_the_burst() -> None:
    bucket = Gcra(60, 10)
    bucket.take(0.0, 4)
    bucket.refund(9)
    bucket.take(0.0, 10)
    assert bucket.standing(0.0)[1] == 0


def test_another_limit_keeps_what_was_taken() -> None:
    bucket = Gcra(60, 10)
    bucket.take(0.0, 10)
    bucket.resize(0.0, 600, 20)
    assert bucket.standing(0.0)[1] == 10
    assert bucket.standing(1.0)[1] == 20


def test_more_than_the_limit_never_fits_a_log() -> None:
    assert SlidingLog(3).next_free_seconds(0.0, 4) == math.inf
