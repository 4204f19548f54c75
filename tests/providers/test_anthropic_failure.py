"""Unsuccessful answers of Anthropic become rows of the failure table, and no key or account is in their words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.anthropic_failure import failure_of, stream_failure
from oneflow_ai.providers.anthropic_limits import hints_of

# What each status means when the body says nothing that is known.
STATUSES: dict[int, Kind] = {
    **dict.fromkeys((200, 204, 206, 304), kinds.UPSTREAM_BAD_RESPONSE),
    **dict.fromkeys((301, 302, 307, 308), kinds.UPSTREAM_REDIRECT_REFUSED),
    **dict.fromkeys((401, 403), kinds.PROVIDER_AUTH_FAILED),
    402: kinds.PROVIDER_QUOTA_EXHAUSTED,
    **dict.fromkeys((400, 404, 405, 413, 422, 431), kinds.UPSTREAM_REJECTED),
    **dict.fromkeys((408, 409), kinds.UPSTREAM_ERROR),
    429: kinds.UPSTREAM_RATE_LIMITED,
    **dict.fromkeys((500, 501, 502, 504, 520, 599), kinds.UPSTREAM_ERROR),
    **dict.fromkeys((503, 529), kinds.UPSTREAM_OVERLOADED),
}
BODIES = (
    b"",
    b"{}",
    b"<html></html>",
    b'{"error":{}}',
    b'{"error":null}',
    b'{"error":{"message":"No."}}',
    b"[]",
    b"\xff",
    b"[[[",
)


def error(type: str = "", message: str = "No.", code: str = "") -> bytes:
    found: dict[str, Any] = {"type": type, "message": message}
    if code:
        found["details"] = {"error_code": code}
    return json.dumps({"type": "error", "error": found, "request_id": "req_1"}).encode()


@pytest.mark.parametrize("status", STATUSES)
def test_the_status_tells_where_the_body_does_not(status: int) -> None:
    for body in BODIES:
        failure = failure_of(status, {}, body)
        assert failure.kind is STATUSES[status], body
        assert failure.message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("invalid_request_error"), kinds.UPSTREAM_REJECTED),
        (
            400,
            error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            kinds.CONTEXT_LENGTH_EXCEEDED,
        ),
        (
            400,
            error("invalid_request_error", "input length and `max_tokens` exceed context limit: 9 + 1 > 8"),
            kinds.CONTEXT_LENGTH_EXCEEDED,
        ),
        (
            400,
            error(
                "invalid_request_error",
                "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
            ),
            kinds.PROVIDER_QUOTA_EXHAUSTED,
        ),
        (
            400,
            error("invalid_request_error", "You have reached your specified workspace API usage limits."),
            kinds.PROVIDER_QUOTA_EXHAUSTED,
        ),
        (
            400,
            error("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
            kinds.PROVIDER_QUOTA_EXHAUSTED,
        ),
        (402, error("billing_error"), kinds.PROVIDER_QUOTA_EXHAUSTED),
        (403, error("permission_error"), kinds.PROVIDER_AUTH_FAILED),
        (403, error("permission_error", code="contract_spend_limit_reached"), kinds.PROVIDER_QUOTA_EXHAUSTED),
        (404, error("not_found_error", "model: claude-sonet-4-5"), kinds.UPSTREAM_MODEL_NOT_FOUND),
        (404, error("not_found_error", "Not Found"), kinds.UPSTREAM_REJECTED),
        (413, error("request_too_large"), kinds.UPSTREAM_REJECTED),
        (429, error("rate_limit_error"), kinds.UPSTREAM_RATE_LIMITED),
        (429, error("rate_limit_error", code="ramp_limit_exceeded"), kinds.UPSTREAM_RATE_LIMITED),
        (429, error("rate_limit_error", code="enforced_spend_limit_reached"), kinds.PROVIDER_QUOTA_EXHAUSTED),
        (500, error("api_error"), kinds.UPSTREAM_ERROR),
        (504, error("timeout_error"), kinds.UPSTREAM_ERROR),
        (529, error("overloaded_error"), kinds.UPSTREAM_OVERLOADED),
    ],
)
def test_the_body_tells_more(status: int, body: bytes, kind: Kind) -> None:
    assert failure_of(status, {}, body).kind is kind


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("overloaded_error", kinds.UPSTREAM_OVERLOADED),
        ("rate_limit_error", kinds.UPSTREAM_RATE_LIMITED),
        ("api_error", kinds.UPSTREAM_ERROR),
        ("timeout_error", kinds.UPSTREAM_ERROR),
        ("authentication_error", kinds.PROVIDER_AUTH_FAILED),
        ("billing_error", kinds.PROVIDER_QUOTA_EXHAUSTED),
        ("invalid_request_error", kinds.UPSTREAM_REJECTED),
        ("new_error", kinds.UPSTREAM_ERROR),
        ("", kinds.UPSTREAM_ERROR),
    ],
)
def test_within_a_stream_the_type_tells(type: str, kind: Kind) -> None:
    failure = stream_failure({"type": type, "message": "x"})
    assert (failure.kind, failure.status) == (kind, kind.status)


def told(status: int, **headers: str) -> Failure:
    return failure_of(status, {name.replace("_", "-"): text for name, text in headers.items()}, error())


def test_a_wait_is_read_from_errors_that_pass() -> None:
    assert [told(status, retry_after="59").retry_after_seconds for status in (429, 503, 529)] == [59.0] * 3
    assert [told(status, retry_after="59").retry_after_seconds for status in (400, 401, 500)] == [None] * 3


def test_the_providers_own_word_about_retries_is_kept() -> None:
    assert [told(429, x_should_retry=word).should_retry for word in ("true", "false", "maybe", "")] == [
        True,
        False,
        None,
        None,
    ]


def test_a_rejection_keeps_its_status_and_its_words() -> None:
    failure = failure_of(422, {}, error("invalid_request_error", "messages.0: wrong"))
    assert (failure.status, failure.message) == (422, "messages.0: wrong")
    missing = failure_of(404, {}, error("not_found_error", "model: x"))
    assert (missing.status, missing.code) == (404, "model_not_found")


def test_neither_keys_nor_accounts_are_told() -> None:
    words = "organization (8f14e45f-ceea-467f-9b3a-1c2d3e4f5a6b) with key sk-ant-api03-abcdefghijklm"
    message = failure_of(429, {}, error("rate_limit_error", words)).message
    assert "8f14e45f" not in message and "abcdefgh" not in message
    assert (
        failure_of(401, {}, error("authentication_error", words)).message
        == "the provider refused the gateway's credential"
    )


@given(st.integers(200, 599), st.binary(max_size=300) | st.text(max_size=50).map(lambda text: error(text, text, text)))
def test_no_body_makes_it_fail(status: int, body: bytes) -> None:
    assert failure_of(status, {}, body).message


# ---- limits

DATE = "Wed, 19 Aug 2026 14:34:00 GMT"


def buckets(**buckets: tuple[str, str, str]) -> dict[str, str]:
    found = {"date": DATE}
    for name, values in buckets.items():
        for part, text in zip(("limit", "remaining", "reset"), values, strict=True):
            found[f"anthropic-ratelimit-{name.replace('_', '-')}-{part}"] = text
    return found


def test_limits_are_told_with_the_time_until_they_are_there_again() -> None:
    hints = hints_of(
        buckets(requests=("50", "49", "2026-08-19T14:34:12Z"), tokens=("4000", "3900", "2026-08-19T14:34:06Z"))
    )
    assert hints is not None
    assert (hints.limit_requests, hints.remaining_requests, hints.reset_requests_seconds) == (50, 49, 12.0)
    assert (hints.limit_tokens, hints.remaining_tokens, hints.reset_tokens_seconds) == (4000, 3900, 6.0)


def test_a_part_that_is_used_up_leaves_nothing_of_the_whole() -> None:
    hints = hints_of(
        buckets(
            tokens=("280", "80", "2026-08-19T14:34:00Z"),
            input_tokens=("200", "0", "2026-08-19T14:35:03Z"),
            output_tokens=("80", "80", "2026-08-19T14:34:00Z"),
        )
    )
    assert hints is not None
    assert (hints.limit_tokens, hints.remaining_tokens, hints.reset_tokens_seconds) == (280, 0, 63.0)


@pytest.mark.parametrize(
    ("reset", "date", "seconds"),
    [
        ("2026-08-19T14:33:59Z", DATE, 0.0),
        ("2026-08-19T14:34:01.5Z", DATE, 1.5),
        ("2026-08-19T16:34:01+02:00", DATE, 1.0),
        ("2026-08-19T14:34:02", DATE, 2.0),
        ("2030-01-01T00:00:00Z", DATE, 86_400.0),
        ("junk", DATE, None),
        ("2026-08-19T14:34:12Z", "junk", None),
        ("2" * 100, DATE, None),
        ("", DATE, None),
    ],
)
def test_a_moment_is_measured_against_the_answers_own_date(reset: str, date: str, seconds: float | None) -> None:
    hints = hints_of({**buckets(requests=("5", "4", reset)), "date": date})
    assert hints is not None
    assert hints.reset_requests_seconds == seconds


def test_without_limits_there_are_no_hints() -> None:
    assert hints_of({}) is None
    assert hints_of({"date": DATE, "retry-after": "5"}) is None
    assert hints_of(buckets(requests=("x", "-1", "y"))) is None


@given(
    st.dictionaries(st.sampled_from(list(buckets(requests=("", "", ""), tokens=("", "", "")))), st.text(max_size=70))
)
def test_junk_is_never_an_error(headers: dict[str, str]) -> None:
    hints_of(headers)
