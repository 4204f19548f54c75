"""The limits, to the letter."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.simulator import FAST, Limits, Simulator, SimulatorOptions
from oneflow_ai.simulator.limits import CONCURRENCY, REQUESTS, TOKENS, TOO_LARGE, Limiter, go_duration
from tests.simulator.raw import CHAT, once

_TIMES = st.lists(st.integers(0, 3_000), max_size=60).map(lambda tenths: [each / 16 for each in sorted(tenths)])


@given(times=_TIMES, limit=st.integers(1, 9))
def test_an_arrival_is_refused_exactly_when_the_limit_came_within_the_60_seconds_before(
    times: list[float], limit: int
) -> None:
    limiter = Limiter()
    for number, now in enumerate(times):
        before = sum(1 for earlier in times[:number] if now - earlier < 60)
        refusal = limiter.admit(Limits(requests_per_minute=limit), "a", 1, now)
        assert (refusal is not None) == (before >= limit)


@given(times=_TIMES, sizes=st.lists(st.integers(1, 40), min_size=60, max_size=60), limit=st.integers(20, 90))
def test_no_60_seconds_hold_more_admitted_tokens_than_the_limit(
    times: list[float], sizes: list[int], limit: int
) -> None:
    limiter = Limiter()
    admitted: list[tuple[float, int]] = []
    for now, size in zip(times, sizes, strict=False):
        spent = sum(each for at, each in admitted if now - at < 60)
        refusal = limiter.admit(Limits(tokens_per_minute=limit), "a", size, now)
        assert (refusal is None) == (spent + size <= limit)
        if refusal is None:
            admitted.append((now, size))
        elif refusal.scope == TOKENS:
            again = now + refusal.retry_after_seconds
            assert sum(each for at, each in admitted if again - at < 60) + size <= limit


def test_who_waits_as_told_is_admitted() -> None:
    limiter, limits, now = Limiter(), Limits(requests_per_minute=3), 0.0
    for _ in range(3):
        assert limiter.admit(limits, "a", 1, now) is None
        now += 1
    refusal = limiter.admit(limits, "a", 1, now)
    assert refusal is not None
    assert refusal.scope == REQUESTS
    assert limiter.admit(limits, "a", 1, now + refusal.retry_after_seconds) is None


def test_a_request_larger_than_the_limit_is_refused_for_good() -> None:
    refusal = Limiter().admit(Limits(tokens_per_minute=10), "a", 11, 0.0)
    assert refusal is not None
    assert (refusal.scope, refusal.retry_after_seconds) == (TOO_LARGE, 0.0)


def test_concurrency_is_freed_by_the_end_of_a_request() -> None:
    limiter, limits = Limiter(), Limits(concurrency=1)
    assert limiter.admit(limits, "a", 1, 0.0) is None
    refused = limiter.admit(limits, "a", 1, 0.0)
    assert refused is not None
    assert refused.scope == CONCURRENCY
    limiter.release("a")
    assert limiter.admit(limits, "a", 1, 0.0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (-3, "0s"), (0.0001, "1ms"), (0.976, "976ms"), (1.2, "1.2s"), (8.64, "8.64s"), (60, "1m0s"),
        (73.588, "1m13.588s"), (1252.666, "20m52.666s"), (3600, "1h0m0s"), (7325.5, "2h2m5.5s"),
    ],
)  # fmt: skip
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


async def test_the_request_after_the_limit_is_refused_and_told_when_to_come_back() -> None:
    options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=2, tokens_per_minute=10_000))
    async with await Simulator(options).start() as simulator:
        first, second, third = [await once(simulator, CHAT) for _ in range(3)]
        other = await once(simulator, CHAT, key="another")
        assert simulator.record.counts.refused_by_limit == 1
    assert [each.status for each in (first, second, third, other)] == [200, 200, 429, 200]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert [each.headers["x-ratelimit-remaining-requests"] for each in (first, second, third)] == ["1", "0", "0"]
    assert re.fullmatch(r"1m0s|59\.\d+s", third.headers["x-ratelimit-reset-requests"])
    spent = first.json["usage"]["total_tokens"]
    assert first.headers["x-ratelimit-remaining-tokens"] == str(10_000 - spent)
    assert third.json["error"]["code"] == "rate_limit_exceeded"
    assert 59_000 < int(third.headers["retry-after-ms"]) <= 60_000
    assert third.headers["retry-after"] == "60"


async def test_without_limits_nothing_is_told_of_them(simulator: Simulator) -> None:
    assert "x-ratelimit" not in (await once(simulator, CHAT)).head
