"""OpenAI's Responses as a dialect: requests of its clients parsed, errors in its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.chain import name_model
from oneflow_ai.core.events import Encoder
from oneflow_ai.core.failure import (
    INVALID_TYPE,
    INVALID_VALUE,
    MISSING_REQUIRED_PARAMETER,
    UNSUPPORTED_PARAMETER,
    Failure,
)
from oneflow_ai.core.media import Media
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import checks, openai
from oneflow_ai.dialects.count_encoder import CountEncoder
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, USER_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.guard import read_object
from oneflow_ai.dialects.openai import failure_body
from oneflow_ai.dialects.responses_conversation import without_foreign_thoughts
from oneflow_ai.dialects.responses_encoder import StreamEncoder, WholeEncoder
from oneflow_ai.dialects.responses_input import check_input
from oneflow_ai.dialects.responses_owned import owned
from oneflow_ai.dialects.responses_prompt import KEPT_BY_THE_PROVIDER, read

__all__ = ["DIALECT", "FORWARDED", "ID_HEADER", "encoder", "failure_body", "parse"]

DIALECT = "responses"
ID_HEADER = b"x-request-id"
FORWARDED: tuple[bytes, ...] = ()

_BOOL = checks.of_type("true or false", bool)
_OBJECT = checks.of_type("an object", dict)
_TEXT = checks.of_type("a text", str)
_TRUNCATIONS = ("auto", "disabled")
# Tools that the client runs itself; what others find counts as input, and nobody knows how much that is.
_OWN_TOOLS = ("function", "custom")


def _include(name: str, value: Any) -> None:
    if type(value) is not list or not all(type(each) is str for each in value):
        raise Failure(INVALID_TYPE, f"{name} is a list of texts", param=name)


def _truncation(name: str, value: Any) -> None:
    if value not in _TRUNCATIONS:
        raise Failure(INVALID_VALUE, f"{name} is auto or disabled", param=name)


def _reasoning(name: str, value: Any) -> None:
    _OBJECT(name, value)
    for field in ("effort", "summary"):
        if value.get(field) is not None:
            _TEXT(f"{name}.{field}", value[field])


def _text(name: str, value: Any) -> None:
    _OBJECT(name, value)
    if value.get("verbosity") is not None:
        _TEXT(f"{name}.verbosity", value["verbosity"])
    form = value.get("format")
    if form is None:
        return
    _OBJECT(f"{name}.format", form)
    _TEXT(f"{name}.format.type", form.get("type"))
    if form["type"] == "json_schema":
        _TEXT(f"{name}.format.name", form.get("name"))
        _OBJECT(f"{name}.format.schema", form.get("schema"))


# What this wire and the chat's have under one name.
_SHARED = (
    "model", "user", "metadata", "temperature", "top_p", "stream", "top_logprobs", "tools", "tool_choice",
    "parallel_tool_calls", "service_tier", "api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers",
    "custom_host",
)  # fmt: skip
_CHECKS: Mapping[str, checks.Check] = {
    **{name: openai.CHAT[name] for name in _SHARED},
    "input": checks.of_type("a text or a list of items", str, list),
    "instructions": _TEXT,
    "max_output_tokens": checks.integer(1, checks.TOKENS_MOST),
    "max_tool_calls": checks.integer(1, checks.TOKENS_MOST),
    "stream_options": _OBJECT,
    "include": _include,
    "truncation": _truncation,
    "reasoning": _reasoning,
    "text": _text,
    "store": _BOOL,
    "background": _BOOL,
    "previous_response_id": _TEXT,
    "conversation": checks.of_type("a text or an object", str, dict),
    "prompt": _OBJECT,
    "prompt_cache_key": _TEXT,
    "safety_identifier": _TEXT,
}


def parse(body: bytes, envelope: Envelope) -> Call:
    """The call that a request body asks for; raises `Failure` for bad input, before anything is held or sent."""
    found = read_object(body)
    chats = envelope.operation is Operation.CHAT
    name_model(found)
    media = _check(found, chats=chats)
    found = owned(found, envelope.owner)
    given = found.get("input")
    # A thought that another wire sealed, or none, is nothing that this wire's providers take back; all else they get.
    kept = without_foreign_thoughts(given)
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=found["model"],
        body=found if kept is given else {**found, "input": kept},
        stream=chats and found.get("stream") is True,
        include_usage=True,
        prompt_bytes=len(body) - media.carried_bytes,
        user=(found.get("safety_identifier") or found.get("user") or "")[:USER_CHARACTERS_MOST],
        wire=DIALECT,
        output_most_tokens=found.get("max_output_tokens") if chats else None,
        media=media,
        read=read if kept is given else lambda body: read({**body, "input": given}),
        owner=envelope.owner,
    )


def encoder(call: Call, target: Target) -> Encoder:
    """What writes one answer to this call."""
    if call.operation is Operation.COUNT_TOKENS:
        return CountEncoder(failure_body, object="response.input_tokens")
    return StreamEncoder(call, target) if call.stream else WholeEncoder(call, target)


def _check(body: Mapping[str, Any], *, chats: bool) -> Media:
    if body.get("model") is None:
        raise Failure(MISSING_REQUIRED_PARAMETER, "model is missing", param="model")
    checks.run(_CHECKS, body)
    if not 0 < len(body["model"]) <= MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"model has 1 to {MODEL_CHARACTERS_MOST} characters", param="model")
    kept = any(body.get(name) for name in KEPT_BY_THE_PROVIDER)
    if body.get("input") is None and not kept:
        raise Failure(MISSING_REQUIRED_PARAMETER, "input is missing", param="input")
    if chats and body.get("background"):
        # It would go on, and cost, after its client has gone, and could not be had again.
        words = "an answer made in the background is fetched later, which is not served here: leave it out"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="background")
    media = check_input(body.get("input"), kept=kept)
    # What the provider adds to the prompt is as large as a file that stands elsewhere: nobody knows.
    media.files += kept or any(tool.get("type") not in _OWN_TOOLS for tool in body.get("tools") or ())
    return media
