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


def test_it_is_calm_again_within_a_second_and_a_half_of_calm_steps() -> None:
    overload = after(*[0.3] * 50)
    assert not overload.calm
    after(*[0.0] * 10, overload=overload)
    assert overload.calm


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
