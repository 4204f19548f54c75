"""OpenAI's Responses, as the official client and raw requests see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from oneflow_ai.simulator import Simulator
from oneflow_ai.simulator.seals import seal
from tests.simulator.raw import Seen, once
from tests.simulator.spoken import PROMPT, WEATHER, documents

MODEL = "gpt-6-luna"
TOOLS: Any = [
    {"type": "function", "name": name, "parameters": dict(WEATHER), "strict": False}
    for name in ("get_weather", "get_news")
]
CUSTOM: Any = {"type": "custom", "name": "note"}
THINKING: Any = {"effort": "low", "summary": "auto"}


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncOpenAI]:
    """The official client, without retries."""
    async with AsyncOpenAI(base_url=simulator.base_url, api_key="key", max_retries=0) as made:
        yield made


async def _raw(simulator: Simulator, path: str = "/v1/responses", **fields: Any) -> Seen:
    document = {"model": MODEL, "input": PROMPT, **fields}
    return await once(simulator, {name: value for name, value in document.items() if value is not ...}, path=path)


async def _final(client: AsyncOpenAI, **asked: Any) -> Any:
    async with client.responses.stream(**asked) as stream:
        return await stream.get_final_response()


async def test_an_answer_quotes_the_prompt_whole_and_streamed(client: AsyncOpenAI) -> None:
    asked: Any = {"model": MODEL, "input": PROMPT}
    whole, streamed = await client.responses.create(**asked), await _final(client, **asked)
    assert f'"{PROMPT}"' in whole.output_text
    assert streamed.output_text == whole.output_text
    assert (whole.status, whole.model, whole.object) == ("completed", MODEL, "response")
    assert whole.usage
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens
    assert streamed.usage == whole.usage


async def test_a_stream_is_numbered_and_ends_once(simulator: Simulator) -> None:
    seen = await _raw(simulator, stream=True, max_output_tokens=16, reasoning=THINKING)
    events = documents(seen)
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert list(dict.fromkeys(each["type"] for each in events))[:8] == [
        *("response.created", "response.in_progress", "response.output_item.added"),
        *("response.reasoning_summary_part.added", "response.reasoning_summary_text.delta"),
        *("response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "response.output_item.done"),
    ]
    assert [each["type"] for each in events if "usage" in each.get("response", {}) and each["response"]["usage"]] == [
        "response.incomplete"
    ]
    assert all(f"event: {each['type']}\n".encode() in seen.body for each in events)
    assert b"[DONE]" not in seen.body


@pytest.mark.parametrize("hides", [True, False])
async def test_pieces_are_made_equally_long_unless_declined(simulator: Simulator, hides: bool) -> None:
    seen = await _raw(simulator, stream=True, stream_options={"include_obfuscation": hides})
    assert all(("obfuscation" in each) == hides for each in documents(seen) if "delta" in each)


async def test_a_token_limit_leaves_a_response_incomplete(client: AsyncOpenAI) -> None:
    said = await client.responses.create(model=MODEL, input=PROMPT, max_output_tokens=16)
    assert said.incomplete_details
    assert (said.status, said.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert said.usage
    assert said.usage.output_tokens == 16


async def test_parallel_tools_are_called_and_their_results_are_used(client: AsyncOpenAI) -> None:
    turns: Any = [{"role": "user", "content": "Use get_weather for London, then get news."}]
    first = await client.responses.create(model=MODEL, input=turns, tools=TOOLS)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", '{"location":"London"}'),
        ("get_news", '{"location":"London"}'),
    ]
    streamed = await _final(client, model=MODEL, input=turns, tools=TOOLS)
    assert [item.arguments for item in streamed.output] == [call.arguments for call in calls]
    turns += [*first.output]
    turns += [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"result {number}"}
        for number, call in enumerate(calls)
    ]
    second = await client.responses.create(model=MODEL, input=turns, tools=TOOLS)
    assert "result 0; result 1" in second.output_text


async def test_a_chain_goes_on_from_the_response_before(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="get weather", tools=TOOLS)
    (call,) = [item for item in first.output if item.type == "function_call"]
    result: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    second = await client.responses.create(model=MODEL, input=result, previous_response_id=first.id)
    assert "sunny" in second.output_text
    with pytest.raises(openai.BadRequestError, match="not found"):
        await client.responses.create(model=MODEL, input=PROMPT, previous_response_id="resp_of_nobody")
    forgotten = await client.responses.create(model=MODEL, input=PROMPT, store=False)
    with pytest.raises(openai.BadRequestError, match="not found"):
        await client.responses.create(model=MODEL, input=PROMPT, previous_response_id=forgotten.id)


async def test_what_is_stored_is_its_makers_alone(simulator: Simulator, client: AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input=PROMPT)
    async with AsyncOpenAI(base_url=simulator.base_url, api_key="another", max_retries=0) as other:
        with pytest.raises(openai.BadRequestError, match="not found"):
            await other.responses.create(model=MODEL, input=PROMPT, previous_response_id=first.id)
        reference: Any = [{"type": "item_reference", "id": first.output[0].id}]
        with pytest.raises(openai.NotFoundError, match="not found"):
            await other.responses.create(model=MODEL, input=reference)


async def test_what_is_nested_too_deep_is_a_400(simulator: Simulator) -> None:
    tool = b'{"type":"function","name":"f","strict":false,"parameters":{"a":' + b"[" * 300 + b"]" * 300 + b"}}"
    body = b'{"model":"gpt-6-luna","input":"hi","tools":[' + tool + b"]}"
    assert (await once(simulator, body, path="/v1/responses")).status == 400


async def test_tools_that_may_not_be_called_side_by_side_are_called_in_turn(client: AsyncOpenAI) -> None:
    turns: Any = [{"role": "user", "content": "get weather, get news"}]
    asked: Any = {"model": MODEL, "tools": TOOLS, "parallel_tool_calls": False}
    names = []
    for _ in range(2):
        said = await client.responses.create(input=turns, **asked)
        (call,) = [item for item in said.output if item.type == "function_call"]
        names.append(call.name)
        turns += [*said.output, {"type": "function_call_output", "call_id": call.call_id, "output": "fine"}]
    assert names == ["get_weather", "get_news"]
    assert "fine; fine" in (await client.responses.create(input=turns, **asked)).output_text


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("auto", []),
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "name": "get_news"}, ["get_news"]),
        ({"type": "custom", "name": "note"}, ["note"]),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_news"}]},
            ["get_news"],
        ),
    ],
)
async def test_tool_choice_decides(client: AsyncOpenAI, choice: Any, names: list[str]) -> None:
    said = await client.responses.create(model=MODEL, input=PROMPT, tools=[*TOOLS, CUSTOM], tool_choice=choice)
    assert [getattr(item, "name", "") for item in said.output if item.type != "message"] == names


async def test_a_custom_tool_is_streamed_as_text(client: AsyncOpenAI) -> None:
    said = await _final(client, model=MODEL, input="Take a note about London", tools=[CUSTOM])
    assert (said.output[0].type, said.output[0].input) == ("custom_tool_call", "London")


class Bee(BaseModel):
    name: str
    age: int


async def test_structured_output_parses_into_its_model(client: AsyncOpenAI) -> None:
    said = await client.responses.parse(model=MODEL, input=PROMPT, text_format=Bee)
    assert isinstance(said.output_parsed, Bee)
    loose = await client.responses.create(model=MODEL, input=PROMPT, text={"format": {"type": "json_object"}})
    assert loose.output_text.startswith('{"answer"')


async def test_reasoning_is_sealed_and_goes_back(client: AsyncOpenAI) -> None:
    asked: Any = {"model": MODEL, "store": False, "include": ["reasoning.encrypted_content"], "reasoning": THINKING}
    first = await client.responses.create(input=PROMPT, **asked)
    thought = first.output[0]
    assert thought.type == "reasoning"
    assert PROMPT in thought.summary[0].text
    assert thought.encrypted_content
    assert first.usage
    assert first.usage.output_tokens_details.reasoning_tokens == 16
    streamed = await _final(client, input=PROMPT, **asked)
    assert streamed.output[0].encrypted_content == thought.encrypted_content
    turns: Any = [{"role": "user", "content": PROMPT}, *first.output, {"role": "user", "content": "And wasps?"}]
    assert "wasps" in (await client.responses.create(input=turns, **asked)).output_text
    silent = await client.responses.create(model=MODEL, input=PROMPT)
    assert [item.type for item in silent.output] == ["message"]


async def test_pictures_and_files_are_taken_and_counted(simulator: Simulator) -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}
    file = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    content = [{"type": "input_text", "text": PROMPT}, picture, file]
    plain = await _raw(simulator, input=[{"role": "user", "content": PROMPT}])
    seen = await _raw(simulator, input=[{"role": "user", "content": content}])
    assert seen.json["usage"]["input_tokens"] - plain.json["usage"]["input_tokens"] == 2 * 85


async def test_tokens_are_counted_as_they_are_used(client: AsyncOpenAI) -> None:
    asked: Any = {"model": MODEL, "input": PROMPT, "instructions": "Be kind.", "tools": TOOLS}
    counted = await client.responses.input_tokens.count(**asked)
    used = await client.responses.create(**asked)
    assert used.usage
    assert counted.input_tokens == used.usage.input_tokens


async def test_a_long_prompt_is_read_from_the_cache_the_second_time(simulator: Simulator) -> None:
    asked = {"instructions": "bees " * 2_000}
    first, second = [(await _raw(simulator, **asked)).json["usage"]["input_tokens_details"] for _ in range(2)]
    assert first["cached_tokens"] == 0
    assert second["cached_tokens"] >= 2_432
    assert second["cached_tokens"] % 128 == 0


# ---- what is refused

CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "fine"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal("responses", "I think.")}
ASKED = {"role": "user", "content": "x"}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
# As chats name them.
ALLOWED = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "function": {"name": "a"}}]}
OPTIONAL = {**OPEN, "additionalProperties": False}


def _format(schema: Any) -> Any:
    return {"format": {"type": "json_schema", "name": "it", "strict": True, "schema": schema}}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": ...}, "model", "missing_required_parameter"),
        ({"model": "no-such-model"}, "model", "model_not_found"),
        ({"model": 3}, "model", "invalid_type"),
        ({"input": ...}, None, "missing_required_parameter"),
        ({"max_tokens": 5}, "max_tokens", "unknown_parameter"),
        ({"max_output_tokens": 5}, "max_output_tokens", "invalid_value"),
        ({"max_output_tokens": "50"}, "max_output_tokens", "invalid_type"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options", "invalid_value"),
        ({"input": [{"role": "bee", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        ({"input": [{"role": "user", "content": "x", "name": "bee"}]}, "input[0].name", "unknown_parameter"),
        ({"input": [{"type": "bee"}]}, "input[0].type", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]},
            "input[0].content[0].type",
            "invalid_value",
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            "input[0].content[0].type",
            "invalid_value",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "file:///x"}]}]},
            "input[0].content[0].image_url",
            "invalid_value",
        ),
        ({"input": [ASKED, CALL | {"id": "call_1"}, OUTPUT]}, "input[1].id", "invalid_value"),
        ({"input": [ASKED, OUTPUT]}, "input", None),
        ({"input": [ASKED, CALL]}, "input", None),
        ({"input": [ASKED, OUTPUT, CALL]}, "input", None),
        ({"input": [ASKED, THOUGHT]}, "input", None),
        ({"input": [ASKED, THOUGHT, ASKED]}, "input", None),
        (
            {"input": [ASKED, THOUGHT | {"encrypted_content": "made-up"}, CALL, OUTPUT]},
            None,
            "invalid_encrypted_content",
        ),
        ({"tools": [{"type": "function", "parameters": {}}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{"type": "function", "name": "a", "function": {}}]}, "tools[0].function", "unknown_parameter"),
        (
            {"tools": [{"type": "function", "name": "a", "parameters": OPEN, "strict": True}]},
            "tools",
            "invalid_json_schema",
        ),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "bee"}}, "tool_choice", None),
        ({"tool_choice": "any"}, "tool_choice", "invalid_value"),
        ({"tool_choice": ALLOWED}, "tool_choice.tools[0].name", "missing_required_parameter"),
        ({"prompt_cache_options": {"ttl": "5m"}}, "prompt_cache_options.ttl", "invalid_value"),
        (
            {"text": {"format": {"type": "json_schema", "name": "it"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        ({"text": _format(OPEN)}, "text.format.schema", "invalid_json_schema"),
        ({"text": _format(OPTIONAL)}, "text.format.schema", "invalid_json_schema"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"background": True}, "background", "unsupported_parameter"),
    ],
)
async def test_a_wrong_request_is_a_400_that_names_the_parameter(
    simulator: Simulator, fields: Any, param: str | None, code: str | None
) -> None:
    seen = await _raw(simulator, **fields)
    error = seen.json["error"]
    assert (seen.status, error["param"], error["code"], error["type"]) == (400, param, code, "invalid_request_error")


async def test_items_that_were_not_stored_are_not_found(simulator: Simulator) -> None:
    for item in ({"type": "item_reference", "id": "msg_1"}, {"id": "rs_1"}, {**THOUGHT, "encrypted_content": None}):
        seen = await _raw(simulator, input=[ASKED, item, {"role": "assistant", "content": "x"}, ASKED])
        assert seen.status == 404
        assert "not found" in seen.json["error"]["message"]
    kept = (await _raw(simulator, reasoning=THINKING)).json["output"][0]
    again = [ASKED, {"type": "item_reference", "id": kept["id"]}, {"role": "assistant", "content": "x"}, ASKED]
    assert (await _raw(simulator, input=again)).status == 200


@pytest.mark.parametrize(
    ("key", "method", "path", "status"),
    [
        ("", "POST", "/v1/responses", 401),
        ("bad", "POST", "/v1/responses/input_tokens", 401),
        ("key", "GET", "/v1/responses", 405),
        ("key", "POST", "/openai/v1/responses", 200),
    ],
)
async def test_routes_and_keys(simulator: Simulator, key: str, method: str, path: str, status: int) -> None:
    document = {"model": MODEL, "input": PROMPT} if method == "POST" else None
    assert (await once(simulator, document, path=path, method=method, key=key)).status == status
