"""All limits of a credential taken together, what headers teach, and what a refusal does."""

import math

import pytest

from oneflow_ai.core.ports import RateHints
from oneflow_ai.core.target import ProviderLimits
from oneflow_ai.policy.throttle import (
    FACTOR_LEAST,
    SLOWED_FACTOR,
    STOP_JITTER,
    STOP_SECONDS_MOST,
    VOLLEY_SECONDS,
    Throttle,
    ceiling,
    concurrent,
)

LIMITED = ProviderLimits(requests_per_minute=60, tokens_per_minute=1_000)


def throttle(requests: int = 0, tokens: int = 0, concurrency: int = 0) -> Throttle:
    fitted = Throttle()
    fitted.fit(0.0, requests, tokens, concurrency)
    return fitted


def takes(fitted: Throttle, now_seconds: float, *, most: int = 1_000) -> int:
    """How many calls it lets through now."""
    count = 0
    while count < most and fitted.take(now_seconds, 1) is not None:
        count += 1
    return count


@pytest.mark.parametrize(
    ("requests", "tokens", "concurrency", "let_through"),
    [(0, 0, 0, 1_000), (5, 0, 0, 5), (0, 7, 0, 7), (0, 0, 3, 3), (5, 7, 3, 3), (5, 2, 3, 2)],
)
def test_the_scarcest_limit_holds(requests: int, tokens: int, concurrency: int, let_through: int) -> None:
    assert takes(throttle(requests, tokens, concurrency), 0.0) == let_through


@pytest.mark.parametrize(("requests", "tokens", "concurrency"), [(1, 100, 100), (100, 1, 100), (100, 100, 1)])
def test_a_call_takes_of_all_or_of_none(requests: int, tokens: int, concurrency: int) -> None:
    fitted = throttle(requests, tokens, concurrency)
    assert fitted.take(0.0, 1) is not None
    assert fitted.take(0.0, 1) is None
    assert (fitted.requests.used, fitted.tokens.used, fitted.concurrency.in_flight) == (1, 1, 1)


def test_settling_frees_the_place_and_the_tokens_but_not_the_request() -> None:
    fitted = throttle(2, 100, 1)
    hold = fitted.take(0.0, 90)
    assert hold is not None
    fitted.settle(hold, 5.0, 30)
    assert (fitted.requests.used, fitted.tokens.used, fitted.concurrency.in_flight) == (1, 30, 0)


def test_voiding_frees_everything() -> None:
    fitted = throttle(2, 100, 1)
    hold = fitted.take(0.0, 90)
    assert hold is not None
    fitted.void(hold)
    assert (fitted.requests.used, fitted.tokens.used, fitted.concurrency.in_flight) == (0, 0, 0)


def test_a_request_that_goes_out_later_has_its_minute_counted_from_then() -> None:
    fitted = throttle(1, 100)
    hold = fitted.take(0.0, 10)
    assert hold is not None
    fitted.restart(hold, 0.01)
    assert fitted.ready_seconds(5.0, 10) == 60.5
    fitted.restart(hold, 4.0)
    assert fitted.ready_seconds(5.0, 10) == 64.5


def test_what_frees_only_when_a_call_ends_is_never_ready_by_itself() -> None:
    fitted = throttle(concurrency=1)
    fitted.take(0.0, 1)
    assert fitted.ready_seconds(0.0, 1) == math.inf


@pytest.mark.parametrize(
    ("retry_after_seconds", "stopped_seconds"),
    [
        (2.0, 2.0),
        (0.0, 0.0),
        (None, 1.0),
        (math.inf, 1.0),
        (math.nan, 1.0),
        (-5.0, 1.0),
        (1e308, STOP_SECONDS_MOST),
    ],
)
def test_a_refusal_stops_for_as_long_as_the_provider_says(
    retry_after_seconds: float | None, stopped_seconds: float
) -> None:
    fitted = throttle(60)
    fitted.refused(100.0, retry_after_seconds, 0.0)
    assert fitted.stopped_until_seconds == 100.0 + stopped_seconds
    if stopped_seconds:
        assert fitted.take(100.0 + stopped_seconds - 0.01, 1) is None
    assert fitted.take(100.0 + stopped_seconds, 1) is not None


