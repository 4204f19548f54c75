"""The official clients in conversations whose turns are answered by models of several wires, one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError
from openai import OpenAI

from tests.clients.everywhere import MODELS, TOOLS, Gateway

pytestmark = pytest.mark.clients

# One that is given a budget for its thoughts, beside those that see themselves how much they need.
BUDGETED = "anthropic/claude-haiku-4-5"
IN_TURN = [MODELS["gemini"], MODELS["anthropic"], MODELS["bedrock"], BUDGETED, MODELS["openai"], BUDGETED]
HELLO = "Say hello to the sea."
WEATHER = TOOLS["get_weather"]
# What a server that shows its thoughts without a seal has said, as a client gives it back.
UNSEALED: Any = {"type": "thinking", "thinking": "Let me see.", "signature": ""}


def _asked(client: Anthropic, streamed: bool, **fields: Any) -> Any:
    if not streamed:
        return client.messages.create(**fields)
    with client.messages.stream(**fields) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 1_024}, {"type": "adaptive"}])
def test_messages_with_tools_and_thoughts(gateway: Gateway, streamed: bool, thinking: Any) -> None:
    words, schema = WEATHER
    tools: Any = [{"name": "get_weather", "description": words, "input_schema": schema}]
    asked: Any = {"max_tokens": 3_000, "thinking": thinking, "tools": tools}
    messages: list[Any] = []
    models = IN_TURN if thinking["type"] == "enabled" else [each for each in IN_TURN if each != BUDGETED]
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        for turn, (model, next_model) in enumerate(zip(models, [*models[1:], models[0]], strict=True)):
            messages.append({"role": "user", "content": f"{turn}: get_weather of a city, please."})
            answer = _asked(client, streamed, model=model, messages=messages, **_fit(asked, model))
            messages.append({"role": "assistant", "content": [UNSEALED, *answer.content]})
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": f"result {turn}"}
                for block in answer.content
                if block.type == "tool_use"
            ]
            assert results, model
            messages.append({"role": "user", "content": results})
            answer = _asked(client, streamed, model=next_model, messages=messages, **_fit(asked, next_model))
            assert f"result {turn}" in "".join(block.text for block in answer.content if block.type == "text")
            messages.append({"role": "assistant", "content": answer.content})


def _fit(asked: Any, model: str) -> Any:
    """The same, for the newest of Anthropic's own: they refuse a budget."""
    return {**asked, "thinking": {"type": "adaptive"}} if model == MODELS["anthropic"] else asked


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_responses_with_tools_and_thoughts(gateway: Gateway, streamed: bool) -> None:
    words, schema = WEATHER
    tools: Any = [{"type": "function", "name": "get_weather", "description": words, "parameters": schema}]
    reasoning: Any = {"effort": "high", "summary": "auto"}
    asked: Any = {
        "tools": tools, "reasoning": reasoning, "store": False, "include": ["reasoning.encrypted_content"],
    }  # fmt: skip
    items: list[Any] = []
    models = [MODELS[kind] for kind in ("gemini", "openai", "bedrock", "anthropic", "gemini", "openai")]
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        for turn, (model, next_model) in enumerate(zip(models, [*models[1:], models[0]], strict=True)):
            items.append({"role": "user", "content": f"{turn}: get_weather of a city, please."})
            answer = _responded(client, streamed, model=model, input=items, **asked)
            calls = [item for item in answer.output if item.type == "function_call"]
            assert calls, model
            items += answer.output
            items += [
                {"type": "function_call_output", "call_id": call.call_id, "output": f"result {turn}"} for call in calls
            ]
            answer = _responded(client, streamed, model=next_model, input=items, **asked)
            assert f"result {turn}" in answer.output_text
            items += answer.output


def _responded(client: OpenAI, streamed: bool, **fields: Any) -> Any:
    if not streamed:
        return client.responses.create(**fields)
    with client.responses.stream(**fields) as stream:
        return stream.get_final_response()


@pytest.mark.parametrize(
    ("model", "told"), [(MODELS["gemini"], "messages"), (MODELS["openai"], "messages"), (BUDGETED, None)]
)
def test_an_answer_that_is_begun_is_gone_on_with_or_told(gateway: Gateway, model: str, told: str | None) -> None:
    begun: Any = [{"role": "user", "content": HELLO}, {"role": "assistant", "content": "Hello,"}]
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(model=model, max_tokens=400, messages=begun)
        assert raw.headers.get("x-oneflow-dropped") == told
        with pytest.raises(BadRequestError, match="answer begun"):
            client.messages.create(model=MODELS["bedrock"], max_tokens=400, messages=begun)
