"""Thoughts and calls that one wire sealed, told to a client of another and given back, arrive as they were sealed."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Usage
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import anthropic, openai, responses
from oneflow_ai.providers.openai_responses_stream import decoder_of
from tests.wire.golden import body_of, golden
from tests.wire.messages import message_call
from tests.wire.replies import USER, response_call
from tests.wire.requests import call_of, target_of

ONLY = target_of("openai", model="gpt-5.5-pro")
CLAUDE = target_of("anthropic", model="claude-sonnet-5-5")
GEMINI = target_of("gemini", model="gemini-3.8-flash")
CALLED = (Delta("tool_call", "f", 0, 0, "call_1"), Delta("tool_arguments", '{"a":1}'))
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "12"}


def told(call: Call, dialect: Any, target: Target, *events: Event) -> Any:
    """The whole answer that a client is told."""
    writer = dialect.encoder(call, target)
    body = b"".join(map(writer.feed, events)) + writer.end(End("tool_calls"), Usage(1, 1), 0)
    return orjson.loads(body)


def sent(call: Call, target: Target) -> Any:
    return orjson.loads(target.adapter.request(call, target).body)


def given_back(*events: Event, target: Target) -> Call:
    """The call of a client of Responses that goes on with what it was told of these."""
    output = told(response_call(), responses, target, *events)["output"]
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    return response_call(input=[USER, *output, OUTPUT], tools=tools, reasoning={"effort": "low"})


def test_anthropics_thoughts_come_back_to_it() -> None:
    thoughts = (
        Delta("reasoning", "Let me see."), Delta("signature", "EqQB", wire="anthropic"),
        Delta("sealed", "dark", wire="anthropic"),
    )  # fmt: skip
    call = given_back(*thoughts, *CALLED, target=CLAUDE)
    assert sent(call, CLAUDE)["messages"][1] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "dark"},
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
        ],
    }
    assert "EqQB" not in str(sent(call, GEMINI))


def test_geminis_seals_of_calls_come_back_to_it() -> None:
    more = (Delta("tool_call", "g", 0, 1, "call_2"), Delta("tool_signature", "c2ln", 0, 0, "", "gemini"))
    output = told(response_call(), responses, GEMINI, *CALLED, *more)["output"]
    call = response_call(input=[USER, *output, OUTPUT, {**OUTPUT, "call_id": "call_2"}])
    parts = sent(call, GEMINI)["contents"][1]["parts"]
    assert parts[0]["thoughtSignature"] == "c2ln"
    assert [part["functionCall"]["name"] for part in parts] == ["f", "g"]


THOUGHT = {"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": "gAAA"}
SUMMED = {**THOUGHT, "summary": [{"type": "summary_text", "text": "Let me\n\nsee"}]}


@pytest.mark.parametrize(("name", "thought"), [("stream-reasoning", THOUGHT), ("stream-reasoning-summary", SUMMED)])
def test_its_own_thoughts_come_back_from_clients_of_other_wires(name: str, thought: dict[str, Any]) -> None:
    (file,) = (param.values[0] for param in golden("responses", "stream") if param.id == name)
    decoder = decoder_of(response_call().operation, stream=True, raw=False)
    deltas = [event for event in decoder.feed(body_of(file)) if isinstance(event, Delta)]
    message = told(call_of({"model": "text", "messages": [USER]}), openai, ONLY, *deltas)["choices"][0]["message"]
    chat = call_of({"model": "text", "messages": [USER, message, USER]})
    content = told(message_call(thinking={"type": "adaptive"}), anthropic, ONLY, *deltas)["content"]
    again = message_call(messages=[USER, {"role": "assistant", "content": content}, USER])
    for call, wire in ((chat, ""), (again, "anthropic")):
        assert call.wire == wire
        assert sent(call, ONLY)["input"] == [USER, thought, {"role": "assistant", "content": "Hi"}, USER]
        assert "gAAA" not in str(sent(call, CLAUDE))
