"""Overload: how many calls may be at work follows the loop's lag and the memory, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.policy.overload import CALLS_LEAST, CALM_STEPS, FIRST, LEAST, Overload

STEP_SECONDS = 0.1


def after(*lags_seconds: float, overload: Overload | None = None) -> Overload:
    """One that was told these lags, each a step and its lag after the other."""
    overload, now = overload or Overload(), 0.0
    for lag in lags_seconds:
        now += STEP_SECONDS + lag
        overload.note_lag(now, lag)
    return overload


def test_a_calm_loop_refuses_nobody() -> None:
    overload = after(*[0.1] * 100)
    assert (overload.calm, overload.share, overload.refuses(9_999, 9_999)) == (True, 0.0, None)


@pytest.mark.parametrize("lag", [0.2, 0.5, 0.9, 1.3, 30.0])
def test_one_late_moment_is_no_overload(lag: float) -> None:
    assert after(0.0, lag, 0.0, lag, 0.0).calm


def test_a_loop_that_lags_for_a_second_lets_in_what_it_works_off_and_always_some() -> None:
    overload = after(0.3, 0.3, 0.3)
    assert overload.refuses(999, FIRST - 1) is None
    assert overload.refuses(999, FIRST) == "the gateway is busy; try again"
    after(*[0.3] * 50, overload=overload)
    assert overload.refuses(999, LEAST - 1) is None
    assert overload.refuses(999, LEAST) is not None


def test_a_lag_that_swings_is_one_lag() -> None:
    assert not after(0.3, 0.06, 0.3, 0.06, 0.3, 0.06, 0.3).calm
    assert after(0.3, 0.04, 0.3, 0.04, 0.3, 0.04, 0.3).calm


@pytest.mark.parametrize("lag", [0.02, 0.06, 0.1])
def test_the_lags_of_a_machine_that_others_keep_busy_turn_nobody_away(lag: float) -> None:
    overload = after(0.3, 0.3, 0.3)
    for step in range(30):
        overload.note_lag(10.0 + step * (STEP_SECONDS + lag), lag, 0.4)
    assert overload.calm
    # A long one counts, whatever the reason: a loop that is held up is not at work either.
    for step in range(10):
        overload.note_lag(20.0 + step, 0.5, 0.0)
    assert not overload.calm


def test_once_calls_are_turned_away_small_lags_count() -> None:
    overload = after(0.3, 0.3, 0.3)
    for lag, sign in ((0.3, -1), (0.02, -1), (0.006, -1), (0.005, 0), (0.004, 1), (0.0, 1)):
        before = overload.most
        after(lag, overload=overload)
        assert (overload.most > before) - (overload.most < before) == sign


def test_it_is_calm_again_after_a_second_in_which_nobody_was_turned_away() -> None:
    overload = after(*[0.3] * 50)
    after(*[0.0] * (CALM_STEPS - 1), overload=overload)
    assert overload.refuses(999, 999) is not None
    after(0.0, overload=overload)
    assert (overload.calm, overload.share) == (False, 1.0)
    after(*[0.0] * CALM_STEPS, overload=overload)
    assert (overload.calm, overload.share) == (True, 0.0)
    # And small lags count as little as before.
    assert after(*[0.09] * 50, overload=overload).calm


def test_a_loop_that_is_still_late_is_not_calm_though_nobody_comes() -> None:
    assert not after(*[0.3] * 100).calm


def test_the_share_is_that_of_the_last_step() -> None:
    overload = after(0.3, 0.3, 0.3)
    for at_work in (1, 1, 1, 999):
        overload.refuses(0, at_work)
    after(0.0, overload=overload)
    assert overload.share == pytest.approx(0.25)
    after(0.0, overload=overload)
    assert overload.share == 0


@pytest.mark.parametrize("refusal", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("times", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("calls_per_second", [200, 6_000])
def test_the_load_settles_where_the_loop_just_keeps_up(times: float, refusal: float, calls_per_second: int) -> None:
    # Each millisecond the loop works off some of what it let in; to turn one away costs a part of a call, at once.
    overload, waiting, due, room, served, waited = after(0.3, 0.3, 0.3), 500.0, 0.0, 0.0, 0.0, 0.0
    for millisecond in range(20_000):
        due += times * calls_per_second / 1_000
        room = min(room, 0.0) + calls_per_second / 1_000
        while due >= 1:
            due -= 1
            if overload.refuses(999, int(waiting)) is None:
                waiting += 1
            else:
                room -= refusal
        done = min(waiting, max(room, 0.0))
        waiting -= done
        room -= done
        lag = waiting / calls_per_second
        if millisecond % 100 == 0:
            overload.note_lag(1.0 + millisecond / 1_000, lag)
        if millisecond > 5_000:
            served += done
            waited += lag
    assert waited / 15_000 < max(0.02, 2 * (LEAST + 1) / calls_per_second)
    assert served / 15 / calls_per_second > 0.95 * (1 - times * refusal)


@pytest.mark.parametrize(("used", "refused"), [(0.2, False), (0.85, False), (0.86, True), (1.2, True)])
def test_nobody_is_let_in_while_the_memory_is_nearly_used_up(used: float, refused: bool) -> None:
    overload = Overload()
    overload.note_memory(used)
    assert (overload.refuses(CALLS_LEAST, 0) is not None) is refused
    # It may never be given back: a gateway that does little goes on doing it.
    assert overload.refuses(CALLS_LEAST - 1, CALLS_LEAST - 1) is None
    overload.note_memory(0.5)
    assert overload.calm


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(0, 200))))
def test_so_many_as_the_least_are_never_too_many(steps: list[tuple[float, int]]) -> None:
    overload = Overload()
    for lag, at_work in steps:
        after(lag, overload=overload)
        overload.refuses(0, at_work)
        assert overload.refuses(0, LEAST - 1) is None
        assert 0.0 <= overload.share <= 1.0
