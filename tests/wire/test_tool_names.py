"""Names of tools that a target's wire does not take: sent under others, answered under the client's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import Message, Prompt, Text, Tool, ToolCall, ToolResult
from tests.wire.messages import message_call
from tests.wire.own_prompts import call_with
from tests.wire.requests import call_of, target_of

MODELS = {
    "openai": "gpt-6-luna",
    "azure": "gpt-6-luna",
    "responses": "o3-pro",
    "mistral": "any",
    "anthropic": "claude-haiku-5-5",
    "bedrock": "us.anthropic.claude-haiku-5-5-v1:0",
    "gemini": "gemini-3.8-flash",
}
MOST = {"anthropic": 128}
ODD = "ns.tool:a b"
CALLED = Message("assistant", (ToolCall("call_1", ODD, "{}"),))
ASKED = Prompt(
    (Message("user", (Text("Hi"),)), CALLED, Message("user", (ToolResult("call_1", (Text("x"),)),))),
    (Tool(ODD), Tool("fits")),
    tool_choice="tool",
    tool_name=ODD,
)


def request(call: Call, kind: str) -> HttpRequest:
    target = target_of("openai" if kind == "responses" else kind, model=MODELS[kind])
    return target.adapter.request(call, target)


def foreign(asked: Prompt, **about: Any) -> Call:
    return replace(call_with(asked, **about), dialect="any", wire="")


def names_in(found: Any) -> Iterator[str]:
    """Every name in a body, and every name that is allowed to be called."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name == "allowedFunctionNames":
                yield from value
            elif name == "name":
                yield value
            else:
                yield from names_in(value)
    elif isinstance(found, list):
        for each in found:
            yield from names_in(each)


@pytest.mark.parametrize("kind", MODELS)
def test_one_name_is_sent_for_a_tool_its_choice_and_its_calls(kind: str) -> None:
    sent = request(foreign(ASKED), kind)
    ((name, own),) = sent.names
    assert own == ODD
    found = list(names_in(orjson.loads(sent.body)))
    # Of Gemini's a result has its name too.
    assert (found.count("fits"), found.count(name), len(found)) == (1, 3 + (kind == "gemini"), 4 + (kind == "gemini"))
    assert b"ns.tool" not in sent.body


@pytest.mark.parametrize("kind", MODELS)
def test_a_name_as_long_as_it_may_be_is_sent_as_it_is(kind: str) -> None:
    most = MOST.get(kind, 64)
    fits, long = "a" * most, "a" * (most + 1)
    sent = request(foreign(Prompt((Message("user", (Text("Hi"),)),), (Tool(fits), Tool(long)))), kind)
    ((name, own),) = sent.names
    assert (own, list(names_in(orjson.loads(sent.body)))) == (long, [fits, name])


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_is_renamed_where_all_fit(kind: str) -> None:
    assert request(foreign(Prompt(ASKED.messages[:1], (Tool("fits"),))), kind).names == ()


def test_names_on_a_clients_own_wire_pass_as_they_are() -> None:
    body = {"model": "text", "messages": [{"role": "user", "content": "Hi"}]}
    call = call_of({**body, "tools": [{"type": "function", "function": {"name": ODD}}]})
    assert call.wire
    for asked in (call, replace(call, wire="")):
        # Even where the request is written anew: the answer is passed on as it is.
        target = target_of("openai", model="gpt-4.1")
        sent = target.adapter.request(asked, target)
        assert (list(names_in(orjson.loads(sent.body))), sent.names) == ([ODD], ())
    sent = request(message_call(tools=[{"name": ODD, "input_schema": {"type": "object"}}]), "anthropic")
    assert (list(names_in(orjson.loads(sent.body))), sent.names) == ([ODD], ())
