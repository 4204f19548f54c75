"""Overload: the share of calls that is turned away follows the loop's lag and the memory, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.policy.overload import CALLS_LEAST, SHARE_MOST, Overload

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
    assert (overload.calm, overload.share, overload.refuses(999, 0.0)) == (True, 0.0, None)


@pytest.mark.parametrize("lag", [0.2, 0.5, 0.9, 1.3, 30.0])
def test_one_late_moment_is_no_overload(lag: float) -> None:
    assert after(0.0, lag, 0.0, lag, 0.0).calm


def test_a_loop_that_lags_for_a_second_turns_more_and_more_away_but_not_all() -> None:
    overload = after(0.3, 0.3, 0.3)
    assert overload.share == pytest.approx(0.15)
    assert overload.refuses(0, 0.1) == "the gateway is busy; try again"
    assert overload.refuses(999, 0.2) is None
    assert after(*[0.3] * 50).share == SHARE_MOST


def test_a_lag_that_swings_is_one_lag() -> None:
    assert after(0.3, 0.06, 0.3, 0.06, 0.3, 0.06, 0.3).share > 0
    assert after(0.3, 0.04, 0.3, 0.04, 0.3, 0.04, 0.3).calm


@pytest.mark.parametrize("lag", [0.02, 0.06, 0.1])
def test_the_lags_of_a_machine_that_others_keep_busy_turn_nobody_away(lag: float) -> None:
    overload = after(0.3, 0.3, 0.3)
    assert overload.share > 0
    for step in range(30):
        overload.note_lag(10.0 + step * (STEP_SECONDS + lag), lag, 0.4)
    assert overload.share == 0
    # A long one counts, whatever the reason: a loop that is held up is not at work either.
    for step in range(10):
        overload.note_lag(20.0 + step, 0.5, 0.0)
    assert overload.share > 0


def test_once_calls_are_turned_away_small_lags_count() -> None:
    overload = after(0.3, 0.3, 0.3)
    share = overload.share
    after(0.3, overload=overload)
    assert overload.share > share
    # A lag that shrinks has been dealt with, for now.
    share = overload.share
    after(0.1, overload=overload)
    assert overload.share < share
    after(0.012, 0.012, overload=overload)
    share = overload.share
    after(0.02, overload=overload)
    assert share < overload.share < share + 0.1
    after(0.0, overload=overload)
    assert overload.share < share


def test_it_is_calm_again_within_two_seconds_of_calm_steps() -> None:
    overload = after(*[0.3] * 50)
    assert overload.share == SHARE_MOST
    after(*[0.0] * 20, overload=overload)
    assert overload.share == 0
    # And small lags count as little as before.
    assert after(*[0.09] * 50, overload=overload).calm


@pytest.mark.parametrize("refusal", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("times", [1.5, 3.0, 6.0])
def test_the_load_settles_where_the_loop_just_keeps_up(times: float, refusal: float) -> None:
    # A loop that is full has what it cannot do wait; a call that is turned away costs a share of one that is served.
    overload, now, waiting, served, waited = Overload(), 0.0, 0.0, [], []
    for _ in range(600):
        step = STEP_SECONDS + waiting
        work = times * (1 - overload.share + overload.share * refusal) * step
        left = waiting + work - step
        served.append((1 - overload.share) * times)
        waiting = min(max(left, 0.0), 0.5)
        now += step
        overload.note_lag(now, waiting)
        waited.append(waiting)
    room = 1 - times * refusal
    assert sum(waited[200:]) / 400 < 0.02
    assert sum(served[200:]) / 400 > 0.85 * max(min(room, times), (1 - SHARE_MOST) * times)


@pytest.mark.parametrize(("used", "refused"), [(0.2, False), (0.85, False), (0.86, True), (1.2, True)])
def test_nobody_is_let_in_while_the_memory_is_nearly_used_up(used: float, refused: bool) -> None:
    overload = Overload()
    overload.note_memory(used)
    assert (overload.refuses(CALLS_LEAST, 0.999) is not None) is refused
    # It may never be given back: a gateway that does little goes on doing it.
    assert overload.refuses(CALLS_LEAST - 1, 0.0) is None
    overload.note_memory(0.5)
    assert overload.calm


@given(st.lists(st.floats(0.0, 3.0)))
def test_the_share_is_always_one(lags: list[float]) -> None:
    assert 0.0 <= after(*lags).share <= SHARE_MOST
