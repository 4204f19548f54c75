"""Schemas of each dialect's clients as each wire enforces them: strictly, in part and told, or refused by name."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import HttpRequest
from tests.wire.generations import generation_call
from tests.wire.messages import message_call
from tests.wire.requests import call_of, target_of

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**CITY, "additionalProperties": False}
BOUNDED = {**CITY, "properties": {"city": {"type": "string", "maxLength": 9}}}
OPTIONAL = {**CITY, "required": []}
FREE = {"type": "object", "additionalProperties": {"type": "string"}}
MODELS = {
    "openai": "gpt-6-luna",
    "azure": "gpt-6-luna",
    "responses": "o3-pro",
    "openrouter": "openai/gpt-6-luna",
    "anthropic": "claude-haiku-5-5",
    "bedrock": "us.anthropic.claude-haiku-5-5-v1:0",
    "vllm": "any",
    "mistral": "any",
}
STRICT = ["openai", "azure", "responses", "openrouter"]
CLAUDE = ["anthropic", "bedrock"]


def asked_by(dialect: str, schema: Any) -> Call:
    """A call whose answer has this schema, which the client's own wire would enforce."""
    if dialect == "gemini":
        return generation_call(generationConfig={"responseMimeType": "application/json", "responseJsonSchema": schema})
    if dialect == "anthropic":
        return message_call(output_config={"format": {"type": "json_schema", "schema": schema}})
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    return call_of({"model": "text", "messages": [{"role": "user", "content": "Hi"}], "response_format": form})


PARAMS = {
    "gemini": "generationConfig.responseJsonSchema",
    "anthropic": "output_config.format",
    "openai": "response_format",
}


def request(call: Call, kind: str) -> HttpRequest:
    target = target_of("openai" if kind == "responses" else kind, model=MODELS[kind])
    return target.adapter.request(call, target)


def form_of(sent: HttpRequest) -> tuple[Any, Any]:
    """The schema of an answer as it was sent, and whether it is said to be strict."""
    body = orjson.loads(sent.body)
    if "output_config" in body:
        return body["output_config"]["format"]["schema"], None
    if "outputConfig" in body:
        text = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]
        return orjson.loads(text), None
    form = body["text"]["format"] if "text" in body else body["response_format"]["json_schema"]
    return form["schema"], form.get("strict")


@pytest.mark.parametrize("kind", STRICT)
@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_what_a_clients_own_wire_enforces_is_strict_at_openai(dialect: str, kind: str) -> None:
    sent = request(asked_by(dialect, CITY), kind)
    assert (form_of(sent), sent.dropped) == ((CLOSED, True), ())


@pytest.mark.parametrize("kind", STRICT)
@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_what_openai_does_not_enforce_is_told(dialect: str, kind: str) -> None:
    free = {**CITY, "properties": {"city": FREE}}
    sent = request(asked_by(dialect, free), kind)
    assert (form_of(sent), sent.dropped) == ((free, False), (PARAMS[dialect],))
    # An answer with all of its properties fits a schema that would do with fewer.
    sent = request(asked_by(dialect, OPTIONAL), kind)
    assert (form_of(sent), sent.dropped) == ((CLOSED, True), (PARAMS[dialect],))
    sent = request(asked_by(dialect, BOUNDED), kind)
    schema, strict = form_of(sent)
    assert (schema["properties"]["city"], strict) == ({"type": "string", "description": '{"maxLength":9}'}, True)
    assert sent.dropped == (PARAMS[dialect],)


@pytest.mark.parametrize("kind", ["vllm", "mistral"])
def test_other_servers_are_asked_as_they_were(kind: str) -> None:
    sent = request(asked_by("anthropic", OPTIONAL), kind)
    assert (form_of(sent), sent.dropped) == ((OPTIONAL, None), ())


@pytest.mark.parametrize("kind", CLAUDE)
@pytest.mark.parametrize("dialect", ["gemini", "openai"])
def test_claude_is_asked_for_what_it_enforces(dialect: str, kind: str) -> None:
    sent = request(asked_by(dialect, CITY), kind)
    assert (form_of(sent)[0], sent.dropped) == (CLOSED, ())
    sent = request(asked_by(dialect, OPTIONAL), kind)
    assert (form_of(sent)[0], sent.dropped) == ({**OPTIONAL, "additionalProperties": False}, ())
    sent = request(asked_by(dialect, BOUNDED), kind)
    assert form_of(sent)[0]["properties"]["city"] == {"type": "string", "description": '{"maxLength":9}'}
    assert sent.dropped == (PARAMS[dialect],)


