"""The older form of tools in a chat: who asks with `functions` is told of a `function_call`, and gives it back."""

import json
from typing import Any

import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.core.prompt import Message, Part, Text, ToolCall, ToolResult
from oneflow_ai.dialects.openai import encoder
from tests.wire.chats import USER, prompt_of
from tests.wire.requests import call_of, sent, target_of

FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}
ASKED: dict[str, Any] = {"model": "text", "messages": [USER], "functions": [FUNCTION]}
# What a provider tells that makes two calls at once, mixed as some streams are.
CALLS = (
    Delta("tool_call", "f", tool_index=3, tool_id="toolu_1"),
    Delta("tool_arguments", '{"a"', tool_index=3),
    Delta("tool_call", "g", tool_index=5),
    Delta("tool_signature", "other", tool_index=5, wire="gemini"),
    Delta("tool_arguments", ":1}", tool_index=3),
    Delta("tool_arguments", "{}", tool_index=5),
    Delta("tool_signature", "s", tool_index=3, wire="gemini"),
)
BARE = (Delta("text", "Let me see"), Delta("tool_call", "f", tool_index=0, tool_id="toolu_1"))
SEAL = {"extra_content": {"google": {"thought_signature": "of:gemini:s"}}}
ENDED = End("tool_calls")


def whole(*deltas: Delta, **fields: Any) -> Any:
    """The choice of the whole answer that these deltas make, as OpenAI's client reads it."""
    writer = encoder(call_of({**ASKED, **fields}), target_of("openai"))
    assert b"".join(map(writer.feed, deltas)) == b""
    return ChatCompletion.model_validate_json(writer.end(ENDED, Usage(5, 7), 0)).choices[0]


def chunks(*deltas: Delta, **fields: Any) -> list[dict[str, Any]]:
    """The chunks that these deltas make."""
    writer = encoder(call_of({**ASKED, "stream": True, **fields}), target_of("openai"))
    content = b"".join(map(writer.feed, deltas)) + writer.end(ENDED, Usage(5, 7), 0)
    return [json.loads(block.removeprefix(b"data: ")) for block in content.split(b"\n\n")[:-2]]


