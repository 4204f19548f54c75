"""Whatever JSON comes on whichever wire, it is answered: with 200, or with an error of that wire."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.simulator import FAST, MachineClock, SimulatorOptions
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.stage import Stage
from tests.simulator.spoken import WEATHER

CALL, RESULT = {"id": "a", "name": "get_news", "input": {}}, {"content": [{"type": "text", "text": "x"}]}
BODIES: dict[str, Any] = {
    "/v1/chat/completions": {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "get news"}]},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "get_news"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "get_news", "parameters": WEATHER}}],
        "tool_choice": {"type": "function", "function": {"name": "get_news"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": WEATHER}},
        "stop": ["x"],
    },
    "/v1/messages": {
        "model": "claude-haiku-4-5",
        "max_tokens": 2_000,
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "I", "signature": seal("anthropic", "I")},
                    {"type": "tool_use", **CALL},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", **RESULT}]},
        ],
        "tools": [{"name": "get_news", "input_schema": WEATHER}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
        "output_config": {"format": {"type": "json_schema", "schema": WEATHER}},
    },
    "/v1/responses": {
        "model": "m",
        "instructions": "x",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal("responses", "I")},
            {"type": "function_call", "call_id": "a", "name": "get_news", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "x"},
        ],
        "tools": [{"type": "function", "name": "get_news", "parameters": WEATHER, "strict": False}],
        "tool_choice": {"type": "function", "name": "get_news"},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": WEATHER}},
        "reasoning": {"effort": "low"},
    },
    "/v1/embeddings": {"model": "m", "input": ["x"], "dimensions": 4},
    "/v1/moderations": {"model": "m", "input": [{"type": "text", "text": "x"}]},
    "/v1beta/models/gemini-3.8-flash:generateContent": {
        "contents": [
            {"role": "user", "parts": [{"text": "x"}]},
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "get_news", "args": {}}, "thoughtSignature": seal("gemini", "get_news")}
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "get_news", "response": {"result": "x"}}}]},
        ],
        "systemInstruction": {"parts": [{"text": "x"}]},
        "tools": [{"functionDeclarations": [{"name": "get_news", "parametersJsonSchema": WEATHER}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": WEATHER},
    },
    "/v1beta/models/m:embedContent": {"content": {"parts": [{"text": "x"}]}},
    "/model/m/converse": {
        "messages": [
            {"role": "user", "content": [{"text": "x"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "get_news", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "get_news", "inputSchema": {"json": WEATHER}}}]},
        "inferenceConfig": {"maxTokens": 50},
        "additionalModelRequestFields": {"thinking": {"type": "enabled"}},
        "outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{}"}}}},
    },
}
STAGE = Stage(SimulatorOptions(pace=FAST), MachineClock(), Random(1))
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, 2**63, "", " ", "x", "sim-F99", [], [[]], {}, {"type": "x"}, [{}], {"a": {"b": [1]}}]
)


def _answer(path: str, document: Any) -> bytes:
    headers = [(b"anthropic-version", b"2023-06-01")] if path == "/v1/messages" else []
    request = Request("POST", path, headers, {b"authorization": b"Bearer key"})
    request.body = orjson.dumps(document)
    performance = STAGE.begin(request, (1, 0))
    STAGE.ended(performance, "completed", 0)
    return performance.content


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *[each for name, part in inner for each in _places(part, (*path, name))]]


@pytest.mark.parametrize("path", BODIES)
def test_the_whole_body_is_taken(path: str) -> None:
    assert _answer(path, BODIES[path]).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", BODIES)
@given(data=st.data())
def test_a_body_with_something_odd_in_it_is_answered(path: str, data: st.DataObject) -> None:
    document = copy.deepcopy(BODIES[path])
    for _ in range(data.draw(st.integers(1, 2))):
        if not document:
            break
        *way, last = data.draw(st.sampled_from(_places(document)))
        part = document
        for step in way:
            part = part[step]
        if data.draw(st.booleans()):
            part[last] = copy.deepcopy(data.draw(ODD))
        else:
            del part[last]
    answer = _answer(path, document)
    assert answer[9:12] in (b"200", b"400", b"404")
    orjson.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("document", [None, 3, "x", [], [{}], {}, {"model": None}, {"model": {}}, {"input": {}}])
def test_a_body_of_another_form_is_refused(path: str, document: Any) -> None:
    assert _answer(path, document)[9:12] in (b"400", b"404")
