"""A breaker opens fast, lets one probe by at a time, closes after three and starts slowly; refused credentials rest."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oneflow_ai.core.target import Credential, RetryPolicy, Secret
from oneflow_ai.policy import health
from oneflow_ai.policy.health import Breaker, HealthBook, Outcome, State
from tests.policy.places import target

OK, BAD, REFUSED, NOTHING = Outcome.SUCCESS, Outcome.FAILURE, Outcome.CONNECT_FAILURE, Outcome.NEUTRAL


def fed(outcomes: list[Outcome], breaker: Breaker | None = None, *, gap_seconds: float = 0.0) -> Breaker:
    """A breaker after these outcomes, as many as it asks for."""
    breaker = breaker or Breaker()
    for number, outcome in enumerate(outcomes):
        ticket = breaker.admits(number * gap_seconds, 0.0)
        if ticket is None:
            break
        breaker.report(outcome, ticket, number * gap_seconds, 1.0)
    return breaker


def opened() -> Breaker:
    """A breaker that opened at 0 for 5 s."""
    return fed([BAD] * 10)


def probe(breaker: Breaker, outcome: Outcome, now_seconds: float) -> None:
    ticket = breaker.admits(now_seconds, 0.0)
    assert ticket is not None
    breaker.report(outcome, ticket, now_seconds, 1.0)


def closed_again(now_seconds: float) -> Breaker:
    breaker = opened()
    for _ in range(health.PROBE_SUCCESSES):
        probe(breaker, OK, now_seconds)
    assert breaker.state is State.CLOSED
    return breaker


@pytest.mark.parametrize(
    ("outcomes", "gap_seconds", "state"),
    [
        ([BAD] * 9, 0, State.CLOSED),
        ([BAD] * 10, 0, State.OPEN),
        ([OK] * 5 + [BAD] * 5, 0, State.OPEN),
        ([OK] * 6 + [BAD] * 5, 0, State.CLOSED),
        ([OK, BAD] * 4 + [NOTHING] * 100, 0, State.CLOSED),
        ([REFUSED] * 4, 0, State.CLOSED),
        ([REFUSED] * 5, 0, State.OPEN),
        ([REFUSED] * 4 + [OK] + [REFUSED] * 4, 0, State.CLOSED),
        ([REFUSED] * 4 + [BAD] + [REFUSED] * 4, 0, State.CLOSED),
        ([OK, BAD] * 40, 3, State.CLOSED),  # never ten within the window
        ([BAD] * 9, 3600, State.CLOSED),
        ([BAD] * 10, 3600, State.OPEN),  # but ten in a row, however seldom
        ([OK] * 600 + [BAD] * 512, 0.01, State.OPEN),
    ],
)
def test_it_opens_by_half_of_ten_outcomes_by_ten_in_a_row_or_by_five_refused(
    outcomes: list[Outcome], gap_seconds: float, state: State
) -> None:
    assert fed(outcomes, gap_seconds=gap_seconds).state is state


def test_the_numbers_are_the_documented_ones() -> None:
    assert (health.WINDOW_SECONDS, health.WINDOW_OUTCOMES_LEAST, health.FAILURE_SHARE_MOST) == (20, 10, 0.5)
    assert (health.CONNECT_FAILURES_MOST, health.CONSECUTIVE_FAILURES_MOST) == (5, 10)
    assert (health.OPEN_SECONDS, health.OPEN_SECONDS_MOST, health.PROBE_SUCCESSES) == (5, 120, 3)
    assert (health.SLOW_START_SHARE, health.SLOW_START_SECONDS) == (0.1, 30)
    assert RetryPolicy().deadline_seconds < health.PROBE_LEASE_SECONDS


def test_every_state_can_be_left_and_every_event_happens() -> None:
    assert {state for state, _ in health.TRANSITIONS} == set(State)
    assert {event for _, event in health.TRANSITIONS} == set(health.Event)


def test_it_stays_open_longer_each_time_up_to_two_minutes() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(8):
        left = breaker.shown("a", now).open_seconds_left
        waits.append(left)
        assert breaker.admits(now + left - 0.001, 0.0) is None
        now += left
        probe(breaker, BAD, now)
        assert breaker.state is State.OPEN
    assert waits == [5, 10, 20, 40, 80, 120, 120, 120]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 2.5), (0.5, 3.75), (1.0, 5.0)])
def test_chance_spreads_the_reopening_over_the_later_half(chance: float, seconds: float) -> None:
    breaker = Breaker()
    for _ in range(health.CONNECT_FAILURES_MOST):
        breaker.report(REFUSED, health.FIRST_TICKET, 0.0, chance)
    assert breaker.shown("a", 0.0).open_seconds_left == seconds


@pytest.mark.parametrize(("stable_seconds", "open_seconds"), [(299.0, 10.0), (301.0, 5.0)])
def test_a_long_calm_forgives_the_earlier_openings(stable_seconds: float, open_seconds: float) -> None:
    breaker, now = closed_again(10.0), 10.0 + stable_seconds
    for _ in range(10):
        breaker.report(BAD, breaker.admits(now, 0.0), now, 1.0)
    assert breaker.shown("a", now).open_seconds_left == open_seconds


def test_only_one_probe_is_under_way_at_a_time() -> None:
    breaker = opened()
    first = breaker.admits(5.0, 0.0)
    assert first is not None
    assert [breaker.admits(6.0, 0.0) for _ in range(100)] == [None] * 100
    breaker.report(OK, first, 7.0, 1.0)
    assert breaker.admits(7.0, 0.0) is not None
    assert breaker.admits(7.0, 0.0) is None


def test_a_probe_that_said_nothing_makes_room_for_another() -> None:
    breaker = opened()
    probe(breaker, NOTHING, 5.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admits(5.0, 0.0) is not None


def test_a_probe_that_is_lost_makes_room_in_the_end_and_counts_no_more() -> None:
    breaker = opened()
    lost = breaker.admits(5.0, 0.0)
    assert breaker.admits(5.0 + health.PROBE_LEASE_SECONDS - 1, 0.0) is None
    second = breaker.admits(5.0 + health.PROBE_LEASE_SECONDS, 0.0)
    assert second is not None
    breaker.report(BAD, lost, 700.0, 1.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admits(700.0, 0.0) is None


@pytest.mark.parametrize("outcome", [OK, BAD, NOTHING])
def test_a_call_from_before_the_opening_neither_proves_nor_disproves_it_nor_frees_the_probe(outcome: Outcome) -> None:
    breaker = Breaker()
    early = breaker.admits(0.0, 0.0)
    fed([BAD] * 10, breaker)
    assert breaker.admits(5.0, 0.0) is not None
    for _ in range(5):
        breaker.report(outcome, early, 5.0, 1.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.admits(5.0, 0.0) is None


def test_a_call_that_went_there_all_the_same_is_not_counted() -> None:
    breaker = opened()
    for _ in range(20):
        breaker.report(BAD, None, 1.0, 1.0)
        breaker.report(OK, None, 1.0, 1.0)
    assert breaker.transitions == 1


def test_failures_from_before_the_recovery_do_not_open_it_again() -> None:
    breaker = Breaker()
    slow = [breaker.admits(0.0, 0.0) for _ in range(50)]
    fed([BAD] * 10, breaker)
    for _ in range(health.PROBE_SUCCESSES):
        probe(breaker, OK, 5.0)
    for ticket in slow:
        breaker.report(BAD, ticket, 60.0, 1.0)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(("age_seconds", "share"), [(0, 0.1), (10, 0.4), (20, 0.7), (30, 1.0), (900, 1.0)])
def test_after_the_recovery_its_share_grows_within_30_seconds(age_seconds: float, share: float) -> None:
    breaker = closed_again(5.0)
    chances = [number / 1000 for number in range(1000)]
    admitted = sum(breaker.admits(5.0 + age_seconds, chance) is not None for chance in chances)
    assert admitted / 1000 == pytest.approx(share, abs=0.002)


@pytest.mark.parametrize(
    ("failures", "own", "ailing"), [(2, 0, False), (3, 0, True), (3, 1, False), (4, 1, True), (4, 4, False)]
)
def test_it_ails_once_three_calls_of_others_failed_in_a_row(failures: int, own: int, ailing: bool) -> None:
    assert fed([OK, *[BAD] * failures]).ailing(own, 0.0) is ailing


def test_it_ails_while_it_is_open_and_not_when_a_probe_is_due() -> None:
    assert opened().ailing(10, 4.9)
    assert not opened().ailing(10, 5.0)


def test_what_is_shown_is_of_the_window_alone() -> None:
    breaker = fed([OK, BAD, BAD])
    assert (breaker.shown("a", 20.0).failures, breaker.shown("a", 20.0).outcomes) == (2, 3)
    assert breaker.shown("a", 20.1).outcomes == 0


def test_the_book_keeps_no_breaker_for_a_place_that_never_failed() -> None:
    book = HealthBook()
    for outcome in (OK, NOTHING):
        book.report("a", outcome, book.admits("a", 0.0, 0.0), 0.0, 0.0)
    assert book.shown(0.0) == []
    assert not book.ailing("a", 0, 0.0)


def test_the_book_forgets_the_place_without_an_outcome_for_the_longest() -> None:
    book = HealthBook()
    for number in range(health.PLACES_MOST):
        book.report(f"place {number}", BAD, health.FIRST_TICKET, 0.0, 0.0)
    book.report("place 0", OK, health.FIRST_TICKET, 0.0, 0.0)
    book.report("one more", BAD, health.FIRST_TICKET, 0.0, 0.0)
    names = {shown.place for shown in book.shown(0.0)}
    assert len(names) == health.PLACES_MOST
    assert {"place 0", "one more"} < names
    assert "place 1" not in names


def test_a_refused_credential_rests_longer_each_time_up_to_half_an_hour() -> None:
    book, key, now, rests = HealthBook(), Credential("a", Secret("x")), 0.0, []
    for _ in range(7):
        book.refuse(key, now)
        rest = next(seconds for seconds in range(2000) if not book.quarantined(key, now + seconds))
        rests.append(rest)
        now += rest
    assert rests == [60, 120, 240, 480, 960, 1800, 1800]
    book.succeeded(replace(target(), credential=key), health.FIRST_TICKET, now)
    book.refuse(key, now)
    assert not book.quarantined(key, now + 60)


def test_many_refusals_at_once_are_one() -> None:
    book, key = HealthBook(), Credential("a", Secret("x"))
    for _ in range(100):
        book.refuse(key, 1.0)
    assert book.quarantined(key, 60.9)
    assert not book.quarantined(key, 61.0)


def test_a_credential_replaced_under_its_name_is_another() -> None:
    book = HealthBook()
    book.refuse(Credential("a", Secret("old")), 0.0)
    assert book.quarantined(Credential("a", Secret("old")), 1.0)
    assert not book.quarantined(Credential("a", Secret("new")), 1.0)


def test_credentials_that_are_gone_are_forgotten() -> None:
    book = HealthBook()
    for number in range(100):
        book.refuse(Credential("a", Secret(str(number))), number * 600.0)
    assert len(book._quarantined) < 5


class BreakerMachine(RuleBasedStateMachine):
    """Calls come, and end in any order and at any time; the breaker's promises hold throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.open: list[tuple[int, int]] = []
        self.probe: tuple[int, float] | None = None
        self.passed = 0

    @rule(seconds=st.floats(0, 1) | st.floats(0, 150))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(chance=st.floats(0, 1, exclude_max=True))
    def a_call_comes(self, chance: float) -> None:
        state, left = self.breaker.state, self.breaker.shown("a", self.now).open_seconds_left
        ticket = self.breaker.admits(self.now, chance)
        if state is State.OPEN:
            assert (ticket is None) == (left > 0)
        if state is State.CLOSED and self.breaker.transitions == 0:
            assert ticket is not None
        if ticket is None:
            return
        if self.breaker.state is State.HALF_OPEN:
            if state is State.OPEN:
                self.probe, self.passed = None, 0
            assert self.probe is None or self.now >= self.probe[1]
            self.probe = ticket, self.now + health.PROBE_LEASE_SECONDS
        self.open.append((ticket, self.breaker.transitions))

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 1_000), outcome=st.sampled_from(Outcome), chance=st.floats(0, 1))
    def a_call_ends(self, which: int, outcome: Outcome, chance: float) -> None:
        ticket, _ = self.open.pop(which % len(self.open))
        before, changes = self.breaker.state, self.breaker.transitions
        self.breaker.report(outcome, ticket, self.now, chance)
        if before is State.HALF_OPEN and self.probe is not None and ticket == self.probe[0]:
            self.probe = None
            self.passed += outcome is OK
            failed = outcome in (BAD, REFUSED)
            assert (self.breaker.state is State.OPEN) == failed
            assert (self.breaker.state is State.CLOSED) == (self.passed == health.PROBE_SUCCESSES)
        elif before is not State.CLOSED:
            assert self.breaker.transitions == changes, "an outcome of another time moved it"

    @rule(outcome=st.sampled_from(Outcome), number=st.integers(1, 12))
    def calls_come_and_end_at_once(self, outcome: Outcome, number: int) -> None:
        for _ in range(number):
            before = len(self.open)
            self.a_call_comes(0.0)
            if len(self.open) > before:
                self.a_call_ends(before, outcome, 0.5)

    @invariant()
    def what_it_shows_is_sound(self) -> None:
        shown = self.breaker.shown("a", self.now)
        assert 0 <= shown.failures <= shown.outcomes <= health.WINDOW_OUTCOMES_MOST
        assert 0 <= shown.open_seconds_left <= health.OPEN_SECONDS_MOST
        assert (shown.open_seconds_left > 0) <= (shown.state is State.OPEN)


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
