"""What Anthropic's headers tell of its limits; junk is nothing, never an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from oneflow_ai.core.ports import RateHints
from oneflow_ai.providers.headers import WAIT_SECONDS_MOST

_PREFIX = "anthropic-ratelimit-"
_COUNT = re.compile(r"[0-9]{1,15}")
_CHARACTERS_MOST = 64


def hints_of(headers: Mapping[str, str]) -> RateHints | None:
    """The `anthropic-ratelimit-*` headers; None when the answer has none of them.

    Tokens are counted three times, as input, as output and together. The whole counts, but where one of the two is used
    up nothing is left of the whole before that one is there again. Moments are measured against the answer's own
    `date`, so that no clock is needed.
    """
    requests, tokens = _bucket(headers, "requests"), _bucket(headers, "tokens")
    if requests[1] is None and tokens[1] is None:
        return None
    empty = [part for part in (_bucket(headers, "input-tokens"), _bucket(headers, "output-tokens")) if part[1] == 0]
    if empty:
        waits = [wait for _, _, wait in empty if wait is not None]
        tokens = (tokens[0], 0, max(waits, default=None))
    return RateHints(*requests, *tokens)


def _bucket(headers: Mapping[str, str], name: str) -> tuple[int | None, int | None, float | None]:
    prefix = _PREFIX + name
    limit, remaining = _count(headers.get(f"{prefix}-limit")), _count(headers.get(f"{prefix}-remaining"))
    return limit, remaining, _until(headers.get(f"{prefix}-reset"), headers.get("date"))


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and _COUNT.fullmatch(text) else None


def _until(reset: str | None, date: str | None) -> float | None:
    """Seconds from the answer's date to a moment in RFC 3339 (`2026-08-19T14:34:12Z`), nought at least."""
    if not reset or not date or len(reset) > _CHARACTERS_MOST or len(date) > _CHARACTERS_MOST:
        return None
    try:
        at, now = datetime.fromisoformat(reset), parsedate_to_datetime(date)
        seconds = (_aware(at) - _aware(now)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), WAIT_SECONDS_MOST)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
