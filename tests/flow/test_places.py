"""Places: one of several holds its part of the calls at most, and what left is not counted."""

from __future__ import annotations

import pytest

from oneflow_ai.flow.places import KEY_SHARE, PROVIDER_SHARE, Bodies, Places


def entered(places: Places, name: str, times: int) -> int:
    """How many of so many calls found a place."""
    return sum(places.enter(name) for _ in range(times))


@pytest.mark.parametrize(
    ("share", "calls_most", "most"),
    [
        (PROVIDER_SHARE, 1_000, 800),
        (PROVIDER_SHARE, 10, 8),
        (PROVIDER_SHARE, 1, 1),
        (KEY_SHARE, 1_000, 900),
        (KEY_SHARE, 20, 18),
        (KEY_SHARE, 10, 9),
        (KEY_SHARE, 1, 1),
    ],
)
def test_one_among_several_leaves_a_part(share: float, calls_most: int, most: int) -> None:
    places = Places(share)
    places.fit(calls_most, 2)
    assert entered(places, "a", calls_most + 1) == most
    assert places.enter("b")
    places.leave("a")
    assert entered(places, "a", 2) == 1
    assert (places.open("a"), places.open("b")) == (most, 1)


def test_one_key_may_hold_more_than_one_provider_does() -> None:
    assert PROVIDER_SHARE < KEY_SHARE < 1


def test_the_only_one_may_hold_all() -> None:
    places = Places(PROVIDER_SHARE)
    places.fit(10, 1)
    assert entered(places, "a", 20) == 20


def test_a_bound_that_comes_later_counts_the_calls_of_before() -> None:
    places = Places(KEY_SHARE)
    assert entered(places, "a", 10) == 10
    places.fit(10, 2)
    assert not places.enter("a")
    places.leave("a")
    places.leave("a")
    assert entered(places, "a", 2) == 1


def test_one_without_calls_is_forgotten() -> None:
    places = Places(PROVIDER_SHARE)
    assert places.enter("a")
    places.leave("a")
    assert (places.open("a"), places._open) == (0, {})


def test_the_bodies_of_a_key_are_counted_to_its_bound_and_forgotten_with_the_last() -> None:
    bodies = Bodies()
    assert bodies.take("a", 600, 900)
    assert not bodies.take("a", 301, 900)
    assert bodies.take("b", 301, 900)
    assert bodies.take("a", 300, 900)
    assert bodies.total_bytes == 1_201
    bodies.drop("a", 900)
    bodies.drop("c", 0)
    assert (bodies.total_bytes, bodies._of_key) == (301, {"b": 301})
