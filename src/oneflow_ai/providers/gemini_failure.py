"""What an unsuccessful answer of Gemini's means: a row of the failure table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import (
    MESSAGE_CHARACTERS_MOST,
    failure_from,
    kind_of_no_error,
    kind_of_status,
    listed,
    loaded,
    mapping,
    word,
)
from oneflow_ai.providers.context_words import tells_of_context
from oneflow_ai.providers.headers import duration_seconds, retry_after_seconds

# By status, where it differs: ai.google.dev/gemini-api/docs/troubleshooting and google.rpc.Code, checked 2026-11-26.
_STATUSES: Mapping[int, Kind] = {
    404: kinds.UPSTREAM_MODEL_NOT_FOUND,
    499: kinds.UPSTREAM_ERROR,
}
# A bad key is a 400 here; so is an account without billing where the free tier is not offered.
_CREDENTIAL = re.compile(r"api key (?:not valid|expired|not found)", re.IGNORECASE)
_CREDENTIAL_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "CONSUMER_INVALID", "BILLING_DISABLED"})
# What the client named: a file that is another's, gone or not ready yet, or a tuned model.
_FILE = re.compile(r"\b(?:the )?files?[ /]|\bcached ?contents?\b|\bfile ?uri\b", re.IGNORECASE)
_MODEL = re.compile(r"\b(?:access|permission).{0,80}?(?:model\b|\bmodels/|\btunedModels/)", re.IGNORECASE | re.DOTALL)
_CLIENT_STATUSES = frozenset({400, 403})
_MONEY = re.compile(r"credits are depleted|spending cap|spend cap|billing account", re.IGNORECASE)
_PASSING = (kinds.UPSTREAM_RATE_LIMITED, kinds.UPSTREAM_OVERLOADED)
_DETAILS_MOST = 32
_STATUS = re.compile(r"[A-Z][A-Z_]{0,63}")


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    return _failure(status, error_in(loaded(body)) or {}, headers)


def stream_failure(error: Mapping[str, Any]) -> Failure:
    """The failure that an error inside a success stands for: it brings its own status."""
    status = error.get("code")
    if type(status) is int and 400 <= status <= 599:
        return _failure(status, error, {})
    return failure_from(kinds.UPSTREAM_ERROR, 500, word(error.get("message")))


def error_in(found: Any) -> Mapping[str, Any] | None:
    """The error object of a JSON value; a stream's error also comes as a list of one. None where it holds none."""
    if isinstance(found, list):
        found = found[0] if found else None
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else None


def _failure(status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> Failure:
    kind, name = _kind(status, error), word(error.get("status"))
    wait_seconds = _wait_seconds(error, headers) if kind in _PASSING else None
    code = name if _STATUS.fullmatch(name) else None
    return failure_from(kind, status, word(error.get("message")), code=code, wait_seconds=wait_seconds)


def _kind(status: int, error: Mapping[str, Any]) -> Kind:
    none = kind_of_no_error(status)
    if none is not None:
        return none
    message = word(error.get("message"))[:MESSAGE_CHARACTERS_MOST]
    if status in _CLIENT_STATUSES and _FILE.search(message):
        return kinds.UPSTREAM_REJECTED
    if status == 403 and _MODEL.search(message):
        return kinds.UPSTREAM_MODEL_NOT_FOUND
    if status == 400 and (_CREDENTIAL.search(message) or error.get("status") == "FAILED_PRECONDITION"):
        return kinds.PROVIDER_AUTH_FAILED
    if status == 400 and tells_of_context(message):
        return kinds.CONTEXT_LENGTH_EXCEEDED
    for detail in _details(error):
        if status == 400 and word(detail.get("reason")) in _CREDENTIAL_REASONS:
            return kinds.PROVIDER_AUTH_FAILED
        if status == 429 and _is_of_the_day(detail):
            return kinds.PROVIDER_QUOTA_EXHAUSTED
    if status == 429 and _MONEY.search(message):
        return kinds.PROVIDER_QUOTA_EXHAUSTED
    return kind_of_status(status, _STATUSES)


def _is_of_the_day(detail: Mapping[str, Any]) -> bool:
    """A quota of the day is not back in the seconds that `RetryInfo` names beside it."""
    violations = listed(detail.get("violations"))[:_DETAILS_MOST]
    return any("PerDay" in word(mapping(each).get("quotaId")) for each in violations)


def _wait_seconds(error: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """What the header says, else the delay of `google.rpc.RetryInfo` in the body: `48s`, `5.103s`."""
    told = retry_after_seconds(headers)
    if told is not None:
        return told
    waits = (duration_seconds(word(detail.get("retryDelay"))) for detail in _details(error))
    return next((wait for wait in waits if wait), None)


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (detail for detail in listed(error.get("details"))[:_DETAILS_MOST] if isinstance(detail, dict))
