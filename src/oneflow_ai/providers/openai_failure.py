"""What an unsuccessful answer on OpenAI's wire means, whoever speaks it: a row of the failure table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import (
    MESSAGE_CHARACTERS_MOST,
    NO_ACCESS,
    WAITING_STATUSES,
    failure_from,
    kind_of_no_error,
    kind_of_status,
    loaded,
    mapping,
    scrubbed,
    told_to_retry,
)
from oneflow_ai.providers.context_words import tells_of_context
from oneflow_ai.providers.headers import retry_after_seconds

_CODES: Mapping[str, Kind] = {
    # Money, not rate: waiting does not help (help.openai.com 5955604, checked 2026-11-23).
    "insufficient_quota": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "credit_balance_exhausted": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "organization_spend_limit_exceeded": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "project_spend_limit_exceeded": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "organization_usage_limit_exceeded": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "model_not_found": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "DeploymentNotFound": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "context_length_exceeded": kinds.CONTEXT_LENGTH_EXCEEDED,
    "invalid_api_key": kinds.PROVIDER_AUTH_FAILED,
    "rate_limit_exceeded": kinds.UPSTREAM_RATE_LIMITED,
    "RateLimitReached": kinds.UPSTREAM_RATE_LIMITED,
    "rate_limit_error": kinds.UPSTREAM_RATE_LIMITED,
    "slow_down": kinds.UPSTREAM_RATE_LIMITED,
    "server_is_overloaded": kinds.UPSTREAM_OVERLOADED,
    "overloaded_error": kinds.UPSTREAM_OVERLOADED,
    "service_unavailable_error": kinds.UPSTREAM_OVERLOADED,
    "server_error": kinds.UPSTREAM_ERROR,
    "authentication_error": kinds.PROVIDER_AUTH_FAILED,
    "invalid_request_error": kinds.UPSTREAM_REJECTED,
}
_STATUSES: Mapping[int, Kind] = {
    # Groq's flex tier has no capacity left (console.groq.com/docs/errors, 2026-11-24).
    498: kinds.UPSTREAM_OVERLOADED,
}
# Models that a project or an organisation may not use (console.groq.com/docs/errors, 2026-11-26).
_MODEL_CODES = frozenset(
    {"model_not_found", "model_permission_blocked_org", "model_permission_blocked_project", "model_terms_required"}
)
_CONTEXT_STATUSES = frozenset({400, 413, 422})
_CODED_STATUSES = frozenset({400, 404, 413, 422, 429})
_KEY_STATUSES = frozenset({401, 403})
_LIMITS = frozenset({kinds.PROVIDER_QUOTA_EXHAUSTED, kinds.UPSTREAM_RATE_LIMITED, kinds.UPSTREAM_OVERLOADED})
# What tells of a mistake where the code does not: statuses, words of the message, and the kind they stand for. All
# alternatives are literals or bounded, so that a long message costs no more than its length.
_WORDS: tuple[tuple[frozenset[int], re.Pattern[str], Kind], ...] = (
    (
        frozenset({413, 429}),
        re.compile(r"request too large", re.IGNORECASE),
        kinds.UPSTREAM_REQUEST_TOO_LARGE,
    ),
    (
        frozenset({400}),
        re.compile(
            r"(?:incorrect|invalid|expired) api[ _-]key|api[ _-]key (?:is )?(?:not valid|invalid)", re.IGNORECASE
        ),
        kinds.PROVIDER_AUTH_FAILED,
    ),
    (
        frozenset({404}),
        re.compile(r"\bmodel\b.{0,200}?(?:not found|does not exist)", re.IGNORECASE | re.DOTALL),
        kinds.UPSTREAM_MODEL_NOT_FOUND,
    ),
    # A file or a model that the client named is no fault of the key's.
    (
        frozenset({403}),
        re.compile(
            r"access to (?:the )?(?:requested )?model\b|\bto use the model\b"
            r"|\bmodel .{0,200}?(?:is blocked|not (?:allowed|available|found|exist))",
            re.IGNORECASE | re.DOTALL,
        ),
        kinds.UPSTREAM_MODEL_NOT_FOUND,
    ),
    (
        frozenset({403}),
        re.compile(r"\bfile[ -]|\b(?:access|download|fetch)\w* .{0,40}\b(?:file|image|url)\b", re.IGNORECASE),
        kinds.UPSTREAM_REJECTED,
    ),
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]-]{1,128}")
_DETAILS_MOST = 8


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    error = error_of(body)
    return _failure(_kind(status, error), status, error, headers)


def stream_failure(error: Mapping[str, Any]) -> Failure:
    """The failure that an error event inside a stream stands for, by its class (there is no status to go by)."""
    number = error.get("code")
    if isinstance(number, str) and len(number) == 3 and number.isascii() and number.isdigit():
        number = int(number)
    if type(number) is int and 400 <= number <= 599:
        return _failure(_kind(number, error), number, error, {})
    kind = _by_word(error) or kinds.UPSTREAM_ERROR
    if kind is kinds.UPSTREAM_REJECTED and _tells_of_context(error, _message(error)):
        kind = kinds.CONTEXT_LENGTH_EXCEEDED
    return _failure(kind, kind.status, error, {})


def event_of(data: bytes) -> tuple[dict[str, Any], Failure | None]:
    """An event of a stream of media, empty where it is no object, and the failure that it stands for."""
    found = mapping(loaded(data))
    error = error_in(found) if found.get("error") or found.get("type") == "error" else None
    return found, None if error is None else stream_failure(error)


def error_of(body: bytes) -> Mapping[str, Any]:
    """The error object of a body; empty where it holds none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return error_in(found) or {}