@pytest.mark.parametrize("kind", CLAUDE)
@pytest.mark.parametrize("dialect", ["gemini", "openai"])
def test_what_claude_cannot_be_held_to_is_refused_by_name(dialect: str, kind: str) -> None:
    with pytest.raises(Failure) as told:
        request(asked_by(dialect, {**CITY, "properties": {"city": FREE}}), kind)
    assert (told.value.kind.status, told.value.param) == (400, PARAMS[dialect])
    assert "an object of free keys (at properties.city)" in told.value.message


def tools_of(sent: HttpRequest) -> list[tuple[Any, Any]]:
    """Each tool's schema, and whether it is said to be strict."""
    body = orjson.loads(sent.body)
    if "toolConfig" in body:
        specs = [tool["toolSpec"] for tool in body["toolConfig"]["tools"]]
        return [(spec["inputSchema"]["json"], spec.get("strict")) for spec in specs]
    tools = [tool.get("function", tool) for tool in body["tools"]]
    return [(tool.get("parameters", tool.get("input_schema")), tool.get("strict")) for tool in tools]


@pytest.mark.parametrize("kind", STRICT + CLAUDE)
def test_functions_that_gemini_would_validate_are_strict_where_they_can_be(kind: str) -> None:
    declared = [{"name": name, "parametersJsonSchema": schema} for name, schema in (("a", CITY), ("b", FREE))]
    call = generation_call(
        tools=[{"functionDeclarations": declared}], toolConfig={"functionCallingConfig": {"mode": "VALIDATED"}}
    )
    sent = request(call, kind)
    assert tools_of(sent) == [(CLOSED, True), (FREE, False)]
    assert sent.dropped == ("tools",)


@pytest.mark.parametrize("kind", STRICT + CLAUDE)
def test_a_strict_tool_without_a_schema_takes_nothing(kind: str) -> None:
    call = generation_call(
        tools=[{"functionDeclarations": [{"name": "a"}]}], toolConfig={"functionCallingConfig": {"mode": "VALIDATED"}}
    )
    [(schema, strict)] = tools_of(request(call, kind))
    assert (schema["properties"], schema["additionalProperties"], strict) == ({}, False, True)


@pytest.mark.parametrize("kind", STRICT + CLAUDE)
def test_tools_that_are_not_strict_keep_their_schemas(kind: str) -> None:
    call = generation_call(tools=[{"functionDeclarations": [{"name": "a", "parametersJsonSchema": BOUNDED}]}])
    sent = request(call, kind)
    [(schema, strict)] = tools_of(sent)
    assert (schema, bool(strict), sent.dropped) == (BOUNDED, False, ())


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_openai_is_asked_for_one_object_or_not_at_all(dialect: str) -> None:
    listed = {"type": "array", "items": CITY}
    for kind in ("openai", "azure", "responses"):
        with pytest.raises(Failure) as told:
            request(asked_by(dialect, listed), kind)
        assert (told.value.kind.status, told.value.param) == (400, PARAMS[dialect])
        assert "it is not that of one object" in told.value.message
    sent = request(asked_by(dialect, listed), "openrouter")
    assert (form_of(sent), sent.dropped) == (({"type": "array", "items": CLOSED}, True), ())


@pytest.mark.parametrize("kind", CLAUDE)
@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, 20),
        ({**CLOSED, "required": [], "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, 12),
        ({**CLOSED, "properties": {"city": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, 16),
    ],
)
def test_as_many_tools_are_strict_as_claude_takes(kind: str, schema: Any, strict: int) -> None:
    function = {"parameters": schema, "strict": True}
    tools = [{"type": "function", "function": {"name": f"f{number}", **function}} for number in range(25)]
    sent = request(call_of({"model": "text", "messages": [{"role": "user", "content": "Hi"}], "tools": tools}), kind)
    assert [is_strict for _, is_strict in tools_of(sent)] == [True] * strict + [False] * (25 - strict)
    assert sent.dropped == ("tools",)


@pytest.mark.parametrize("kind", CLAUDE)
def test_an_answer_with_more_unions_than_claude_takes_is_refused_by_name(kind: str) -> None:
    names = [f"a{number}" for number in range(17)]
    maybe = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema = {"type": "object", "properties": dict.fromkeys(names, maybe), "required": names}
    with pytest.raises(Failure) as told:
        request(asked_by("openai", schema), kind)
    assert (told.value.param, "more optional properties, or unions" in told.value.message) == ("response_format", True)
