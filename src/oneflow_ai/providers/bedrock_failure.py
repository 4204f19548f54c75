"""What an error of Bedrock's means, as an answer or inside a stream: a row of the failure table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import (
    MESSAGE_CHARACTERS_MOST,
    NO_ACCESS,
    failure_from,
    kind_of_no_error,
    kind_of_status,
    loaded,
    mapping,
    scrubbed,
    word,
)
from oneflow_ai.providers.context_words import tells_of_context
from oneflow_ai.providers.headers import retry_after_seconds

# By the exception's name without its last word, in small letters: docs.aws.amazon.com/bedrock/latest/APIReference
# (API_runtime_Converse, API_runtime_ConverseStreamOutput, CommonErrors), checked 2026-11-26.
_NAMES: Mapping[str, Kind] = {
    "accessdenied": kinds.PROVIDER_AUTH_FAILED,
    "expiredtoken": kinds.PROVIDER_AUTH_FAILED,
    "incompletesignature": kinds.PROVIDER_AUTH_FAILED,
    "invalidclienttokenid": kinds.PROVIDER_AUTH_FAILED,
    "invalidsignature": kinds.PROVIDER_AUTH_FAILED,
    "missingauthenticationtoken": kinds.PROVIDER_AUTH_FAILED,
    "notauthorized": kinds.PROVIDER_AUTH_FAILED,
    "optinrequired": kinds.PROVIDER_AUTH_FAILED,
    "signaturedoesnotmatch": kinds.PROVIDER_AUTH_FAILED,
    "unrecognizedclient": kinds.PROVIDER_AUTH_FAILED,
    "internalfailure": kinds.UPSTREAM_ERROR,
    "internalserver": kinds.UPSTREAM_ERROR,
    "modelerror": kinds.UPSTREAM_ERROR,
    "modelstreamerror": kinds.UPSTREAM_ERROR,
    "modeltimeout": kinds.UPSTREAM_TIMEOUT,
    "modelnotready": kinds.UPSTREAM_OVERLOADED,
    "serviceunavailable": kinds.UPSTREAM_OVERLOADED,
    "servicequotaexceeded": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "throttling": kinds.UPSTREAM_RATE_LIMITED,
    "resourcenotfound": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "validation": kinds.UPSTREAM_REJECTED,
}
_STATUSES: Mapping[int, Kind] = {
    404: kinds.UPSTREAM_MODEL_NOT_FOUND,
    408: kinds.UPSTREAM_TIMEOUT,
    424: kinds.UPSTREAM_ERROR,
}
# What the words say where the name says too little.
_WORDS: tuple[tuple[Kind, re.Pattern[str], Kind], ...] = (
    (
        kinds.UPSTREAM_REJECTED,
        re.compile(
            r"model identifier is invalid|on-demand throughput isn|model version .{0,80}end of its life", re.IGNORECASE
        ),
        kinds.UPSTREAM_MODEL_NOT_FOUND,
    ),
    # Access is given model by model, and the client names the model.
    (
        kinds.PROVIDER_AUTH_FAILED,
        re.compile(
            r"access to the model\b|model access is denied"
            r"|on resource: \S{0,200}:(?:[a-z-]{0,40}model|(?:application-)?inference-profile)/",
            re.IGNORECASE,
        ),
        kinds.UPSTREAM_MODEL_NOT_FOUND,
    ),
    # A quota of the day does not come back in seconds.
    (
        kinds.UPSTREAM_RATE_LIMITED,
        re.compile(r"tokens per day|requests per day", re.IGNORECASE),
        kinds.PROVIDER_QUOTA_EXHAUSTED,
    ),
)
_PASSING = (kinds.UPSTREAM_RATE_LIMITED, kinds.UPSTREAM_OVERLOADED)
_FORBIDDEN = 403
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    error = mapping(loaded(body))
    name = _name(headers.get("x-amzn-errortype")) or _name(error.get("__type"))
    return _failure(status, name, _message(error), retry_after_seconds(headers))


def event_failure(name: str, payload: bytes) -> Failure:
    """The failure that an exception inside a stream stands for, by its name."""
    return _failure(0, _name(name), _message(mapping(loaded(payload))), None)


def words_of(found: Any) -> str:
    """What a JSON value says where it is an error sent as success; empty where it is none."""
    if not isinstance(found, dict) or "output" in found:
        return ""
    inner = found.get("Output")
    inner = inner if isinstance(inner, dict) else {}
    return scrubbed(_message(found) or word(found.get("__type")) or word(inner.get("__type")))


def _failure(status: int, name: str, message: str, wait_seconds: float | None) -> Failure:
    kind = _kind(status, name, message)
    wait_seconds = wait_seconds if kind in _PASSING else None
    if kind is kinds.UPSTREAM_MODEL_NOT_FOUND and status == _FORBIDDEN:
        message = NO_ACCESS
    return failure_from(kind, status, message, code=name or None, wait_seconds=wait_seconds)


def _kind(status: int, name: str, message: str) -> Kind:
    none = kind_of_no_error(status) if status else None
    if none is not None:
        return none
    lower = name.lower()
    kind = _NAMES.get(lower) or _NAMES.get(lower.removesuffix("exception").removesuffix("error"))
    if kind is None or kind is kinds.UPSTREAM_REJECTED:
        # A status that is none of a mistake in the request says more than such a name.
        kind = kind_of_status(status, _STATUSES, usual=kind or (None if status else kinds.UPSTREAM_ERROR))
    if kind is kinds.UPSTREAM_REJECTED and tells_of_context(message):
        return kinds.CONTEXT_LENGTH_EXCEEDED
    for vague, pattern, precise in _WORDS:
        if kind is vague and pattern.search(message):
            return precise
    return kind


def _name(value: Any) -> str:
    """`ThrottlingException` of `ThrottlingException:http://…` or `com.amazon.coral#ThrottlingException`; else empty."""
    name = value.rpartition("#")[2].partition(":")[0].strip() if isinstance(value, str) else ""
    # Inside a stream it begins with a small letter.
    return name[:1].upper() + name[1:] if _NAME.fullmatch(name) else ""


def _message(error: Mapping[str, Any]) -> str:
    return (word(error.get("message")) or word(error.get("Message")))[:MESSAGE_CHARACTERS_MOST].strip()