def test_chance_only_lengthens_the_stop() -> None:
    stops = []
    for chance in (0.0, 0.5, 0.999):
        fitted = throttle(60)
        fitted.refused(0.0, 10.0, chance)
        stops.append(fitted.stopped_until_seconds)
    assert stops == sorted(stops)
    assert stops[0] == 10.0
    assert stops[-1] < 10.0 * (1 + STOP_JITTER)


def test_after_a_refusal_the_rate_is_four_fifths_and_rises_by_a_hundredth_a_second() -> None:
    fitted = throttle(100)
    fitted.refused(0.0, 10.0, 0.0)
    limits = []
    for seconds in (0.0, 1.0, 10.0, 19.0, 20.0, 30.0):
        fitted.take(10.0 + seconds, 1)
        limits.append(fitted.requests.limit)
    assert limits == [80, 81, 90, 99, 100, 100]


def test_refusals_of_one_volley_slow_once_and_those_that_follow_again() -> None:
    fitted = throttle(100)
    for answer in range(50):
        fitted.refused(answer * VOLLEY_SECONDS / 100, 1.0, 0.0)
    assert fitted.factor(fitted.stopped_until_seconds) == SLOWED_FACTOR
    for _ in range(50):
        fitted.refused(fitted.stopped_until_seconds + VOLLEY_SECONDS, 1.0, 0.0)
    assert fitted.factor(fitted.stopped_until_seconds) == pytest.approx(FACTOR_LEAST)


def test_refusals_that_name_no_wait_stop_longer_each_time_and_forget_after_a_minute() -> None:
    fitted = throttle(60)
    waits = []
    now = 1_000.0
    for _ in range(8):
        fitted.refused(now, None, 0.0)
        waits.append(fitted.stopped_until_seconds - now)
        now = fitted.stopped_until_seconds + 2.0
    assert waits == [1, 2, 4, 4, 4, 4, 4, 4]
    fitted.refused(now + 120.0, None, 0.0)
    assert fitted.stopped_until_seconds == now + 121.0


def test_a_rise_is_foreseen() -> None:
    fitted = throttle(10)
    fitted.refused(0.0, 0.0, 0.0)
    assert takes(fitted, 0.0) == 8
    ready = fitted.ready_seconds(0.0, 1)
    assert ready == pytest.approx(10.0)
    assert fitted.take(ready - 0.01, 1) is None
    assert fitted.take(ready + 0.001, 1) is not None


@pytest.mark.parametrize(
    ("limit", "firm", "told", "in_force"),
    [
        pytest.param(60, False, [], 60, id="starts"),
        pytest.param(60, False, [500], 500, id="headers raise the starting value"),
        pytest.param(60, False, [20], 20, id="headers lower the starting value"),
        pytest.param(60, False, [20, 0, 500], 520, id="each model has its own lane below"),
        pytest.param(60, True, [500], 60, id="headers do not raise what was set"),
        pytest.param(60, True, [20], 20, id="headers lower what was set"),
        pytest.param(0, False, [500], 0, id="none stays none"),
        pytest.param(0, True, [500], 0, id="none that was set stays none"),
    ],
)
def test_headers_move_a_starting_value_and_only_lower_a_set_one(
    limit: int, firm: bool, told: list[int], in_force: int
) -> None:
    assert ceiling(limit, firm=firm, told=told) == in_force


