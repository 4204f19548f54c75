"""What a chat's own client asks of a model that is asked by Responses: what the two wires share arrives there."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.simulator.fields import record
from oneflow_ai.simulator.wires.responses_fields import FIELDS
from tests.wire.requests import call_of, target_of

FUNCTIONS = [{"type": "function", "function": {"name": name}} for name in ("f", "g", "ns.tool:a b")]
OTHERS = {
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "bedrock": "us.anthropic.claude-haiku-5-5-v1:0",
}


def asked(kind: str = "openai", model: str = "gpt-6-luna", **fields: Any) -> HttpRequest:
    """The request that reaches a provider for a chat with functions and these fields."""
    chat = {"model": "text", "messages": [{"role": "user", "content": "Hi"}], "tools": FUNCTIONS, **fields}
    target = target_of(kind, model=model)
    return target.adapter.request(call_of(chat), target)


def by_responses(model: str = "gpt-6-luna", **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body that reaches OpenAI's Responses, which its specification allows, and what was left out of it."""
    request = asked(model=model, **fields)
    assert request.url.endswith("/responses")
    body: dict[str, Any] = orjson.loads(request.body)
    record(FIELDS)(body, ())
    return body, request.dropped


def allowed(*names: str, mode: str = "required") -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def file_by_id(**marks: Any) -> list[dict[str, Any]]:
    part = {"type": "file", "file": {"file_id": "file-1"}, **marks}
    return [{"role": "user", "content": [{"type": "text", "text": "?"}, part]}]


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "u"},
        {"safety_identifier": "s"},
        {"user": "u", "safety_identifier": "s"},
        {"safety_identifier": "s", "user": "u"},
        {"metadata": {"team": "blue"}},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
        {"prompt_cache_retention": "24h"},
    ],
)
@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-5.5-pro"])
def test_fields_of_both_wires_arrive_as_they_are(model: str, fields: dict[str, Any]) -> None:
    body, dropped = by_responses(model, **fields)
    names = ("user", "safety_identifier", "metadata", "prompt_cache_options", "prompt_cache_retention")
    assert ({name: body[name] for name in names if name in body}, dropped) == (fields, ())


def test_a_file_by_its_id_arrives() -> None:
    body, dropped = by_responses("gpt-6.2-astra", messages=file_by_id(cache_control={"type": "ephemeral"}))
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    assert body["input"][0]["content"][1] == {"type": "input_file", "file_id": "file-1", **mark}
    assert dropped == ()


def test_a_file_by_its_id_arrives_as_a_tools_result() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [{"role": "assistant", "tool_calls": [call]}, {**file_by_id()[0], "role": "tool", "tool_call_id": "call_1"}]
    body, _ = by_responses(messages=turns)
    assert body["input"][1]["output"][1] == {"type": "input_file", "file_id": "file-1"}


def test_a_file_that_the_model_said_is_refused() -> None:
    with pytest.raises(Failure) as caught:
        by_responses(messages=[*file_by_id(), {**file_by_id()[0], "role": "assistant"}, *file_by_id()])
    assert caught.value.param == "messages[1].content[1].file.file_id"


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_arrive_by_the_names_that_are_sent(mode: str) -> None:
    body, dropped = by_responses(tool_choice=allowed("f", "ns.tool:a b", mode=mode))
    first, _, last = (tool["name"] for tool in body["tools"])
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "mode": mode,
        "tools": [{"type": "function", "name": first}, {"type": "function", "name": last}],
    }
    assert (first, last[:8], dropped) == ("f", "ns_tool_", ())


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"mode": "required", "tools": []},
        {"mode": "never", "tools": [FUNCTIONS[0]]},
        {"mode": ["auto"], "tools": [FUNCTIONS[0]]},
        {"mode": "auto", "tools": ["f"]},
        {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"mode": "auto", "tools": [{"type": "function", "function": {"name": 5}}]},
    ],
)
def test_allowed_tools_that_are_none_are_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        asked(tool_choice={"type": "allowed_tools", "allowed_tools": odd})
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "tool_choice")


def test_without_tools_none_are_allowed() -> None:
    with pytest.raises(Failure) as caught:
        asked(model="gpt-5.5-pro", tools=[], tool_choice=allowed("f"))
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": file_by_id()}, "messages[0].content[1].file.file_id"),
        ({"tool_choice": allowed("f", "g")}, "tool_choice"),
    ],
)
def test_other_wires_have_no_place_for_them(kind: str, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as caught:
        asked(kind, OTHERS[kind], **fields)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize("kind", OTHERS)
def test_other_wires_are_told_of_one_end_user_and_what_is_left_out_is_named(kind: str) -> None:
    small = {"metadata": {"a": "b"}, "prompt_cache_options": {"ttl": "30m"}, "prompt_cache_retention": "24h"}
    request = asked(kind, OTHERS[kind], user="u-1", safety_identifier="s-1", **small)
    assert set(request.dropped) >= {"user", *small}
    assert b"u-1" not in request.body
    assert (b"s-1" in request.body) is ("safety_identifier" not in request.dropped)
