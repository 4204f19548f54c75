"""What the simulated provider refuses by itself: wrong keys, wrong requests, unknown models and routes."""

from __future__ import annotations

from typing import Any

import pytest

from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.simulator.connection import HEAD_BYTES_MOST
from tests.simulator.raw import CHAT, ask, once, request
from tests.simulator.spoken import CLOSED, WEATHER


@pytest.mark.parametrize(("key", "code"), [("", None), ("bad-key", "invalid_api_key")], ids=["no key", "a bad key"])
async def test_credentials_are_checked(simulator: Simulator, key: str, code: str | None) -> None:
    seen = await once(simulator, CHAT, key=key)
    assert (seen.status, seen.json["error"]["code"]) == (401, code)
    assert set(seen.json["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("header", ["api-key", "x-api-key"])
async def test_a_key_may_come_in_other_headers(simulator: Simulator, header: str) -> None:
    assert (await once(simulator, CHAT, key="", headers={header: "key"})).status == 200


MESSAGE = {"role": "user", "content": "x"}


def _holding(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"], "additionalProperties": False}


def _nested(levels: int) -> Any:
    return _holding(_nested(levels - 1)) if levels else {"type": "string"}


def _strict(schema: Any) -> dict[str, Any]:
    form = {"name": "a", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (WEATHER, "In context=(), 'additionalProperties' is required to be supplied and to be false."),
        ({**CLOSED, "required": []}, "an array including every key in properties. Missing 'location'."),
        ({"type": "array", "items": CLOSED}, "schema must be a JSON Schema of 'type: \"object\"'."),
        (_holding({"type": "string", "minLength": 1}), "('properties', 'a'), 'minLength' is not permitted."),
        (_holding({"oneOf": [{"type": "string"}]}), "('properties', 'a'), 'oneOf' is not permitted."),
        (_holding({"enum": ["x"]}), "('properties', 'a'), schema must have a 'type' key."),
        (_nested(11), "levels of nesting exceeds limit of 10."),
        (_holding({"description": "x"}), "('properties', 'a'), schema must have a 'type' key."),
        (_holding({"$ref": "#", "description": "x"}), "$ref cannot have keywords ['description']."),
    ],
)
async def test_a_strict_schema_keeps_to_the_rules(simulator: Simulator, schema: Any, told: str) -> None:
    seen = await once(simulator, {"model": "m", "messages": [MESSAGE], **_strict(schema)})
    assert (seen.status, seen.json["error"]["code"]) == (400, "invalid_json_schema")
    assert told in seen.json["error"]["message"]


LONG, ODD = "a" * 100, "ns.tool:a"
TOO_LONG = "string too long. Expected a string with maximum length 64, but got a string with length 100 instead."
NO_NAME = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."


@pytest.mark.parametrize(
    ("name", "told", "code"), [(LONG, TOO_LONG, "string_above_max_length"), (ODD, NO_NAME, "invalid_value")]
)
async def test_names_of_tools_keep_to_the_rule(simulator: Simulator, name: str, told: str, code: str) -> None:
    function = {"type": "function", "function": {"name": name}}
    called = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": name}}]}
    for fields, param in (
        ({"messages": [MESSAGE], "tools": [function]}, "tools[0].function.name"),
        ({"messages": [MESSAGE, called]}, "messages[1].tool_calls[0].function.name"),
    ):
        error = (await once(simulator, {"model": "m", **fields})).json["error"]
        assert (error["message"], error["param"], error["code"]) == (f"Invalid '{param}': {told}", param, code)


@pytest.mark.parametrize(
    ("document", "param", "code"),
    [
        (b"{", None, "invalid_json"),
        (b"[]", None, "invalid_json"),
        ({"messages": [MESSAGE]}, "model", "missing_required_parameter"),
        ({"model": "m"}, "messages", "missing_required_parameter"),
        ({"model": "m", "messages": []}, "messages", "empty_array"),
        ({"model": "m", "messages": "x"}, "messages", "invalid_type"),
        ({"model": "m", "messages": ["x"]}, "messages[0]", "invalid_type"),
        ({"model": "m", "messages": [{"role": "bee", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"model": "m", "messages": [{"role": "user"}]}, "messages[0].content", "invalid_type"),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{}]}]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        ({"model": "m", "messages": [MESSAGE], "n": 0}, "n", "integer_out_of_range"),
        ({"model": "m", "messages": [MESSAGE], "n": 129}, "n", "integer_out_of_range"),
        ({"model": "m", "messages": [MESSAGE], "max_tokens": 0}, "max_tokens", "integer_out_of_range"),
        ({"model": "m", "messages": [MESSAGE], "max_tokens": "7"}, "max_tokens", "invalid_type"),
        ({"model": "m", "messages": [MESSAGE], "stream": "yes"}, "stream", "invalid_type"),
        ({"model": "m", "messages": [MESSAGE], "stream_options": {"a": 1}}, "stream_options", "invalid_value"),
        ({"model": "m", "messages": [MESSAGE], "stop": 3}, "stop", "invalid_type"),
        ({"model": "m", "messages": [MESSAGE], "tools": [{}]}, "tools[0].function.name", "missing_required_parameter"),
        (
            {"model": "m", "messages": [MESSAGE], "response_format": {"type": "x"}},
            "response_format.type",
            "invalid_value",
        ),
        ({"model": "m", "messages": [MESSAGE], **_strict(WEATHER)}, "response_format", "invalid_json_schema"),
        (
            {
                "model": "m",
                "messages": [MESSAGE],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": WEATHER, "strict": True}}],
            },
            "tools",
            "invalid_json_schema",
        ),
    ],
)
async def test_a_wrong_request_is_a_400_that_names_the_parameter(
    simulator: Simulator, document: Any, param: str | None, code: str
) -> None:
    seen = await once(simulator, document)
    error = seen.json["error"]
    assert (seen.status, error["param"], error["code"]) == (400, param, code)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/nothing", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models/m", 405),
        ("GET", "/v1/models", 200),
        ("GET", "/openai/v1/models", 200),
    ],
)
async def test_routes(simulator: Simulator, method: str, path: str, status: int) -> None:
    assert (await once(simulator, CHAT if method == "POST" else None, path=path, method=method)).status == status


