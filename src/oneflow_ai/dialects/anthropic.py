"""Anthropic's dialect: requests of its clients parsed, errors and lists of models in its shape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.chain import name_model
from oneflow_ai.core.events import Encoder
from oneflow_ai.core.failure import (
    INVALID_TYPE,
    INVALID_VALUE,
    MISSING_REQUIRED_PARAMETER,
    TOO_MANY_ITEMS,
    Failure,
)
from oneflow_ai.core.listing import Shown
from oneflow_ai.core.media import Media
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.anthropic_encoder import StreamEncoder, WholeEncoder
from oneflow_ai.dialects.anthropic_error import failure_body
from oneflow_ai.dialects.anthropic_messages import check_messages, check_system
from oneflow_ai.dialects.anthropic_read import lacks_a_thought, read, without_refused
from oneflow_ai.dialects.count_encoder import CountEncoder
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, USER_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.guard import read_object

__all__ = ["DIALECT", "FORWARDED", "ID_HEADER", "encoder", "failure_body", "model_body", "models_body", "parse"]

DIALECT = "anthropic"
ID_HEADER = b"request-id"
# What of a client's headers is meant for the provider.
FORWARDED: tuple[bytes, ...] = (b"anthropic-version", b"anthropic-beta")
TOOLS_MOST = 4_096
STOPS_MOST = 8_191
THINKING_TOKENS_LEAST = 1_024
_TOOL_CHOICES = ("auto", "any", "tool", "none")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")

_BOOL = checks.of_type("true or false", bool)
_OBJECT = checks.of_type("an object", dict)
_LIST = checks.of_type("a list", list)
_TEXT = checks.of_type("a text", str)


def _tools(name: str, value: Any) -> None:
    _LIST(name, value)
    if len(value) > TOOLS_MOST:
        raise Failure(TOO_MANY_ITEMS, f"at most {TOOLS_MOST}", param=name)
    for place, tool in enumerate(value):
        at = f"{name}.{place}"
        if type(tool) is not dict:
            raise Failure(INVALID_TYPE, "a tool is an object", param=at)
        if tool.get("type") not in (None, "custom"):
            continue
        for field, kind, words in (("name", str, "a text"), ("input_schema", dict, "an object")):
            if type(tool.get(field)) is not kind:
                raise Failure(INVALID_TYPE, f"a tool has {field}, {words}", param=f"{at}.{field}")


def _tool_choice(name: str, value: Any) -> None:
    _OBJECT(name, value)
    if value.get("type") not in _TOOL_CHOICES:
        raise Failure(INVALID_VALUE, f"type is {', '.join(_TOOL_CHOICES[:-1])} or none", param=f"{name}.type")
    if value["type"] == "tool":
        _TEXT(f"{name}.name", value.get("name"))


def _stops(name: str, value: Any) -> None:
    _LIST(name, value)
    if len(value) > STOPS_MOST:
        raise Failure(TOO_MANY_ITEMS, f"at most {STOPS_MOST}", param=name)
    for place, stop in enumerate(value):
        _TEXT(f"{name}.{place}", stop)
        if not stop:
            raise Failure(INVALID_VALUE, "a stop sequence is not empty", param=f"{name}.{place}")


def _thinking(name: str, value: Any) -> None:
    _OBJECT(name, value)
    _TEXT(f"{name}.type", value.get("type"))
    if value["type"] == "enabled":
        checks.integer(THINKING_TOKENS_LEAST, checks.TOKENS_MOST)(f"{name}.budget_tokens", value.get("budget_tokens"))


def _output_config(name: str, value: Any) -> None:
    _OBJECT(name, value)
    effort, form = value.get("effort"), value.get("format")
    if effort is not None and effort not in _EFFORTS:
        raise Failure(INVALID_VALUE, f"effort is one of {', '.join(_EFFORTS)}", param=f"{name}.effort")
    if form is not None:
        _format(f"{name}.format", form)


def _format(name: str, value: Any) -> None:
    _OBJECT(name, value)
    if value.get("type") != "json_schema":
        raise Failure(INVALID_VALUE, "type is json_schema", param=f"{name}.type")
    _OBJECT(f"{name}.schema", value.get("schema"))


def _metadata(name: str, value: Any) -> None:
    _OBJECT(name, value)
    if value.get("user_id") is not None:
        _TEXT(f"{name}.user_id", value["user_id"])


_MESSAGE: Mapping[str, checks.Check] = {
    "model": _TEXT,
    "system": check_system,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
    "output_format": _format,
    "cache_control": _OBJECT,
    **dict.fromkeys(checks.FORBIDDEN, checks.forbidden),
    "max_tokens": checks.integer(1, checks.TOKENS_MOST),
    "temperature": checks.number(0, 1),
    "top_p": checks.number(0, 1),
    "top_k": checks.integer(0, checks.TOKENS_MOST),
    "stop_sequences": _stops,
    "stream": _BOOL,
    "metadata": _metadata,
    "service_tier": _TEXT,
}
_REQUIRED: Mapping[Operation, tuple[str, ...]] = {
    Operation.CHAT: ("model", "messages", "max_tokens"),
    Operation.COUNT_TOKENS: ("model", "messages"),
}


def parse(body: bytes, envelope: Envelope) -> Call:
    """The call that a request body asks for; raises `Failure` for bad input, before anything is held or sent."""
    found = read_object(body)
    chats = envelope.operation is Operation.CHAT
    name_model(found)
    media = _check(found, envelope.operation)
    given = found["messages"]
    # A thought that another wire sealed, or none, and a blank text are nothing that this wire's providers take back;
    # all else they get.
    kept = without_refused(given)
    budgeted = (found.get("thinking") or {}).get("type") == "enabled"
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=found["model"],
        body=found if kept is given else {**found, "messages": kept},
        stream=chats and found.get("stream") is True,
        include_usage=True,
        prompt_bytes=len(body) - media.carried_bytes,
        user=_user_of(found),
        wire="" if kept is not given and budgeted and lacks_a_thought(kept) else DIALECT,
        output_most_tokens=found["max_tokens"] if chats else None,
        media=media,
        read=read if kept is given else lambda body: read({**body, "messages": given}),
        headers=envelope.headers,
    )


def encoder(call: Call, target: Target) -> Encoder:
    """What writes one answer to this call."""
    if call.operation is Operation.COUNT_TOKENS:
        return CountEncoder(failure_body)
    return StreamEncoder(call, target) if call.stream else WholeEncoder(call, target)


def models_body(written: Mapping[str, bytes]) -> bytes:
    """The list of models on one page, each as `model_body` wrote it, by its id."""
    names = list(written)
    ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
    return b'{"data":[' + b",".join(written.values()) + b'],"has_more":false,' + orjson.dumps(ends)[1:]


def model_body(model: Shown, created: int) -> bytes:
    """One model. This wire tells neither owner nor price; `capabilities` are in words of its own, known to it alone."""
    return orjson.dumps(
        {
            "type": "model",
            "id": model.id,
            "display_name": model.id,
            "created_at": datetime.fromtimestamp(created, UTC),
            "lifecycle": "active" if model.ends is None else "deprecated",
            "deprecated_at": None,
            "retires_at": None if model.ends is None else datetime.combine(model.ends, time(), UTC),
            "max_input_tokens": model.context_window_tokens,
            "max_tokens": model.output_most_tokens,
            "capabilities": None,
        },
        option=orjson.OPT_UTC_Z,
    )


def _check(body: Mapping[str, Any], operation: Operation) -> Media:
    for name in _REQUIRED[operation]:
        if body.get(name) is None:
            raise Failure(MISSING_REQUIRED_PARAMETER, "the field is required", param=name)
    checks.run(_MESSAGE, body)
    if not 0 < len(body["model"]) <= MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"model has 1 to {MODEL_CHARACTERS_MOST} characters", param="model")
    media = check_messages(body["messages"])
    thinking = body.get("thinking") or {}
    budgeted = operation is Operation.CHAT and thinking.get("type") == "enabled"
    if budgeted and thinking["budget_tokens"] >= body["max_tokens"]:
        raise Failure(INVALID_VALUE, "budget_tokens is less than max_tokens", param="thinking.budget_tokens")
    return media


def _user_of(body: Mapping[str, Any]) -> str:
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user[:USER_CHARACTERS_MOST] if isinstance(user, str) else ""