def streamed(*deltas: Delta, **fields: Any) -> Any:
    """The choice that OpenAI's client puts together of the stream."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks(*deltas, **fields):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return state.get_final_completion().choices[0]


@pytest.mark.parametrize("answer", [whole, streamed])
def test_a_call_is_told_in_the_form_that_was_asked_in(answer: Any) -> None:
    choice = answer(*BARE)
    assert choice.finish_reason == "function_call"
    assert (choice.message.content, choice.message.tool_calls) == ("Let me see", None)
    assert choice.message.function_call.model_dump() == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize("answer", [whole, streamed])
def test_of_several_calls_the_first_is_told(answer: Any) -> None:
    choice = answer(*CALLS)
    assert choice.message.function_call.model_dump() == {"name": "f", "arguments": '{"a":1}', **SEAL}
    assert (choice.finish_reason, choice.message.tool_calls) == ("function_call", None)


def test_a_stream_tells_it_piece_by_piece() -> None:
    said = [(chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]) for chunk in chunks(*CALLS)]
    assert said == [
        ({"role": "assistant", "content": ""}, None),
        ({"function_call": {"name": "f", "arguments": ""}}, None),
        ({"function_call": {"arguments": '{"a"'}}, None),
        ({"function_call": {"arguments": ":1}"}}, None),
        ({"function_call": {"arguments": "", **SEAL}}, None),
        ({}, "function_call"),
    ]


@pytest.mark.parametrize("answer", [whole, streamed])
def test_who_offers_tools_is_told_of_tool_calls(answer: Any) -> None:
    choice = answer(*BARE, tools=[{"type": "function", "function": FUNCTION}])
    assert (choice.finish_reason, choice.message.function_call) == ("tool_calls", None)
    assert [call.id for call in choice.message.tool_calls] == ["toolu_1"]


@pytest.mark.parametrize("answer", [whole, streamed])
def test_a_call_that_is_given_back_keeps_its_seal(answer: Any) -> None:
    message = answer(*CALLS).message.model_dump()
    result = {"role": "function", "name": "f", "content": "12"}
    call = call_of({**ASKED, "messages": [USER, message, result]})
    assert call.wire == ""
    made, answered = call.prompt().messages[1:]
    assert made.parts == (ToolCall("call_1", "f", '{"a":1}', "s", wire="gemini"),)
    assert answered.parts == (ToolResult("call_1", (Text("12"),)),)


def sealed() -> Call:
    """A chat in the older form whose history another wire sealed, so that it is written anew for OpenAI too."""
    made = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}", **SEAL}}
    return call_of({**ASKED, "messages": [USER, made, {"role": "function", "name": "f", "content": "12"}]})


def test_the_answer_to_what_was_written_anew_is_told_in_that_form_too() -> None:
    call, target = sealed(), target_of("openai", model="gpt-4.1")
    body = orjson.loads(target.adapter.request(call, target).body)
    assert (body["tools"][0]["function"]["name"], body["parallel_tool_calls"]) == ("f", False)
    told = {"id": "call_x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [told]}, "finish_reason": "tool_calls"}
    decoder, writer = target.adapter.decoder(call, target), encoder(call, target)
    events = [*decoder.feed(orjson.dumps({"choices": [choice]})), *decoder.close()]
    for event in events:
        assert writer.feed(event) == b""
    (end,) = [event for event in events if isinstance(event, End)]
    found = orjson.loads(writer.end(end, Usage(5, 7), 0))["choices"][0]
    assert found["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert found["finish_reason"] == "function_call"


def test_one_call_is_asked_for_where_that_can_be_said() -> None:
    assert sent(ASKED, "anthropic")["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    for kind in ("gemini", "bedrock"):
        target = target_of(kind)
        request = target.adapter.request(call_of(ASKED), target)
        assert (b"arallel" in request.body, request.dropped) == (False, ())
    target = target_of("openai", model="gpt-5.5-pro")
    assert orjson.loads(target.adapter.request(call_of(ASKED), target).body)["parallel_tool_calls"] is False


@pytest.mark.parametrize("model", ["o3", "o4-mini-2025-04-16"])
def test_models_that_make_one_call_at_a_time_anyway_are_not_told(model: str) -> None:
    target = target_of("openai", model=model)
    request = target.adapter.request(sealed(), target)
    assert ("parallel_tool_calls" in orjson.loads(request.body), request.dropped) == (False, ())


def made(arguments: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": arguments}}


def result(content: str) -> dict[str, Any]:
    return {"role": "function", "name": "f", "content": content}


def results_of(*messages: dict[str, Any]) -> list[tuple[str, str]]:
    """The arguments of each call that was answered, with its result."""
    parts: list[Part] = [part for message in prompt_of(messages=[*messages]).messages for part in message.parts]
    calls = {part.id: part.arguments for part in parts if isinstance(part, ToolCall)}
    answered = [part for part in parts if isinstance(part, ToolResult)]
    return [(calls[part.id], text.text) for part in answered for text in part.parts if isinstance(text, Text)]


def test_each_call_of_one_function_keeps_its_own_result() -> None:
    in_turn = results_of(USER, made("1"), result("a"), made("2"), result("b"))
    together = results_of(USER, made("1"), made("2"), result("a"), result("b"))
    assert in_turn == together == [("1", "a"), ("2", "b")]
    # A call that the user broke off has none.
    assert results_of(USER, made("1"), USER, made("2"), result("b")) == [("2", "b")]


def test_a_second_result_of_one_call_is_that_calls_too() -> None:
    assert results_of(USER, made("1"), result("a"), result("b")) == [("1", "a"), ("1", "b")]


def test_the_middle_form_says_that_one_call_has_a_place() -> None:
    assert prompt_of(functions=[FUNCTION]).one_call
    assert not prompt_of(functions=[]).one_call
    assert not prompt_of(functions=[FUNCTION], tools=[{"type": "function", "function": FUNCTION}]).one_call
    assert prompt_of(functions=[FUNCTION]).messages == (Message("user", (Text("Hi"),)),)
