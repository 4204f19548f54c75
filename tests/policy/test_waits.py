"""When those come back who are turned away: within bounds, apart from each other, never too soon."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.failure import DRAINING
from oneflow_ai.policy.waits import apart, turned_away

LOTS = st.floats(0.0, 1.0, exclude_max=True)


@given(LOTS)
def test_who_finds_no_place_comes_back_in_one_to_five_seconds(lot: float) -> None:
    failure = turned_away(DRAINING, "stopping", lot)
    assert failure.kind is DRAINING
    assert failure.retry_after_seconds is not None and 1.0 <= failure.retry_after_seconds <= 5.0


@given(st.floats(0.0, 3_600.0), LOTS, LOTS)
def test_a_wait_is_never_shorter_and_a_tenth_longer_at_most(wait_seconds: float, one: float, other: float) -> None:
    assert wait_seconds <= apart(wait_seconds, one) <= wait_seconds * 1.1 + 1e-9
    assert (apart(wait_seconds, one) <= apart(wait_seconds, other)) or one > other
