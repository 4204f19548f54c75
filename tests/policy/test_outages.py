"""Outages under load: retries do not amplify them, breakers cut them short and do not flap, recovery is noticed."""

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Kind
from tests.policy.load import Load, always, flapping, sometimes, until

AMPLIFICATION_MOST = 1.10
WASTED_MOST = 20
RECOVERY_SECONDS_MOST = 30.0
OUTAGE_SECONDS = 60.0

OUTAGES = [kinds.UPSTREAM_ERROR, kinds.UPSTREAM_OVERLOADED, kinds.UPSTREAM_TIMEOUT, kinds.UPSTREAM_UNREACHABLE]
outage = pytest.mark.parametrize("kind", OUTAGES, ids=lambda kind: kind.code)
rates = pytest.mark.parametrize("rate", [20, 100])


@pytest.mark.parametrize(("kind", "rate"), [*[(kind, 20) for kind in OUTAGES], (kinds.UPSTREAM_ERROR, 100)], ids=str)
@pytest.mark.parametrize("chain", ["a", "a b"])
def test_a_full_outage_is_not_amplified_and_its_end_is_noticed(chain: str, rate: float, kind: Kind) -> None:
    end = OUTAGE_SECONDS + 40
    load = Load({name: until(OUTAGE_SECONDS, kind) for name in chain.split()}, rate, end).run()
    for name in chain.split():
        assert load.amplification(name, OUTAGE_SECONDS) <= AMPLIFICATION_MOST
    assert load.failed(0, OUTAGE_SECONDS - 10) > 0.9
    assert load.recovered(OUTAGE_SECONDS) <= RECOVERY_SECONDS_MOST
    assert load.failed(OUTAGE_SECONDS, end) == 0
    assert load.busiest(OUTAGE_SECONDS, end) <= 1.5


@outage
@pytest.mark.parametrize("rate", [0.1, 1, 20, 100])
def test_a_dead_place_costs_few_calls_and_its_neighbour_serves_them_all(rate: float, kind: Kind) -> None:
    load = Load({"a": always(kind), "b": always(None)}, rate, max(OUTAGE_SECONDS, 10 / rate)).run()
    assert 0 < load.sent("a", 0, OUTAGE_SECONDS) <= WASTED_MOST
    assert load.failed(0, load.seconds) == 0
    assert load.amplification("b") == 1
    if rate >= 20:
        assert load.amplification("a") <= AMPLIFICATION_MOST


def test_a_place_that_is_seldom_asked_is_found_dead_too() -> None:
    load = Load({"a": always(kinds.UPSTREAM_ERROR), "b": always(None)}, 1 / 60, 660).run()
    assert load.transitions("a/m") > 0


def test_a_place_that_recovers_is_used_again_and_slowly_at_first() -> None:
    load = Load({"a": until(OUTAGE_SECONDS, kinds.UPSTREAM_ERROR), "b": always(None)}, 20, 260).run()
    first = min(now for now, name, _ in load.attempts if name == "a" and now >= OUTAGE_SECONDS)
    assert first < OUTAGE_SECONDS + 60
    assert load.sent("a", first, first + 3) < 20 * 3 / 2
    assert load.sent("a", 230, 260) == 20 * 30
    assert load.failed(0, 260) == 0


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_a_breaker_does_not_flap_where_about_half_fails(share: float) -> None:
    load = Load({"a": sometimes(share, kinds.UPSTREAM_ERROR), "b": always(None)}, 20, 3600).run()
    assert 0 < load.transitions("a/m") <= 3600 / 30
    assert load.failed(0, 3600) == 0


def test_a_fifth_of_failures_is_retried_for_ever() -> None:
    load = Load({"a": sometimes(0.2, kinds.UPSTREAM_ERROR)}, 20, 1200).run()
    halves = load.failed(0, 600), load.failed(600, 1200)
    assert max(halves) < 0.015  # of 20 %; four tries alone would leave 0.16 %
    assert load.amplification("a") == pytest.approx(1.25, abs=0.02)


def test_more_failures_than_that_are_retried_as_far_as_successes_pay_for_it() -> None:
    load = Load({"a": sometimes(0.3, kinds.UPSTREAM_ERROR)}, 20, 600).run()
    assert 1.15 < load.amplification("a") < 1.25
    chain = Load({name: sometimes(0.3, kinds.UPSTREAM_ERROR) for name in "ab"}, 20, 600).run()
    assert chain.failed(0, 600) < 0.03 < load.failed(0, 600)


@rates
@pytest.mark.parametrize("chain", ["a", "a b"])
def test_flapping_every_7_seconds_is_neither_amplified_nor_a_herd(chain: str, rate: float) -> None:
    load = Load({name: flapping(7, kinds.UPSTREAM_ERROR) for name in chain.split()}, rate, 140).run()
    for name in chain.split():
        assert load.amplification(name) <= AMPLIFICATION_MOST
    for up in range(14, 140, 14):
        assert load.busiest(up, up + 7) <= 1.5
        assert load.failed(up, up + 7) < 0.01


@rates
def test_a_flapping_place_with_a_neighbour_fails_no_call(rate: float) -> None:
    load = Load({"a": flapping(7, kinds.UPSTREAM_ERROR), "b": always(None)}, rate, 140).run()
    assert load.failed(0, 140) == 0
    assert load.amplification("a") <= AMPLIFICATION_MOST


def test_a_storm_of_rate_limits_leaves_the_breaker_alone() -> None:
    load = Load({"a": always(kinds.UPSTREAM_RATE_LIMITED), "b": always(None)}, 20, 60).run()
    assert load.transitions("a/m") == 0
    assert load.failed(0, 60) == 0
