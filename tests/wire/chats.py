"""Prompts of the middle form in tests: as chats of OpenAI's wire give them, and as its servers are sent them."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import Message, Part, Prompt
from tests.wire.requests import MODEL, call_of, target_of

USER = {"role": "user", "content": "Hi"}


def prompt_of(**fields: Any) -> Prompt:
    """The middle form of a chat with these fields, as the dialect makes it."""
    return call_of({"model": "text", "messages": [USER], **fields}).prompt()


def request_for(prompt: Prompt, kind: str = "openai", model: str = MODEL, **fields: Any) -> HttpRequest:
    """The request to a server of that kind for a call of another dialect, whose prompt this is."""
    call = call_of({"model": "text", "messages": [USER], **fields})
    call = replace(call, dialect="anthropic", wire="anthropic", read=lambda body: prompt)
    target = target_of(kind, model=model)
    return target.adapter.request(call, target)


def written(prompt: Prompt, kind: str = "openai", model: str = MODEL) -> dict[str, Any]:
    """The body of that request, but for the model's name."""
    found: dict[str, Any] = orjson.loads(request_for(prompt, kind, model).body)
    assert found.pop("model") == model
    return found


def messages_of(*messages: Message, kind: str = "openai", model: str = MODEL) -> list[dict[str, Any]]:
    """The messages of that body."""
    found: list[dict[str, Any]] = written(Prompt(messages), kind, model)["messages"]
    return found


def content_of(*parts: Part, kind: str = "openai") -> Any:
    """The content of a user's message with these parts."""
    (message,) = messages_of(Message("user", parts), kind=kind)
    return message["content"]


def refused(prompt: Prompt, kind: str = "openai") -> str | None:
    """The field that a prompt is refused for."""
    with pytest.raises(Failure) as caught:
        request_for(prompt, kind)
    assert caught.value.kind is UNSUPPORTED_PARAMETER
    return caught.value.param
