"""What an unsuccessful answer on Anthropic's wire means: a row of the failure table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import (
    MESSAGE_CHARACTERS_MOST,
    NO_ACCESS,
    WAITING_STATUSES,
    failure_from,
    kind_of_no_error,
    kind_of_status,
    told_to_retry,
    word,
)
from oneflow_ai.providers.context_words import tells_of_context
from oneflow_ai.providers.headers import retry_after_seconds
from oneflow_ai.providers.openai_failure import error_of

# https://platform.claude.com/docs/en/api/errors, 2026-11-26.
_TYPES: Mapping[str, Kind] = {
    "invalid_request_error": kinds.UPSTREAM_REJECTED,
    "authentication_error": kinds.PROVIDER_AUTH_FAILED,
    "billing_error": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "permission_error": kinds.PROVIDER_AUTH_FAILED,
    "rate_limit_error": kinds.UPSTREAM_RATE_LIMITED,
    "conflict_error": kinds.UPSTREAM_ERROR,
    "timeout_error": kinds.UPSTREAM_ERROR,
    "api_error": kinds.UPSTREAM_ERROR,
    "overloaded_error": kinds.UPSTREAM_OVERLOADED,
}
# Money, not rate: waiting does not help (anthropic 2.14.0, types/shared, 2026-11-26).
_CODES: Mapping[str, Kind] = {
    "enforced_spend_limit_reached": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "contract_spend_limit_reached": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "linked_organization_spend_limit_reached": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "linked_organization_billing_unavailable": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "organization_on_hold": kinds.PROVIDER_AUTH_FAILED,
    "ramp_limit_exceeded": kinds.UPSTREAM_RATE_LIMITED,
}
# What tells of a mistake where the type does not: statuses, words of the message, and the kind they stand for.
_WORDS: tuple[tuple[frozenset[int], re.Pattern[str], Kind], ...] = (
    (
        # The limit that the operator set in the console, and a prepaid balance that is spent, are told as a 400.
        frozenset({400, 403, 429}),
        re.compile(
            r"reached your (?:specified )?(?:workspace )?API usage limits|credit balance is too low", re.IGNORECASE
        ),
        kinds.PROVIDER_QUOTA_EXHAUSTED,
    ),
    (frozenset({404}), re.compile(r"\bmodel\b", re.IGNORECASE), kinds.UPSTREAM_MODEL_NOT_FOUND),
    # A file or a model that the client named is no fault of the key's.
    (frozenset({403}), re.compile(r"\bfiles?\b|\bfile_", re.IGNORECASE), kinds.UPSTREAM_REJECTED),
    (
        frozenset({403}),
        re.compile(
            r"(?:access|permission|allowed|authorized).{0,80}?\bmodel\b"
            r"|\bmodel\b.{0,200}?(?:access|permission|not (?:allowed|available|found|enabled))",
            re.IGNORECASE | re.DOTALL,
        ),
        kinds.UPSTREAM_MODEL_NOT_FOUND,
    ),
)
_CONTEXT_STATUSES = frozenset({400, 413})
_FORBIDDEN, _FORBIDDEN_STATUS = "permission_error", 403
_NO_HEADERS: Mapping[str, str] = {}


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    error = error_of(body)
    return _failure(_kind(status, error), status, error, headers)


def stream_failure(error: Mapping[str, Any]) -> Failure:
    """The failure that an error inside a stream stands for, by its type: there is no status to go by."""
    kind = _named(error) or kinds.UPSTREAM_ERROR
    if kind is kinds.UPSTREAM_REJECTED or word(error.get("type")) == _FORBIDDEN:
        kind = _kind(_FORBIDDEN_STATUS if kind is kinds.PROVIDER_AUTH_FAILED else kind.status, error)
    return _failure(kind, kind.status, error, _NO_HEADERS)


def _kind(status: int, error: Mapping[str, Any]) -> Kind:
    none = kind_of_no_error(status)
    if none is not None:
        return none
    code = _code(error)
    if code is not None:
        return code
    message = word(error.get("message"))[:MESSAGE_CHARACTERS_MOST]
    if status in _CONTEXT_STATUSES and tells_of_context(message):
        return kinds.CONTEXT_LENGTH_EXCEEDED
    for statuses, words, kind in _WORDS:
        if status in statuses and words.search(message):
            return kind
    return kind_of_status(status, usual=_TYPES.get(word(error.get("type"))) if status < 500 else None)


def _named(error: Mapping[str, Any]) -> Kind | None:
    return _code(error) or _TYPES.get(word(error.get("type")))


def _code(error: Mapping[str, Any]) -> Kind | None:
    details = error.get("details")
    return _CODES.get(word(details.get("error_code"))) if isinstance(details, dict) else None


def _failure(kind: Kind, status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> Failure:
    # On successes too a wait is told (recordings, 2026-11-23), where it means nothing.
    wait_seconds = retry_after_seconds(headers) if status in WAITING_STATUSES else None
    message, should_retry = word(error.get("message")), told_to_retry(headers)
    if kind is kinds.UPSTREAM_MODEL_NOT_FOUND and status != kind.status:
        message = NO_ACCESS
    return failure_from(kind, status, message, wait_seconds=wait_seconds, should_retry=should_retry)
