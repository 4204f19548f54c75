"""Which models of OpenAI's are asked for calls of tools by Responses, whoever asks."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
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


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.6-terra", "gpt-6-luna", "gpt-6.1-sol", "gpt-7"])
def test_newer_models_call_tools_by_responses(model: str) -> None:
    assert path(model, tools=TOOLS) == "/responses"
    assert path(model) == "/chat/completions"
    declared = [{"functionDeclarations": [{"name": "f"}]}]
    target = target_of("openai", model=model)
    assert target.adapter.request(generation_call(tools=declared), target).url.endswith("/responses")


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5", "gpt-5.1", "o3", "gpt-5.4-chat-latest", "gpt-6-chat"])
def test_others_call_them_in_a_chat(model: str) -> None:
    assert path(model, tools=TOOLS) == "/chat/completions"


def chat(model: str, kind: str = "openai", **fields: Any) -> tuple[str, dict[str, Any]]:
    """Where a chat with these fields goes, and the body that reaches the provider."""
    call = call_of({"model": "text", "messages": [{"role": "user", "content": "Hi"}], **fields})
    target = target_of(kind, model=model)
    request = target.adapter.request(call, target)
    return request.url.partition("?")[0].removeprefix(target.base_url), orjson.loads(request.body)


FUNCTIONS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize("effort", [None, "none", "low"])
@pytest.mark.parametrize(
    ("model", "by_chat"),
    [
        ("gpt-5.1", ("none", "low", None)),
        ("gpt-5.4", ("none", None)),
        ("gpt-5.5", ("none",)),
        ("gpt-6-luna", ("none",)),
        ("gpt-6.1-terra", ()),
        ("gpt-6.1-sol", ()),
        ("gpt-6.2-astra", ()),
    ],
)
def test_a_chats_own_clients_get_there_too_while_the_model_reasons(
    model: str, by_chat: tuple[str | None, ...], effort: str | None
) -> None:
    path, body = chat(model, tools=FUNCTIONS, **({"reasoning_effort": effort} if effort else {}))
    assert path == ("/chat/completions" if effort in by_chat else "/responses")
    assert body["tools"][0].get("name", "f") == "f"
    assert ("messages" in body) is (effort in by_chat)


@pytest.mark.parametrize("tools", [None, [], [{"type": "custom", "custom": {"name": "f"}}]])
def test_what_is_no_function_is_for_the_provider_to_judge(tools: Any) -> None:
    path, body = chat("gpt-6-luna", tools=tools)
    assert (path, body["tools"]) == ("/chat/completions", tools)


@pytest.mark.parametrize(("effort", "path"), [("none", "/chat/completions"), ("low", "/responses")])
def test_a_chat_that_gives_sealed_thoughts_back_goes_by_its_effort_too(effort: str, path: str) -> None:
    sealed = {"type": "reasoning.text", "text": "", "signature": 'of:responses:{"id":"rs_1","encrypted_content":"g"}'}
    turns = [{"role": "assistant", "content": "Hi", "reasoning_details": [sealed]}, {"role": "user", "content": "And?"}]
    asked: dict[str, Any] = {"messages": turns, "tools": FUNCTIONS, "reasoning_effort": effort}
    if effort == "none":
        asked["stop"] = ["END"]
    assert chat("gpt-6-luna", **asked)[0] == path


def test_a_chat_that_gives_sealed_thoughts_back_is_sent_as_it_is_but_for_them() -> None:
    seal = 'of:responses:{"id":"rs_1","encrypted_content":"g"}'
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    sealed = called | {"extra_content": {"google": {"thought_signature": "of:gemini:s"}}}
    thought = {"reasoning_content": "Hm", "reasoning_details": [{"type": "reasoning.encrypted", "data": seal}]}
    turns: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, **thought},
        {"role": "assistant", "content": "Hi", "tool_calls": [sealed], **thought},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [FUNCTIONS[0]]}}
    asked = {"tools": FUNCTIONS, "reasoning_effort": "none", "tool_choice": allowed, "newer": {"x": 1}}
    call = call_of({"model": "text", "messages": turns, **asked})
    target = target_of("openai", model="gpt-6-luna")
    request = target.adapter.request(call, target)
    first, second, third = (body := orjson.loads(request.body))["messages"]
    assert first == {"role": "assistant", "content": ""}
    assert second == {"role": "assistant", "content": "Hi", "tool_calls": [called]}
    assert third == turns[2]
    assert {name: body[name] for name in asked} == asked
    assert request.dropped == ("messages",)


@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        ("gpt-5.4", {}, "/chat/completions"),
        ("gpt-5.4", {"output_config": {"effort": "low"}}, "/responses"),
        ("gpt-6-luna", {"thinking": {"type": "disabled"}}, "/chat/completions"),
        ("gpt-6-luna", {}, "/responses"),
        ("gpt-6.1-terra", {"thinking": {"type": "disabled"}}, "/responses"),
    ],
)
def test_clients_of_other_wires_call_in_a_chat_what_does_not_reason(
    model: str, asked: dict[str, Any], expected: str
) -> None:
    assert path(model, tools=TOOLS, **asked) == expected
    if expected == "/chat/completions":
        assert path(model, tools=TOOLS, stop_sequences=["END"], **asked) == expected


def test_the_older_form_of_functions_goes_by_the_effort_too() -> None:
    assert chat("gpt-6-luna", functions=[{"name": "f"}])[0] == "/responses"
    assert chat("gpt-6-luna", functions=[{"name": "f"}], reasoning_effort="none")[0] == "/chat/completions"
    assert chat("gpt-5.1", functions=[{"name": "f"}])[0] == "/chat/completions"


@pytest.mark.parametrize("model", ["gpt-5.2-pro", "gpt-5.4-pro", "gpt-5.3-codex", "gpt-5-codex", "gpt-5.5-pro"])
def test_models_without_a_chat_are_asked_by_responses_whatever_is_asked(model: str) -> None:
    assert chat(model)[0] == "/responses"


def test_what_responses_has_no_place_for_is_named() -> None:
    with pytest.raises(Failure) as caught:
        chat("gpt-6-luna", tools=FUNCTIONS, n=2)
    assert caught.value.param == "n"


def test_xai_is_asked_by_chat() -> None:
    target = target_of("xai", model="grok-4.5")
    assert target.adapter.request(message_call(tools=TOOLS), target).url.endswith("/chat/completions")


@pytest.mark.parametrize(("ending", "path"), [("/openai/v1", "/responses"), ("", "/chat/completions")])
def test_azure_is_asked_by_responses_where_it_has_them(ending: str, path: str) -> None:
    target = target_of("azure", model="gpt-6-luna", base_url=f"https://x.openai.azure.com{ending}", api_version="v1")
    assert target.adapter.request(message_call(tools=TOOLS), target).url.partition("?")[0].endswith(path)