def error_in(found: Any) -> Mapping[str, Any] | None:
    """The error object of a JSON value, in every shape seen; None where it holds none.

    OpenAI nests it under `error`; a bare text there is Ollama's and xAI's, `detail` is FastAPI's and Mistral's, and
    Mistral, vLLM and gateways in front of providers also send its fields at the top.
    """
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict):
        return None
    error = found.get("error") or found.get("detail")
    if isinstance(error, dict):
        return error
    if error:
        return {"message": error, "code": found.get("code")}
    if "error" in (found.get("object"), found.get("type")) or ("message" in found and "choices" not in found):
        return found
    return None


def _kind(status: int, error: Mapping[str, Any]) -> Kind:
    none = kind_of_no_error(status)
    if none is not None:
        return none
    message = _message(error)
    for statuses, words, kind in _WORDS:
        if status in statuses and words.search(message):
            return kind
    if status in _CONTEXT_STATUSES and _tells_of_context(error, message):
        return kinds.CONTEXT_LENGTH_EXCEEDED
    if status in _KEY_STATUSES and error.get("code") in _MODEL_CODES:
        return kinds.UPSTREAM_MODEL_NOT_FOUND
    if status == 403 and _is_moderation(error):
        return kinds.UPSTREAM_REJECTED
    if status in _CODED_STATUSES:
        named = _by_word(error)
        if named is not None and (status != 429 or named in _LIMITS):
            return named
    return kind_of_status(status, _STATUSES)


def _tells_of_context(error: Mapping[str, Any], message: str) -> bool:
    """Whether its words say so, or those of the server behind a gateway.

    OpenRouter quotes them (github.com/cline/cline/issues/13194, 2026-11-27).
    """
    raw = mapping(error.get("metadata")).get("raw")
    return tells_of_context(message) or (isinstance(raw, str) and tells_of_context(raw[:MESSAGE_CHARACTERS_MOST]))


def _is_moderation(error: Mapping[str, Any]) -> bool:
    # OpenRouter's 403 is about the client's input, not our key (openrouter.ai/docs/errors, 2026-11-24).
    metadata = error.get("metadata")
    return isinstance(metadata, dict) and ("flagged_input" in metadata or "reasons" in metadata)


def _by_word(error: Mapping[str, Any]) -> Kind | None:
    for word in (error.get("code"), error.get("type")):
        if isinstance(word, str) and word in _CODES:
            return _CODES[word]
    return None


def _failure(kind: Kind, status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> Failure:
    lacks = kind is kinds.UPSTREAM_MODEL_NOT_FOUND and status in _KEY_STATUSES
    return failure_from(
        kind,
        status,
        NO_ACCESS if lacks else _message(error),
        code=_name(error.get("code"), _CODE),
        param=_name(error.get("param"), _PARAM),
        wait_seconds=retry_after_seconds(headers) if status in WAITING_STATUSES else None,
        should_retry=told_to_retry(headers),
    )


def _name(value: Any, shape: re.Pattern[str]) -> str | None:
    if not isinstance(value, str) or not shape.fullmatch(value) or scrubbed(value) != value:
        return None
    return value


def _message(error: Mapping[str, Any]) -> str:
    return _text(error.get("message"))[:MESSAGE_CHARACTERS_MOST].strip()


def _text(value: Any, depth: int = 0) -> str:
    """The words of a message, which validators also send as an object or as a list of `loc` and `msg`."""
    if isinstance(value, str):
        return value[:MESSAGE_CHARACTERS_MOST]
    if depth < 2 and isinstance(value, dict):
        return _text(value.get("detail") or value.get("message"), depth + 1)
    if depth < 3 and isinstance(value, list):
        return "; ".join(filter(None, map(_detail, value[:_DETAILS_MOST])))
    return ""


def _detail(item: Any) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("msg"), str):
        return ""
    place = item.get("loc")
    parts = place[:_DETAILS_MOST] if isinstance(place, list) else []
    names = ".".join(str(part) for part in parts if isinstance(part, str | int))
    return f"{names}: {item['msg']}" if names else item["msg"]
