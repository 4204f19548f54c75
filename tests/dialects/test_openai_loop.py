"""A thinking model of another wire in a loop of tools: OpenAI's client collects its answer and gives all of it back."""

from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from oneflow_ai.core.events import Delta, End, Usage
from oneflow_ai.core.prompt import Message, Reasoning, Text, ToolCall, ToolResult
from oneflow_ai.dialects.openai import encoder
from tests.wire.requests import call_of, target_of

ASKED = {"model": "text", "messages": [{"role": "user", "content": "The weather?"}]}
DELTAS = (
    Delta("reasoning", "Two "),
    Delta("reasoning", "cities."),
    Delta("signature", "EqQB==", wire="anthropic"),
    Delta("sealed", "dark", wire="anthropic"),
    Delta("text", "Let me "),
    Delta("text", "see."),
    Delta("citation", '{"url":"https://a","title":"A"}'),
    Delta("citation", '{"url":"https://b","title":"B"}'),
    Delta("tool_call", "weather", tool_index=0, tool_id="toolu_1"),
    Delta("tool_arguments", '{"city":', tool_index=0),
    Delta("tool_arguments", '"Rome"}', tool_index=0),
    Delta("tool_call", "weather", tool_index=1, tool_id="toolu_2"),
    Delta("tool_signature", "sg", tool_index=1, wire="gemini"),
)


def streamed() -> ChatCompletion:
    """The answer as OpenAI's client puts it together of the stream."""
    writer = encoder(call_of({**ASKED, "stream": True, "stream_options": {"include_usage": True}}), target_of("openai"))
    content = b"".join(map(writer.feed, DELTAS)) + writer.end(End("tool_calls"), Usage(5, 7), 9)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for block in content.split(b"\n\n")[:-2]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(block.removeprefix(b"data: ")))
    return ChatCompletion.model_validate(state.get_final_completion().model_dump())


def whole() -> ChatCompletion:
    """The answer as OpenAI's client reads it whole."""
    writer = encoder(call_of(ASKED), target_of("openai"))
    assert b"".join(map(writer.feed, DELTAS)) == b""
    return ChatCompletion.model_validate_json(writer.end(End("tool_calls"), Usage(5, 7), 9))


@pytest.mark.parametrize("answer", [streamed, whole], ids=["streamed", "whole"])
def test_what_the_client_collected_comes_back_complete(answer: Any) -> None:
    found = answer()
    choice = found.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Let me see.")
    assert found.usage is not None and found.usage.total_tokens == 12
    # As agents do: the message is sent again with all that it has, and the results after it.
    messages = [*ASKED["messages"], choice.message.model_dump()]
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "12"} for call in choice.message.tool_calls]
    call = call_of({**ASKED, "messages": messages})
    assert call.wire == ""
    prompt = call.prompt()
    assert prompt.further == ()
    assert prompt.messages[1:] == (
        Message(
            "assistant",
            (
                Reasoning("Two cities.", "EqQB==", wire="anthropic"),
                Reasoning(sealed="dark", wire="anthropic"),
                Text("Let me see."),
                ToolCall("toolu_1", "weather", '{"city":"Rome"}'),
                ToolCall("toolu_2", "weather", "{}", "sg", wire="gemini"),
            ),
        ),
        Message("user", (ToolResult("toolu_1", (Text("12"),)), ToolResult("toolu_2", (Text("12"),)))),
    )
