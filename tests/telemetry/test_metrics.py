"""The metrics: what they count, what they never show, and that nobody can make them grow."""

import platform
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Target
from oneflow_ai.telemetry.metrics import NAMES, WATCHED, Metrics
from oneflow_ai.telemetry.series import SECONDS_BOUNDS, SERIES_MOST, Spread
from tests.stores.exchanges import PROMPT, PROVIDER_SECRET, failure, success, target

Samples = dict[tuple[str, ...], float]


def samples(metrics: Metrics) -> Samples:
    """Every value by its name and its labels' values, in the order of the labels' names."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
    }


def counted(*exchanges: Exchange) -> Samples:
    metrics = Metrics("1.2.3")
    metrics.bind([target()])
    for exchange in exchanges:
        metrics.observe(exchange)
    return samples(metrics)


def test_a_success_is_counted_with_its_tokens_its_cost_and_its_times() -> None:
    found = counted(success(1), success(2))
    assert found["oneflow_requests_total", "acme-large", "ok", "acme"] == 2
    assert found["oneflow_attempts_total", "ok", "acme"] == 2
    assert found["oneflow_tokens_total", "input", "acme-large", "acme"] == 20
    assert found["oneflow_tokens_total", "output", "acme-large", "acme"] == 40
    assert found["oneflow_cached_tokens_total", "acme-large", "acme"] == 8
    assert found["oneflow_cost_usd_total", "acme-large", "acme"] == pytest.approx(0.000002)
    assert found["oneflow_request_seconds_count", "acme-large", "acme"] == 2
    assert found["oneflow_request_seconds_sum", "acme-large", "acme"] == pytest.approx(1.0)
    assert found["oneflow_request_seconds_bucket", "0.5", "acme-large", "acme"] == 2
    assert found["oneflow_request_seconds_bucket", "0.25", "acme-large", "acme"] == 0
    assert found["oneflow_first_event_seconds_sum", "acme-large", "acme"] == pytest.approx(0.4)
    assert found["oneflow_build_info", platform.python_version(), "1.2.3"] == 1


def test_a_usage_that_is_odd_or_not_the_providers_word_is_counted() -> None:
    usage = success(1).usage
    assert usage is not None
    odd = replace(success(1), usage=replace(usage, odd=True))
    estimated = replace(success(2), usage=replace(usage, source="estimated"), estimated=True)
    found = counted(odd, estimated, success(3))
    assert found["oneflow_usage_odd_total", "acme-large", "acme"] == 1
    assert found["oneflow_usage_estimated_total", "acme-large", "acme"] == 1


def test_a_failure_counts_no_time_and_each_of_its_attempts() -> None:
    exchange = failure()
    found = counted(replace(exchange, attempts=exchange.attempts * 3))
    assert found["oneflow_requests_total", "acme-large", "upstream_timeout", "acme"] == 1
    assert found["oneflow_attempts_total", "upstream_timeout", "acme"] == 3
    assert found["oneflow_request_seconds_count", "acme-large", "acme"] == 0


def test_what_was_refused_before_it_was_sent_is_no_attempt() -> None:
    exchange = failure()
    (attempt,) = exchange.attempts
    found = counted(replace(exchange, attempts=[replace(attempt, asked=False), attempt]))
    assert found["oneflow_requests_total", "acme-large", "upstream_timeout", "acme"] == 1
    assert found["oneflow_attempts_total", "upstream_timeout", "acme"] == 1


def test_a_simulated_answer_is_no_success_and_no_spend() -> None:
    found = counted(success(1, target(simulated=True)))
    assert found["oneflow_requests_total", "acme-large", "simulated", "acme"] == 1
    assert found["oneflow_cost_usd_total", "acme-large", "acme"] == 0
    assert ("oneflow_requests_total", "acme-large", "ok", "acme") not in found


def test_a_call_that_reached_no_provider_is_counted_without_one() -> None:
    found = counted(replace(failure(1, "model_not_found", 404), attempts=[]))
    assert found["oneflow_requests_total", "none", "model_not_found", "none"] == 1


def test_a_refusal_is_counted_by_its_code() -> None:
    metrics = Metrics("1")
    for code in ("invalid_api_key", "invalid_api_key", "made up"):
        metrics.refused(code)
    found = samples(metrics)
    assert found["oneflow_refused_total", "invalid_api_key"] == 2
    assert found["oneflow_refused_total", "other"] == 1


def test_what_others_know_is_asked_when_the_metrics_are() -> None:
    metrics = Metrics("1")
    now = {"value": 1.0}
    metrics.watch("oneflow_in_flight", lambda: now["value"])
    metrics.watch("oneflow_history_dropped_total", lambda: 7)
    metrics.watch("oneflow_breaker_state", lambda: {"acme/acme-large": 2})
    now["value"] = 5.0
    found = samples(metrics)
    assert found["oneflow_in_flight",] == 5
    assert found["oneflow_history_dropped_total",] == 7
    assert found["oneflow_breaker_state", "acme/acme-large"] == 2
    with pytest.raises(KeyError):
        metrics.watch("oneflow_made_up", lambda: 1)


def test_a_labelled_metric_shows_a_thousand_values_at_most() -> None:
    metrics = Metrics("1")
    metrics.watch("oneflow_queue_waiting", lambda: {str(number): 1 for number in range(5_000)})
    assert sum(name[0] == "oneflow_queue_waiting" for name in samples(metrics)) == 1_000


def test_names_that_clients_and_providers_make_up_never_become_series() -> None:
    metrics = Metrics("1")
    for number in range(1_000):
        made_up = replace(failure(), outcome=f"code_{number}")
        made_up.attempts[0] = replace(
            made_up.attempts[0], outcome=f"code_{number}", target=target(model=f"model-{number}")
        )
        metrics.observe(made_up)
    found = samples(metrics)
    assert found["oneflow_requests_total", "other", "other", "acme"] == 1_000
    assert found["oneflow_attempts_total", "other", "acme"] == 1_000
    assert not [labels for labels in found if re.search(r"code_|model-", " ".join(labels))]


def test_series_are_bounded_whatever_the_configuration_and_the_answers() -> None:
    metrics = Metrics("1")
    many = [target(f"provider-{number % 300}", f"model-{number}") for number in range(1_000)]
    metrics.bind(many)
    for place in many:
        metrics.observe(success(1, place))
    book = metrics.book
    assert len(book.series) <= SERIES_MOST + 101
    assert sum(sum(series.outcomes.values()) for series in book.series.values()) == 1_000


@given(st.lists(st.floats(0, 10_000), max_size=50))
def test_each_duration_lies_in_one_interval(durations: list[float]) -> None:
    spread = Spread()
    for seconds in durations:
        spread.add(seconds)
    for place, bound in enumerate(SECONDS_BOUNDS):
        assert sum(spread.counts[: place + 1]) == sum(seconds <= bound for seconds in durations)
    assert sum(spread.counts) == len(durations)


def test_no_secret_prompt_key_or_user_is_shown() -> None:
    metrics = Metrics("1")
    metrics.observe(success(1, user="canary-user", tags=("canary-tag",)))
    metrics.observe(failure(2, message="canary-message"))
    text = metrics.render().decode()
    assert "canary" not in text
    assert PROVIDER_SECRET not in text
    assert PROMPT not in text
    assert "key_1" not in text


def test_a_configured_name_cannot_break_out_of_its_line() -> None:
    place: Target = target('ac"me\n# evil 1', "mo\\del")
    metrics = Metrics("1")
    metrics.observe(success(1, place))
    assert samples(metrics)["oneflow_requests_total", "mo\\del", "ok", 'ac"me\n# evil 1'] == 1


def test_every_metric_is_shown_under_its_name_and_documented() -> None:
    metrics = Metrics("1")
    for name, watched in WATCHED.items():
        metrics.watch(name, partial(dict, a=1) if watched.label else float)
    metrics.observe(success())
    text = metrics.render().decode()
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
    assert [name for name in NAMES if f"# TYPE {name} " not in text] == []
    assert [name for name in NAMES if f"`{name}`" not in page] == []
