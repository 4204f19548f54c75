"""What each provider is told to have done."""

import pytest

from oneflow_ai.core.failure import CLIENT_CLOSED, INSUFFICIENT_QUOTA, UNSUPPORTED_PARAMETER
from oneflow_ai.core.record import Attempt, Exchange
from oneflow_ai.core.target import Target
from oneflow_ai.insight import tally
from oneflow_ai.insight.tally import ProviderTally, money_text, percent_text, seconds_text
from tests.stores.exchanges import PROMPT, call, failure, success, target


def tried(*attempts: tuple[Target, str, int, str], cost_nanos: int = 0) -> Exchange:
    """A call with an attempt of one second for each (target, outcome, status, message); the last ends it."""
    made = [Attempt(place, 100.0, 101.0, outcome, status, words) for place, outcome, status, words in attempts]
    place, outcome, status, _ = attempts[-1]
    return Exchange(
        call(), made, outcome, status, cost_nanos=cost_nanos, served=place if outcome == "ok" else None,
        ended_seconds=101.0,
    )  # fmt: skip


def test_a_provider_that_was_never_tried_has_done_nothing_wrong() -> None:
    assert ProviderTally(simulated=False).of("acme").shown() == {
        "total_requests": 0,
        "successful_requests": 0,
        "failed_requests": 0,
        "success_rate": "100.0%",
        "average_response_time": "0.00s",
        "total_cost": "$0.0000",
        "last_error": None,
    }


def test_successes_give_the_time_and_the_cost_failures_the_last_error() -> None:
    counted = ProviderTally(simulated=False)
    for exchange in (success(), success(), failure()):
        counted.observe(exchange)
    assert counted.of("acme").shown() == {
        "total_requests": 3,
        "successful_requests": 2,
        "failed_requests": 1,
        "success_rate": "66.7%",
        "average_response_time": "0.50s",
        "total_cost": "$0.0000",
        "last_error": "upstream_timeout: acme#1 did not answer",
    }


def test_a_call_counts_once_at_each_provider_that_it_tried() -> None:
    first, second = target("first"), target("second")
    counted = ProviderTally(simulated=False)
    counted.observe(
        tried(
            (first, "upstream_timeout", 0, "first did not answer"),
            (first, "upstream_error", 500, "first answered with status 500"),
            (second, "ok", 200, ""),
            cost_nanos=2_500_000,
        )
    )
    one, other = counted.of("first").shown(), counted.of("second").shown()
    assert (one["total_requests"], one["failed_requests"], one["total_cost"]) == (1, 1, "$0.0000")
    assert one["last_error"] == "upstream_error: first answered with status 500"
    assert (other["total_requests"], other["successful_requests"], other["total_cost"]) == (1, 1, "$0.0025")


def test_what_a_target_cannot_do_and_what_a_budget_refuses_is_no_failure_of_the_provider() -> None:
    counted = ProviderTally(simulated=False)
    counted.observe(tried((target(), UNSUPPORTED_PARAMETER.code, 0, "n"), (target("other"), "ok", 200, "")))
    counted.observe(tried((target(), INSUFFICIENT_QUOTA.code, 0, "the budget has $0 left")))
    assert counted.of("acme").shown()["total_requests"] == 0
    assert counted.of("acme").shown()["last_error"] is None
    assert counted.of("other").shown()["successful_requests"] == 1


def test_a_call_that_its_client_gave_up_on_counts_only_what_it_cost() -> None:
    exchange = tried((target(), CLIENT_CLOSED.code, 200, ""), cost_nanos=1_000_000)
    exchange.served = target()
    counted = ProviderTally(simulated=False)
    counted.observe(exchange)
    assert counted.of("acme").shown()["total_requests"] == 0
    assert counted.of("acme").shown()["total_cost"] == "$0.0010"


@pytest.mark.parametrize(("demo", "requests", "cost"), [(False, 0, "$0.0000"), (True, 1, "$0.0010")])
def test_simulated_answers_are_success_and_spend_in_demo_mode_only(demo: bool, requests: int, cost: str) -> None:
    counted = ProviderTally(simulated=demo)
    counted.observe(tried((target(simulated=True), "ok", 200, ""), cost_nanos=1_000_000))
    shown = counted.of("acme").shown()
    assert (shown["total_requests"], shown["successful_requests"], shown["total_cost"]) == (requests, requests, cost)


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        ("upstream_rejected", 400, "upstream_rejected"),
        ("context_length_exceeded", 400, "context_length_exceeded"),
        ("their_own_code", 422, "refused with status 422"),
        ("queue_timeout", 0, f"queue_timeout: {PROMPT}"),
    ],
)
def test_what_a_provider_says_in_refusing_is_not_repeated(outcome: str, status: int, told: str) -> None:
    """A refusal may quote the prompt; only words that are the gateway's own are kept."""
    counted = ProviderTally(simulated=False)
    counted.observe(tried((target(), outcome, status, PROMPT)))
    assert counted.of("acme").last_error == told


def test_providers_and_errors_are_bounded() -> None:
    counted = ProviderTally(simulated=False)
    for number in range(tally.PROVIDERS_MOST + 1):
        counted.observe(tried((target(f"p{number}"), "upstream_error", 500, "x" * 10_000)))
    assert counted.of("p0").failures == 0
    assert counted.of("p1").failures == 1
    assert len(counted.of("p1").last_error or "") == tally.ERROR_CHARACTERS_MOST


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money_text(0), "$0.0000"),
        (money_text(1_234_567_890_000), "$1234.5679"),
        (percent_text(0, 0), "100.0%"),
        (percent_text(0, 3), "0.0%"),
        (percent_text(2, 3), "66.7%"),
        (seconds_text(0.004), "0.00s"),
        (seconds_text(12.345), "12.35s"),
    ],
)
def test_money_shares_and_times_are_written_as_promised(shown: str, expected: str) -> None:
    assert shown == expected
