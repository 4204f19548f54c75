"""What an unsuccessful answer on ElevenLabs' wire means: a row of the failure table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.providers.base import (
    NO_ACCESS,
    WAITING_STATUSES,
    failure_from,
    kind_of_no_error,
    kind_of_status,
    listed,
    mapping,
    sound,
    told_to_retry,
    word,
)
from oneflow_ai.providers.headers import retry_after_seconds

# The words of `detail.status`, and of `detail.code` which newer answers have beside it: help.elevenlabs.io (API error
# codes 400, 401 and 429), elevenlabs-js/issues/153, dograh/issues/290, my-translator/issues/4, read 2026-11-27.
_NAMES: Mapping[str, Kind] = {
    # A purse that is empty is told with 401, as a wrong key is.
    "quota_exceeded": kinds.PROVIDER_QUOTA_EXHAUSTED,
    "forbidden": kinds.PROVIDER_AUTH_FAILED,
    "unauthorized": kinds.PROVIDER_AUTH_FAILED,
    # What the plan lacks is for this voice, format or model alone: the account goes on.
    "paid_plan_required": kinds.UPSTREAM_REJECTED,
    "subscription_required": kinds.UPSTREAM_REJECTED,
    "output_format_not_allowed": kinds.UPSTREAM_REJECTED,
    "voice_not_found": kinds.UPSTREAM_REJECTED,
    # A key may be made for some things only: it is no wrong one.
    "missing_permissions": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "model_not_found": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "model_access_denied": kinds.UPSTREAM_MODEL_NOT_FOUND,
    "max_character_limit_exceeded": kinds.CONTEXT_LENGTH_EXCEEDED,
    "text_too_long": kinds.CONTEXT_LENGTH_EXCEEDED,
    "too_many_concurrent_requests": kinds.UPSTREAM_RATE_LIMITED,
    "concurrent_limit_exceeded": kinds.UPSTREAM_RATE_LIMITED,
    "rate_limit_exceeded": kinds.UPSTREAM_RATE_LIMITED,
    "system_busy": kinds.UPSTREAM_OVERLOADED,
}
_STATUSES: Mapping[int, Kind] = {425: kinds.UPSTREAM_ERROR}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PARAM = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_DETAILS_MOST = 16
_FORBIDDEN = 403


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that a whole unsuccessful answer stands for; its message holds nothing like a key."""
    detail = mapping(sound(body)).get("detail")
    found = mapping(detail)
    names = [name for name in (word(found.get("code")), word(found.get("status"))) if _NAME.fullmatch(name)]
    kind = _kind(status, names)
    message, param = word(found.get("message")) or word(detail), word(found.get("param"))
    if isinstance(detail, list):
        message, param = _wrong_fields(detail)
    if kind is kinds.UPSTREAM_MODEL_NOT_FOUND and status in (401, 403):
        message = NO_ACCESS
    return failure_from(
        kind,
        status,
        message,
        code=names[-1] if names else None,
        param=param if _PARAM.fullmatch(param) else None,
        wait_seconds=retry_after_seconds(headers) if status in WAITING_STATUSES else None,
        should_retry=told_to_retry(headers),
    )


def _kind(status: int, names: list[str]) -> Kind:
    none = kind_of_no_error(status)
    if none is not None:
        return none
    if status < 500:
        for name in names:
            if name in _NAMES:
                return _NAMES[name]
        if status == _FORBIDDEN and names:
            # It says what is forbidden: that is the request's, not the key's.
            return kinds.UPSTREAM_REJECTED
    return kind_of_status(status, _STATUSES)


def _wrong_fields(details: list[Any]) -> tuple[str, str]:
    """What is wrong with which fields, and the name of the first; as FastAPI tells it."""
    told, first = [], ""
    for item in map(mapping, details[:_DETAILS_MOST]):
        names = [part for part in listed(item.get("loc"))[1:] if isinstance(part, str)]
        first = first or (names[0] if names else "")
        told.append(f"{'.'.join(names)}: {word(item.get('msg'))}" if names else word(item.get("msg")))
    return "; ".join(filter(None, told)), first