@pytest.mark.parametrize(
    ("limit", "firm", "told", "in_force"),
    [
        pytest.param(0, False, 5, 5, id="headers tell a limit where none is set"),
        pytest.param(0, False, 0, 0, id="nothing told, nothing set"),
        pytest.param(8, True, 5, 5, id="headers lower what was set"),
        pytest.param(3, True, 5, 3, id="headers do not raise what was set"),
        pytest.param(0, True, 5, 0, id="none that was set stays none"),
        pytest.param(8, True, 0, 8, id="what was set holds where nothing is told"),
    ],
)
def test_headers_tell_how_many_calls_may_be_in_flight(limit: int, firm: bool, told: int, in_force: int) -> None:
    assert concurrent(limit, firm=firm, told=told) == in_force


@pytest.mark.parametrize(
    ("hints", "let_through"),
    [
        pytest.param(RateHints(limit_requests=10), 10, id="a limit"),
        pytest.param(
            RateHints(limit_requests=10, remaining_requests=4, reset_requests_seconds=30.0), 4, id="less left"
        ),
        pytest.param(RateHints(limit_requests=10, remaining_requests=4), 4, id="less left, no reset"),
        pytest.param(
            RateHints(limit_requests=10, remaining_requests=10, reset_requests_seconds=0.0), 10, id="all left"
        ),
        pytest.param(RateHints(limit_requests=10, remaining_requests=0, reset_requests_seconds=9.0), 0, id="none left"),
        pytest.param(RateHints(limit_tokens=7), 7, id="tokens"),
        pytest.param(
            RateHints(limit_tokens=700, remaining_tokens=3, reset_tokens_seconds=1.0), 3, id="few tokens left"
        ),
        pytest.param(
            RateHints(limit_requests=200, remaining_requests=199, reset_requests_seconds=432.0),
            1_000,
            id="a day's limit",
        ),
        pytest.param(
            RateHints(limit_requests=200, remaining_requests=0, reset_requests_seconds=432.0),
            0,
            id="a day's limit, spent",
        ),
        pytest.param(RateHints(), 1_000, id="nothing"),
        pytest.param(RateHints(limit_requests=0, limit_tokens=0), 1_000, id="zero"),
    ],
)
def test_a_models_headers_limit_its_own_lane(hints: RateHints, let_through: int) -> None:
    lane = Throttle()
    lane.learn(0.0, hints, LIMITED)
    assert takes(lane, 0.0) == let_through


def test_where_nothing_is_set_headers_tell_only_of_an_empty_bucket() -> None:
    lane = Throttle()
    lane.learn(0.0, RateHints(limit_requests=3, remaining_requests=1, reset_requests_seconds=9.0), ProviderLimits())
    assert takes(lane, 0.0) == 1_000
    lane.learn(1.0, RateHints(limit_requests=3, remaining_requests=0, reset_requests_seconds=9.0), ProviderLimits())
    assert takes(lane, 9.9) == 0
    assert takes(lane, 10.0) == 1_000


def test_an_empty_bucket_is_waited_for_until_its_reset() -> None:
    lane = Throttle()
    lane.learn(0.0, RateHints(limit_requests=10, remaining_requests=0, reset_requests_seconds=12.0), LIMITED)
    assert lane.ready_seconds(1.0, 1) == 12.0


def test_a_call_costs_what_it_takes_of_the_scarcer_limit() -> None:
    assert throttle(60).cost(5_000) == 1.0
    assert throttle(60, 6_000).cost(50) == 1.0
    assert throttle(60, 6_000).cost(500) == 5.0
    assert throttle(0, 6_000).cost(500) == 500.0


def test_it_is_idle_when_forgetting_it_changes_nothing() -> None:
    fitted = throttle(60, 100, 2)
    assert fitted.idle(0.0)
    hold = fitted.take(0.0, 10)
    assert hold is not None
    assert not fitted.idle(61.0), "a call is under way"
    fitted.settle(hold, 61.0, 10)
    assert fitted.idle(61.0)
    fitted.refused(61.0, 5.0, 0.0)
    assert not fitted.idle(70.0), "it is slowed"
    assert fitted.idle(90.0)
