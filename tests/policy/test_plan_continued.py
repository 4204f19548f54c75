"""A plan after a part of the answer: only who goes on with it is tried, where it is to be continued."""

from dataclasses import replace

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.target import Target
from tests.policy.places import Play, planner, targets

CUT = kinds.UPSTREAM_STREAM_INTERRUPTED


def continuing(names: str, able: str) -> list[Target]:
    """Targets of a route that continues; those that are `able` take prefill."""
    return [replace(one, continue_cut=True, prefill=one.way in able.split()) for one in targets(names)]


def test_after_a_cut_only_those_that_go_on_are_tried() -> None:
    chain = continuing("a b c d", "b d")
    assert Play(continued=True).steps(chain, [CUT, kinds.UPSTREAM_UNREACHABLE, None]) == ["a", "b", "d"]
    assert Play(committed=True).steps(chain, [CUT]) == ["a"]


def test_after_a_cut_who_goes_on_is_tried_as_often_as_any() -> None:
    chain = continuing("a b", "b")
    assert Play(continued=True).steps(chain, [CUT, kinds.UPSTREAM_ERROR]) == ["a", "b", 1.0, "b", 2.0, "b", 4.0, "b"]


def test_who_broke_off_is_not_asked_for_the_rest() -> None:
    chain = continuing("a b", "a b")
    assert Play(continued=True).steps(chain, [CUT]) == ["a", "b"]
    assert Play(continued=True).steps(continuing("a", "a"), [CUT]) == ["a"]


def test_another_model_of_the_provider_that_broke_off_costs_its_budget() -> None:
    made = planner()
    chain = continuing("a a/n", "a/n")
    tries = [Play(made, continued=True).steps(chain, [CUT, None]) for _ in range(60)]
    assert ["a", "a/n"] in tries
    assert tries[-1] == ["a"]


def test_nobody_goes_on_after_the_deadline() -> None:
    chain = continuing("a b", "b")
    assert Play(continued=True, try_seconds=5.0, deadline_seconds=5.0).steps(chain, [CUT, None]) == ["a"]


def test_after_a_cut_a_place_that_was_left_for_later_may_go_on() -> None:
    chain = continuing("b a", "b")
    assert Play(continued=True).steps(chain, [kinds.UPSTREAM_RATE_LIMITED, CUT, None]) == ["b", "a", 1.0, "b"]


def test_what_is_simulated_and_what_is_not_are_never_mixed() -> None:
    first, second = continuing("a b", "b")
    assert Play(continued=True).steps([first, replace(second, simulated=True)], [CUT]) == ["a"]
