"""Which models of OpenAI's are asked for calls of tools by Responses, for clients of other wires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.wire.generations import generation_call
from tests.wire.messages import message_call
from tests.wire.requests import call_of, target_of

TOOLS = [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]


def path(model: str, **asked: Any) -> str:
    """Where an Anthropic client's request goes, and that its answer is read as that one's."""
    target = target_of("openai", model=model)
    call = message_call(**asked)
    request = target.adapter.request(call, target)
    return request.url.removeprefix(target.base_url)


@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-5.6-terra", "gpt-6-luna", "gpt-6.1-sol", "gpt-7"])
def test_newer_models_call_tools_by_responses(model: str) -> None:
    assert path(model, tools=TOOLS) == "/responses"
    assert path(model) == "/chat/completions"
    declared = [{"functionDeclarations": [{"name": "f"}]}]
    target = target_of("openai", model=model)
    assert target.adapter.request(generation_call(tools=declared), target).url.endswith("/responses")


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5", "gpt-5.1", "o3", "gpt-5.4-chat-latest", "gpt-6-chat"])
def test_others_call_them_in_a_chat(model: str) -> None:
    assert path(model, tools=TOOLS) == "/chat/completions"


def test_openais_own_clients_ask_as_they_do() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    call = call_of({"model": "text", "messages": [{"role": "user", "content": "Hi"}], "tools": tools})
    target = target_of("openai", model="gpt-6-luna")
    assert target.adapter.request(call, target).url.endswith("/chat/completions")
    anew = target.adapter.request(replace(call, wire=""), target)
    assert anew.url.endswith("/responses")
    assert orjson.loads(anew.body)["tools"][0]["name"] == "f"


@pytest.mark.parametrize("kind", ["xai", "azure"])
def test_other_servers_of_responses_are_asked_by_chat(kind: str) -> None:
    target = target_of(kind, model="gpt-6-luna")
    assert target.adapter.request(message_call(tools=TOOLS), target).url.split("?")[0].endswith("/chat/completions")
