"""What an unsuccessful answer of Gemini's means: a row of the failure table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.headers import duration_seconds, retry_after_seconds
from oneflow_ai.providers.openai_failure import scrubbed

# By status: ai.google.dev/gemini-api/docs/troubleshooting and google.rpc.Code, checked 2026-11-26.
_STATUSES: Mapping[int, Kind] = {
    401: kinds.PROVIDER_AUTH_FAILED,
    402: kinds.PROVIDER_QUOTA_EXHAUSTED,
    403: kinds.PROVIDER_AUTH_FAILED,
    404: kinds.UPSTREAM_MODEL_NOT_FOUND,
    408: kinds.UPSTREAM_ERROR,
    409: kinds.UPSTREAM_ERROR,
    429: kinds.UPSTREAM_RATE_LIMITED,
    499: kinds.UPSTREAM_ERROR,
    503: kinds.UPSTREAM_OVERLOADED,
}
# A bad key is a 400 here; so is an account without billing where the free tier is not offered.
_CREDENTIAL = re.compile(r"api key (?:not valid|expired|not found)", re.IGNORECASE)
_CREDENTIAL_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "CONSUMER_INVALID", "BILLING_DISABLED"})
_CONTEXT = re.compile(r"input token count.{0,80}exceeds the maximum|maximum number of tokens allowed", re.IGNORECASE)
_MONEY = re.compile(r"credits are depleted|spending cap|spend cap|billing account", re.IGNORECASE)
_PASSING = (kinds.UPSTREAM_RATE_LIMITED, kinds.UPSTREAM_OVERLOADED)
_MESSAGE_CHARACTERS_MOST = 2_000
_DETAILS_MOST = 32
_STATUS = re.compile(r"[A-Z][A-Z_]{0,63}")


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    return _failure(status, error_in(found) or {}, headers)


def stream_failure(error: Mapping[str, Any]) -> Failure:
    """The failure that an error inside a success stands for: it brings its own status."""
    status = error.get("code")
    if type(status) is int and 400 <= status <= 599:
        return _failure(status, error, {})
    return Failure(kinds.UPSTREAM_ERROR, _words(kinds.UPSTREAM_ERROR, 500, _message(error)))


def error_in(found: Any) -> Mapping[str, Any] | None:
    """The error object of a JSON value; a stream's error also comes as a list of one. None where it holds none."""
    if isinstance(found, list):
        found = found[0] if found else None
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else None


def _failure(status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> Failure:
    kind, message = _kind(status, error), _message(error)
    rejected = kind is kinds.UPSTREAM_REJECTED
    name = error.get("status")
    code = name if rejected and isinstance(name, str) and _STATUS.fullmatch(name) else None
    return Failure(
        kind,
        _words(kind, status, message),
        status=status if rejected and 400 <= status < 500 else None,
        code=kinds.MODEL_NOT_FOUND.code if kind is kinds.UPSTREAM_MODEL_NOT_FOUND else code,
        retry_after_seconds=_wait_seconds(error, headers) if kind in _PASSING else None,
    )


def _kind(status: int, error: Mapping[str, Any]) -> Kind:
    if 300 <= status < 400 and status != 304:
        return kinds.UPSTREAM_REDIRECT_REFUSED
    if status < 400:
        return kinds.UPSTREAM_BAD_RESPONSE
    message = _message(error)
    if status == 400 and (_CREDENTIAL.search(message) or error.get("status") == "FAILED_PRECONDITION"):
        return kinds.PROVIDER_AUTH_FAILED
    if status == 400 and _CONTEXT.search(message):
        return kinds.CONTEXT_LENGTH_EXCEEDED
    for detail in _details(error):
        if status == 400 and _word(detail, "reason") in _CREDENTIAL_REASONS:
            return kinds.PROVIDER_AUTH_FAILED
        if status == 429 and _is_of_the_day(detail):
            return kinds.PROVIDER_QUOTA_EXHAUSTED
    if status == 429 and _MONEY.search(message):
        return kinds.PROVIDER_QUOTA_EXHAUSTED
    return _STATUSES.get(status, kinds.UPSTREAM_ERROR if status >= 500 else kinds.UPSTREAM_REJECTED)


def _is_of_the_day(detail: Mapping[str, Any]) -> bool:
    """A quota of the day is not back in the seconds that `RetryInfo` names beside it."""
    violations = detail.get("violations")
    return any(
        isinstance(each, dict) and "PerDay" in _word(each, "quotaId")
        for each in (violations[:_DETAILS_MOST] if isinstance(violations, list) else [])
    )


def _wait_seconds(error: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    """What the header says, else the delay of `google.rpc.RetryInfo` in the body: `48s`, `5.103s`."""
    told = retry_after_seconds(headers)
    if told is not None:
        return told
    waits = (duration_seconds(_word(detail, "retryDelay")) for detail in _details(error))
    return next((wait for wait in waits if wait), None)


def _words(kind: Kind, status: int, message: str) -> str:
    if kind is kinds.PROVIDER_AUTH_FAILED:
        return "the provider refused the gateway's credential"
    if kind is kinds.PROVIDER_QUOTA_EXHAUSTED:
        return "the gateway's account at the provider has no quota left"
    if kind is kinds.UPSTREAM_REDIRECT_REFUSED:
        return f"the provider answered with a redirect ({status}), which is never followed"
    return scrubbed(message) or f"the provider answered with status {status}"


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    details = error.get("details")
    yield from (
        detail for detail in (details[:_DETAILS_MOST] if isinstance(details, list) else []) if isinstance(detail, dict)
    )


def _message(error: Mapping[str, Any]) -> str:
    return _word(error, "message")[:_MESSAGE_CHARACTERS_MOST].strip()


def _word(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""
