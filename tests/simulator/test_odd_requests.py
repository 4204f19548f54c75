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
from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.stage import Stage
from oneflow_ai.simulator.wires.openai import OpenAIWire
from oneflow_ai.simulator.wires.wire import Surroundings
from tests.simulator.spoken import CLOSED, WEATHER

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
    "/v1/completions": {"model": "m", "prompt": ["x", [1, 2]], "max_tokens": 5, "n": 2, "stop": ["x"], "echo": True},
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
        "output_config": {"format": {"type": "json_schema", "schema": CLOSED}},
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
        "outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": '{"type":"string"}'}}}},
    },
}
STAGE = Stage(SimulatorOptions(pace=FAST), MachineClock(), Random(1))
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1.5, 2**63, "", " ", "x", "sim-F99", [], [[]], {}, {"type": "x"}, [{}], {"a": {"b": [1]}}]
)


def _answer(path: str, document: Any) -> bytes:
    return _sent(path, orjson.dumps(document))


def _sent(path: str, body: bytes) -> bytes:
    headers = [(b"anthropic-version", b"2023-06-01")] if path == "/v1/messages" else []
    request = Request("POST", path, headers, {b"authorization": b"Bearer key"})
    request.body = body
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


NUMBERS = [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e999", b"true", b"1" * 400]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/chat/completions", "max_tokens"),
        ("/v1/completions", "n"),
        ("/v1/messages", "max_tokens"),
        ("/v1/responses", "max_output_tokens"),
        ("/v1/embeddings", "dimensions"),
        ("/v1beta/models/m:embedContent", "outputDimensionality"),
    ],
)
@pytest.mark.parametrize("number", NUMBERS)
def test_an_odd_number_is_refused(path: str, field: str, number: bytes) -> None:
    whole = orjson.dumps({**BODIES[path], field: 1})
    assert _sent(path, whole.replace(b'"%b":1' % field.encode(), b'"%b":%b' % (field.encode(), number)))[9:12] == b"400"


@pytest.mark.parametrize("path", BODIES)
def test_what_is_nested_deeply_is_answered_on_each_wire(path: str) -> None:
    nested = b'{"type":"object","properties":{"a":' * 400 + b"{}" + b"}}" * 400
    for name in BODIES[path]:
        whole = orjson.dumps({**BODIES[path], name: "here"})
        answer = _sent(path, whole.replace(b'"%b":"here"' % name.encode(), b'"%b":%b' % (name.encode(), nested)))
        assert answer[9:12] in (b"200", b"400", b"404", b"500")
        orjson.loads(answer.partition(b"\r\n\r\n")[2])


class _FailingWire(OpenAIWire):
    __slots__ = ()

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """Fail as nobody thought of."""
        raise ZeroDivisionError("secret words")


def test_a_fault_in_making_an_answer_ends_one_request(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(SimulatorOptions(pace=FAST), MachineClock(), Random(1), last_wire=_FailingWire())
    request = Request("POST", "/v1/chat/completions", [], {b"authorization": b"Bearer key"})
    content = stage.begin(request, (1, 0)).content
    assert content.startswith(b"HTTP/1.1 500 ")
    assert orjson.loads(content.partition(b"\r\n\r\n")[2])["error"]["type"] == "server_error"
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


def test_what_is_remembered_of_a_request_is_short() -> None:
    stage = Stage(SimulatorOptions(pace=FAST), MachineClock(), Random(1))
    request = Request("POST", "/v1/chat/completions", [], {b"authorization": b"Bearer key"})
    request.body = orjson.dumps({**BODIES["/v1/chat/completions"], "model": "m" * 1_000_000})
    stage.begin(request, (1, 0))
    assert all(len(name) <= 512 for name in stage.record.counts.by_model)


@pytest.mark.parametrize("fault", ["F48;count=100001", "F47;kind=flap;period=0", "F47;factor=0.0", "F13@event:123456"])
def test_a_fault_without_bounds_is_refused(fault: str) -> None:
    body = orjson.dumps({"model": f"sim-{fault}", "messages": [{"role": "user", "content": "x"}]})
    assert _sent("/v1/chat/completions", body)[9:12] == b"400"
