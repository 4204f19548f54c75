"""Scores weigh successes and speed, forget with time, and give new places their chance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.policy import score
from oneflow_ai.policy.score import HALF_LIFE_SECONDS, ScoreBook


def book(**places: list[tuple[bool, float]]) -> ScoreBook:
    """A book of what each place did, all of it now: whether it succeeded, and in what time."""
    made = ScoreBook()
    for place, calls in places.items():
        for succeeded, seconds in calls:
            made.add(place, succeeded, seconds, 0.0)
    return made


@pytest.mark.parametrize(
    ("calls", "score"),
    [
        ([], 0.7 * 4.5 / 5 + 0.3),
        ([(True, 1.0)] * 5, 0.7 * 9.5 / 10 + 0.3),
        ([(True, 2.0)] * 5, 0.7 * 9.5 / 10 + 0.3 * 0.5),
        ([(False, 9.0)] * 5, 0.7 * 4.5 / 10 + 0.3),
        ([(True, 4.0), (False, 0.1)], 0.7 * 5.5 / 7 + 0.3 * 0.25),
    ],
)
def test_the_score_is_the_documented_formula(calls: list[tuple[bool, float]], score: float) -> None:
    made = book(own=calls, fastest=[(True, 1.0)] * 10)
    assert made.scores(["own", "fastest"], 0.0)[0] == pytest.approx(score)


def test_a_count_is_worth_half_after_half_an_hour() -> None:
    assert HALF_LIFE_SECONDS == 1_800
    made = book(a=[(True, 1.0)] * 3 + [(False, 1.0)])
    [faded] = made.scores(["a"], HALF_LIFE_SECONDS)
    assert faded == pytest.approx(0.7 * (1.5 + 4.5) / (2 + 5) + 0.3)
    assert made.scores(["a"], HALF_LIFE_SECONDS) == [faded], "reading it does not fade it"


def test_a_time_is_the_mean_of_successes_the_newer_counting_more() -> None:
    made = book(a=[(True, 1.0), (False, 60.0)])
    made.add("a", True, 4.0, HALF_LIFE_SECONDS)
    assert made.mean_seconds(["a"], HALF_LIFE_SECONDS) == [pytest.approx((0.5 * 1.0 + 4.0) / 1.5)]


@pytest.mark.parametrize(
    ("calls", "later_seconds", "expected"),
    [
        ([], 0, 0.0),
        ([(True, 3.0)], 0, 3.0),
        ([(False, 3.0)], 0, math.inf),  # tried, and known not to work
        ([(False, 3.0)], HALF_LIFE_SECONDS + 1, 0.0),  # long ago: worth another try
        ([(True, 3.0)] * 8, 4.5 * HALF_LIFE_SECONDS, 0.0),
    ],
)
def test_the_time_to_expect(calls: list[tuple[bool, float]], later_seconds: float, expected: float) -> None:
    assert book(a=calls).mean_seconds(["a"], later_seconds) == [pytest.approx(expected)]


def test_the_place_without_a_call_for_the_longest_is_forgotten() -> None:
    made = ScoreBook()
    for number in range(score.PLACES_MOST):
        made.add(f"place {number}", True, 1.0, 0.0)
    made.add("place 0", True, 1.0, 0.0)
    made.add("one more", True, 1.0, 0.0)
    assert made.mean_seconds(["place 0", "place 1", "one more"], 0.0) == [1.0, 0.0, 1.0]


calls = st.lists(st.tuples(st.booleans(), st.floats(0, 600)), max_size=30)


@given(calls, calls, st.floats(0, 86_400))
def test_scores_lie_between_0_and_1_and_a_success_never_lowers_the_share(
    one: list[tuple[bool, float]], other: list[tuple[bool, float]], later_seconds: float
) -> None:
    made = book(a=one, b=other)
    assert all(0 < found <= 1 for found in made.scores(["a", "b"], later_seconds))
    alone = book(a=one)
    [before] = alone.scores(["a"], 0.0)
    alone.add("a", True, 1.0, 0.0)
    assert alone.scores(["a"], 0.0)[0] >= before - 1e-12
