"""What provider headers say about waiting and limits, in every format seen; junk is None, never an error."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from oneflow_ai.core.ports import RateHints

WAIT_SECONDS_MOST = 86_400.0
_CHARACTERS_MOST = 64
# Go durations, all seen on OpenAI and Groq: 6ms, 0s, 1.2s, 59.369s, 1m13.588s, 20m52.666s (recordings, 2026-11-23).
_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m(?!s))?(?:([0-9]+(?:\.[0-9]+)?)s)?(?:([0-9]+(?:\.[0-9]+)?)ms)?")
# Python's own float() takes more: 1_000, other scripts' digits, nan.
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_COUNT = re.compile(r"[0-9]{1,15}")


def duration_seconds(text: str | None) -> float | None:
    """Seconds of a Go duration (`1m13.588s`) or of a bare number, at most a day; None for anything else."""
    if not text or len(text) > _CHARACTERS_MOST:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        number = _number(text)
        return None if number is None else min(number, WAIT_SECONDS_MOST)
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return min(hours * 3600 + minutes * 60 + seconds + milliseconds / 1000, WAIT_SECONDS_MOST)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait: `retry-after-ms` when above zero, else `retry-after` in seconds or as a date.

    A date is measured against the answer's own `date`, so that no clock is needed. None when neither names a time to
    come: the caller's own backoff then stands.
    """
    wait_seconds = (_number(headers.get("retry-after-ms")) or 0.0) / 1000
    if wait_seconds > 0:
        return min(wait_seconds, WAIT_SECONDS_MOST)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text, headers.get("date"))
    return min(seconds, WAIT_SECONDS_MOST) if seconds and seconds > 0 else None


def openai_hints(headers: Mapping[str, str]) -> RateHints | None:
    """The `x-ratelimit-*` headers of OpenAI's wire; None when the answer has none of them."""
    if "x-ratelimit-remaining-requests" not in headers and "x-ratelimit-remaining-tokens" not in headers:
        return None
    return RateHints(
        limit_requests=count(headers.get("x-ratelimit-limit-requests")),
        remaining_requests=count(headers.get("x-ratelimit-remaining-requests")),
        reset_requests_seconds=duration_seconds(headers.get("x-ratelimit-reset-requests")),
        limit_tokens=count(headers.get("x-ratelimit-limit-tokens")),
        remaining_tokens=count(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens_seconds=duration_seconds(headers.get("x-ratelimit-reset-tokens")),
    )


def _number(text: str | None) -> float | None:
    if text is None or len(text) > _CHARACTERS_MOST or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def count(text: str | None) -> int | None:
    """A count as headers tell it; None for what is none."""
    return int(text) if text is not None and _COUNT.fullmatch(text) else None


def _until(text: str, date: str | None) -> float | None:
    if date is None or len(text) > _CHARACTERS_MOST or len(date) > _CHARACTERS_MOST:
        return None
    try:
        return (parsedate_to_datetime(text) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
