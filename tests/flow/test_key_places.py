"""Places of API keys: one key of several holds its part of the calls at most, and what left is not counted."""

from __future__ import annotations

import pytest

from oneflow_ai.flow.bulkhead import Bulkheads
from oneflow_ai.flow.key_places import KeyPlaces


def entered(places: KeyPlaces, key_id: str, times: int) -> int:
    """How many of so many calls found a place."""
    return sum(places.enter(key_id) for _ in range(times))


@pytest.mark.parametrize(("calls_most", "one_key"), [(1_000, 900), (20, 18), (10, 9), (9, 9), (1, 1)])
def test_one_key_among_several_leaves_a_tenth(calls_most: int, one_key: int) -> None:
    places = KeyPlaces()
    places.fit(calls_most, 2)
    assert entered(places, "a", calls_most + 1) == one_key
    assert places.enter("b")
    places.leave("a")
    assert entered(places, "a", 2) == 1


def test_one_key_may_hold_more_than_one_provider_does() -> None:
    places, bulkheads = KeyPlaces(), Bulkheads()
    for calls_most in range(10, 1_000, 10):
        places.fit(calls_most, 2)
        bulkheads.fit(calls_most, 2)
        assert bulkheads.most is not None and places.most is not None
        assert bulkheads.most < places.most < calls_most


def test_the_only_key_may_hold_all() -> None:
    places = KeyPlaces()
    places.fit(10, 1)
    assert entered(places, "a", 20) == 20


def test_a_bound_that_comes_later_counts_the_calls_of_before() -> None:
    places = KeyPlaces()
    assert entered(places, "a", 10) == 10
    places.fit(10, 2)
    assert not places.enter("a")
    places.leave("a")
    places.leave("a")
    assert entered(places, "a", 2) == 1


def test_a_key_without_calls_is_forgotten() -> None:
    places = KeyPlaces()
    places.fit(10, 2)
    assert places.enter("a")
    places.leave("a")
    assert (places.open("a"), places._open) == (0, {})
