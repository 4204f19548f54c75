"""When those come back who are turned away: within bounds, apart from each other, never too soon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import DRAINING, Failure
from oneflow_ai.policy.waits import apart, told, turned_away

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


@pytest.mark.parametrize("kind", [kinds.QUEUE_TIMEOUT, kinds.CONCURRENCY_LIMIT_EXCEEDED])
@given(lot=LOTS)
def test_a_wait_that_nobody_foresees_is_one_to_five_seconds(kind: kinds.Kind, lot: float) -> None:
    seconds = told(Failure(kind, "no place"), lot)
    assert seconds is not None and 1.0 <= seconds <= 5.0
    assert told(Failure(kind, "no place", retry_after_seconds=10.0), lot) == apart(10.0, lot)


@pytest.mark.parametrize("kind", [kinds.RATE_LIMIT_EXCEEDED, kinds.MODEL_NOT_FOUND, kinds.UPSTREAM_RATE_LIMITED])
def test_a_failure_that_no_wait_helps_tells_none(kind: kinds.Kind) -> None:
    assert told(Failure(kind, "no"), 0.5) is None


def test_a_provider_s_own_wait_is_told_as_it_stands() -> None:
    assert told(Failure(kinds.UPSTREAM_RATE_LIMITED, "no", retry_after_seconds=7.0), 0.9) == 7.0
