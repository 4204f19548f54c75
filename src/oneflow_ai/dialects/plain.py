"""The plain form: one task with a prompt and options, as the library, the command line and `/api/request` ask."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import (
    INVALID_NUMBER,
    INVALID_TYPE,
    MISSING_REQUIRED_PARAMETER,
    UNSUPPORTED_PARAMETER,
    Failure,
)
from oneflow_ai.dialects import openai
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.guard import read_object
from oneflow_ai.dialects.openai_conversation import holds_wrapped_seals
from oneflow_ai.dialects.openai_prompt import read

DIALECT = "plain"

Prompt = str | Sequence[Mapping[str, Any]]

# What the form itself says, or what its answer has no place for.
_NO_OPTIONS = ("model", "messages", "prompt", "stream", "stream_options")
# Python values that JSON does not have are a caller's mistake, not to be written as something else.
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def text_call(prompt: Prompt, options: Mapping[str, Any], envelope: Envelope, *, model: str, stream: bool) -> Call:
    """The call for a prompt: a text, or messages as in a chat. `options` are the chat's parameters, and `system`.

    Raises `Failure` for bad input.
    """
    body: dict[str, Any] = {"model": model, "messages": _messages(prompt, options.get("system"))}
    for name in _NO_OPTIONS:
        if options.get(name) is not None:
            raise Failure(UNSUPPORTED_PARAMETER, f"{name} is not an option of a prompt", param=name)
    body.update((name, value) for name, value in options.items() if name != "system" and value is not None)
    encoded = written(body)
    body = read_object(encoded)
    media = openai.check(body, Operation.CHAT)
    return envelope.call(
        dialect=DIALECT,
        operation=Operation.CHAT,
        model=model,
        body=body,
        stream=stream,
        include_usage=False,
        prompt_bytes=len(encoded) - media.carried_bytes,
        media=media,
        user=openai.user_of(body),
        wire="" if holds_wrapped_seals(body["messages"]) else openai.DIALECT,
        output_most_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        answers=body.get("n") or 1,
        read=read,
    )


def vectors_call(texts: str | Sequence[str], options: Mapping[str, Any], envelope: Envelope, *, model: str) -> Call:
    """The call for a vector of each text, with the options of OpenAI's embeddings; raises `Failure` for bad input."""
    if not texts:
        raise Failure(MISSING_REQUIRED_PARAMETER, "there is no text", param="input")
    for name in (*_NO_OPTIONS, "input", "encoding_format"):
        if options.get(name) is not None:
            raise Failure(UNSUPPORTED_PARAMETER, f"{name} is not an option of embeddings", param=name)
    chosen = {name: value for name, value in options.items() if value is not None}
    body = {"model": model, "input": texts if isinstance(texts, str) else list(texts), **chosen}
    return replace(openai.parse(written(body), replace(envelope, operation=Operation.EMBEDDING)), dialect=DIALECT)


def check_given(prompt: Any) -> None:
    """Raise `Failure` where there is no prompt; what is of another type is not asked whether it is empty."""
    if prompt is None or (isinstance(prompt, str | list | tuple) and not prompt):
        raise Failure(MISSING_REQUIRED_PARAMETER, "prompt is missing", param="prompt")


def written(body: Mapping[str, Any]) -> bytes:
    """What a caller of Python gave, as JSON; raises `Failure` for what JSON has not."""
    for name, value in body.items():
        if type(value) is float and not math.isfinite(value):
            # It would be written as null, which is nothing.
            raise Failure(INVALID_NUMBER, f"{name} is no finite number", param=name)
    try:
        return orjson.dumps(body, option=_STRICT)
    except orjson.JSONEncodeError:
        raise Failure(INVALID_TYPE, "a prompt and its options are values of JSON") from None


def _messages(prompt: Prompt, system: Any) -> list[Any]:
    check_given(prompt)
    if isinstance(prompt, str):
        messages: list[Any] = [{"role": "user", "content": prompt}]
    elif isinstance(prompt, list | tuple):
        messages = [dict(message) if isinstance(message, Mapping) else message for message in prompt]
    else:
        raise Failure(INVALID_TYPE, "prompt is a text or a list of messages", param="prompt")
    return messages if system is None else [{"role": "system", "content": system}, *messages]