@pytest.mark.parametrize(
    "path", ["/api/v1/chat/completions", "/openai/deployments/my-gpt/chat/completions?api-version=1"]
)
async def test_compatible_providers_bases_are_served_too(simulator: Simulator, path: str) -> None:
    document = {"messages": CHAT["messages"]} if "deployments" in path else CHAT
    seen = await once(simulator, document, path=path)
    assert seen.json["model"] in ("my-gpt", CHAT["model"])


async def test_a_strict_simulator_knows_its_list_and_faults_only() -> None:
    options = SimulatorOptions(pace=FAST, models=("one",), strict_models=True)
    async with await Simulator(options).start() as simulator:
        statuses = [(await once(simulator, {**CHAT, "model": model})).status for model in ("one", "two", "sim-F23")]
        assert statuses == [200, 404, 500]
        assert [model["id"] for model in (await once(simulator, path="/v1/models", method="GET")).json["data"]] == [
            "one"
        ]


async def test_a_model_that_begins_with_no_such_does_not_exist(simulator: Simulator) -> None:
    seen = await once(simulator, {**CHAT, "model": "no-such-model"})
    assert (seen.status, seen.json["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("content", [b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n"])
async def test_bytes_that_are_no_request_get_a_400_and_the_close(simulator: Simulator, content: bytes) -> None:
    seen = await ask(simulator, content)
    assert (seen.status, seen.end) == (400, "eof")
    assert simulator.record.counts.malformed == 1


async def test_a_head_without_end_is_refused(simulator: Simulator) -> None:
    seen = await ask(simulator, b"GET / HTTP/1.1\r\nx-long: ".ljust(HEAD_BYTES_MOST + 1, b"a"))
    assert (seen.status, seen.end) == (431, "eof")


async def test_a_body_in_chunks_is_read(simulator: Simulator) -> None:
    head, body = request(CHAT, headers={"connection": "close"}).split(b"\r\n\r\n")
    head = head.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
    chunks = b"".join(b"1\r\n%b\r\n" % body[at : at + 1] for at in range(len(body))) + b"0\r\n\r\n"
    assert (await ask(simulator, head + b"\r\n\r\n" + chunks)).status == 200


async def test_a_client_that_expects_a_continue_gets_it(simulator: Simulator) -> None:
    seen = await once(simulator, CHAT, headers={"expect": "100-continue"})
    assert seen.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_http_1_0_is_answered_without_chunks_and_closed(simulator: Simulator) -> None:
    content = request({**CHAT, "stream": True}).replace(b"HTTP/1.1", b"HTTP/1.0")
    seen = await ask(simulator, content)
    assert seen.end == "eof"
    assert "transfer-encoding" not in seen.headers
    assert seen.raw.endswith(b"data: [DONE]\n\n")


async def test_a_request_that_comes_while_another_is_answered_waits_its_turn(simulator: Simulator) -> None:
    slowly = request({**CHAT, "model": "sim-F33;kind=bytes;size=100"})
    raw = (await ask(simulator, slowly + request(CHAT, headers={"connection": "close"}))).raw
    assert raw.count(b"HTTP/1.1 200 OK") == 2


async def test_requests_sent_together_are_answered_in_order(simulator: Simulator) -> None:
    prompts = ["first", "second", "third"]
    documents = [{**CHAT, "messages": [{"role": "user", "content": prompt}]} for prompt in prompts]
    last = {"connection": "close"}
    content = b"".join(request(each, headers=last if each is documents[-1] else None) for each in documents)
    raw = (await ask(simulator, content)).raw
    assert raw.count(b"HTTP/1.1 200 OK") == 3
    places = [raw.index(b'answer to \\"%b\\"' % prompt.encode()) for prompt in prompts]
    assert places == sorted(places)
