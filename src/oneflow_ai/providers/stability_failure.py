"""What an unsuccessful answer of Stability's means: both editions name their errors, each in a shape of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import (
    WAITING_STATUSES,
    failure_from,
    kind_of_no_error,
    kind_of_status,
    listed,
    loaded,
    mapping,
    word,
)
from oneflow_ai.providers.headers import retry_after_seconds

TIMED_OUT_SECONDS = 60.0
"""How long a key is shut out after 150 requests in ten seconds (Stability's API reference, 2026-11-23)."""

# The names of errors in either edition (API reference of v2beta, specification of v1, answers quoted in public
# repositories; 2026-11-23). The first edition's lack of money is known as 402 and as 429.
_NAMES: Mapping[str, Kind] = {
    "unauthorized": kinds.PROVIDER_AUTH_FAILED,
    "payment_required": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "insufficient_balance": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "content_moderation": kinds.UPSTREAM_REJECTED,
    "invalid_prompts": kinds.UPSTREAM_REJECTED,
    "invalid_language": kinds.UPSTREAM_REJECTED,
    "public_figure": kinds.UPSTREAM_REJECTED,
    "payload_too_large": kinds.UPSTREAM_REJECTED,
    "bad_request": kinds.UPSTREAM_REJECTED,
    "not_found": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "rate_limit_exceeded": kinds.UPSTREAM_RATE_LIMITED,
}
_KEY_STATUSES = frozenset({401, 402})
_SHUT_OUT = re.compile(r"timed out for ([0-9]{1,4}) second")
_CODE = re.compile(r"[a-z][a-z_]{0,63}")
_PARAM = re.compile(r"([a-z][a-z_]{0,63}): ")
_ERRORS_MOST = 8


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    found = mapping(loaded(body))
    name, message = word(found.get("name")), _message(found)
    kind, param = _kind(status, name), _PARAM.match(message) if status == 400 else None
    waits = status in WAITING_STATUSES and kind is not kinds.PROVIDER_QUOTA_EXHAUSTED
    return failure_from(
        kind,
        status,
        message,
        code=name if _CODE.fullmatch(name) else None,
        param=param[1] if param else None,
        wait_seconds=_wait_seconds(status, headers, message) if waits else None,
    )


def _kind(status: int, name: str) -> Kind:
    none = kind_of_no_error(status)
    if none is not None:
        return none
    if status < 500 and status not in _KEY_STATUSES and name in _NAMES:
        return _NAMES[name]
    return kind_of_status(status)


def _message(found: Mapping[str, Any]) -> str:
    """`errors` of the second edition, `message` of the first."""
    errors = [each for each in listed(found.get("errors"))[:_ERRORS_MOST] if isinstance(each, str)]
    return "; ".join(errors) or word(found.get("message"))


def _wait_seconds(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """When to come back. Stability tells no `retry-after`; what stands between may."""
    told = retry_after_seconds(headers)
    if told is not None or status != 429:
        return told
    shut_out = _SHUT_OUT.search(message)
    return float(shut_out[1]) if shut_out else TIMED_OUT_SECONDS
