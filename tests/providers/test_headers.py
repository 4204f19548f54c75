"""Waits and limits in provider headers: every format seen is read, everything else says nothing (F19-F21)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.ports import RateHints
from oneflow_ai.providers.headers import (
    WAIT_SECONDS_MOST,
    duration_seconds,
    openai_hints,
    retry_after_seconds,
)

NOW = "Mon, 24 Nov 2026 10:00:00 GMT"
JUNK = [
    "",
    " ",
    "soon",
    "inf",
    "-inf",
    "Infinity",
    "nan",
    "1e309",
    "-1",
    "-0.5",
    "1_000",
    "٣",
    "0x10",
    "1,5",
    "+5",
    "5 s",
    "9" * 65,
]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("0", 0.0),
        ("6ms", 0.006),
        ("26ms", 0.026),
        ("1.2s", 1.2),
        ("8.64s", 8.64),
        ("59.369s", 59.369),
        ("1m13.588s", 73.588),
        ("20m52.666s", 1252.666),
        ("6m0s", 360.0),
        ("1h0m0s", 3600.0),
        ("1h", 3600.0),
        ("2m", 120.0),
        ("1s500ms", 1.5),
        ("0.5ms", 0.0005),
        ("60", 60.0),
        ("7.66", 7.66),
        ("99999h", WAIT_SECONDS_MOST),
        ("1e9", WAIT_SECONDS_MOST),
    ],
)  # fmt: skip
def test_durations_in_every_format_seen(text: str, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [None, *JUNK, "1s2m", "1.2.3s", "s", "ms", "1d", "1m1m", "5µs", "-5s", "9" * 64 + "h"])
def test_what_is_no_duration_says_nothing(text: str | None) -> None:
    assert duration_seconds(text) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "150"}, 0.15),
        ({"retry-after-ms": "150", "retry-after": "2"}, 0.15),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1.0),  # Azure sent both on one 429
        ({"retry-after-ms": "junk", "retry-after": "1"}, 1.0),
        ({"retry-after-ms": "-5", "retry-after": "1"}, 1.0),
        ({"retry-after-ms": "120000"}, 120.0),
        ({"retry-after-ms": "1e300"}, WAIT_SECONDS_MOST),
        ({"retry-after": "1e300"}, WAIT_SECONDS_MOST),
        ({"retry-after": "0"}, None),
        ({"retry-after-ms": "0"}, None),
        ({"retry-after": "Mon, 24 Nov 2026 10:00:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Monday, 24-Nov-26 10:00:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Mon, 24 Nov 2026 11:00:00 +0100", "date": "Mon, 24 Nov 2026 09:59:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 24 Nov 2026 09:00:00 GMT", "date": NOW}, None),  # past
        ({"retry-after": NOW, "date": NOW}, None),
        ({"retry-after": "Fri, 24 Nov 2226 10:00:00 GMT", "date": NOW}, WAIT_SECONDS_MOST),  # far
        ({"retry-after": "Mon, 24 Nov 2026 10:00:30 GMT" + " " * 40, "date": NOW}, None),  # too long to be one
        ({"retry-after": "Mon, 24 Nov 2026 10:00:30 GMT", "date": NOW + " " * 40}, None),
        ({"retry-after": NOW}, None),  # nothing to measure against
        ({"retry-after": NOW, "date": "junk"}, None),
        ({"retry-after": "Mon, 24 Nov 99999 10:00:00 GMT", "date": NOW}, None),
        ({"retry-after": "Mon, 24 Nov 2026 10:00:30", "date": NOW}, None),  # no zone
        ({"retry-after-ms": "1e-321"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


@pytest.mark.parametrize("text", JUNK)
def test_junk_asks_for_no_wait(text: str) -> None:
    assert retry_after_seconds({"retry-after": text, "date": NOW}) is None
    assert retry_after_seconds({"retry-after-ms": text}) is None


@given(
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date"]), st.one_of(st.text(), st.floats().map(str))
    )
)
def test_any_header_gives_a_finite_wait_or_none(headers: dict[str, str]) -> None:
    seconds = retry_after_seconds(headers)
    assert seconds is None or (math.isfinite(seconds) and 0 < seconds <= WAIT_SECONDS_MOST)


@given(st.one_of(st.text(max_size=80), st.from_regex(r"([0-9]+h)?([0-9]+m)?([0-9.]+s)?([0-9]+ms)?", fullmatch=True)))
def test_any_text_gives_a_finite_duration_or_none(text: str) -> None:
    seconds = duration_seconds(text)
    assert seconds is None or 0 <= seconds <= WAIT_SECONDS_MOST


def test_limits_as_openai_tells_them() -> None:
    headers = {
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-limit-tokens": "2000000",
        "x-ratelimit-remaining-tokens": "1999964",
        "x-ratelimit-reset-tokens": "1m13.588s",
    }
    assert openai_hints(headers) == RateHints(10000, 9999, 0.006, 2000000, 1999964, 73.588)


def test_limits_that_are_half_told_or_junk() -> None:
    assert openai_hints({}) is None
    assert openai_hints({"x-ratelimit-limit-requests": "60", "retry-after": "3"}) is None
    assert openai_hints({"x-ratelimit-remaining-requests": "5"}) == RateHints(remaining_requests=5)
    junk = {
        "x-ratelimit-remaining-tokens": "-5",
        "x-ratelimit-limit-tokens": "1e6",
        "x-ratelimit-reset-tokens": "later",
    }
    assert openai_hints(junk) == RateHints()
    assert openai_hints({"x-ratelimit-remaining-tokens": "9" * 16}) == RateHints()
    assert openai_hints({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "0"}) == RateHints(
        remaining_tokens=5, reset_tokens_seconds=0.0
    )
