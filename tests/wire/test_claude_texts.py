"""What Claude refuses, here and on Bedrock, is not sent: blank texts, white space at a beginning's end, odd ids."""

from typing import Any

import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Message, Refusal, Text, ToolCall, ToolResult
from tests.wire.own_prompts import USER, body_of, prompt
from tests.wire.requests import target_of

ANTHROPIC = target_of("anthropic", model="claude-haiku-4-5")
BEDROCK = target_of("bedrock", model="us.anthropic.claude-haiku-4-5-20251001-v1:0")
NOVA = target_of("bedrock", model="amazon.nova-lite-v1:0")
BLANK = Text("\n\n")
CALL = ToolCall("call_1", "f", "{}")
BOTH = pytest.mark.parametrize("target", [ANTHROPIC, BEDROCK], ids=["anthropic", "bedrock"])


def texts(blocks: list[dict[str, Any]]) -> list[str]:
    """The texts among some blocks, of either wire."""
    return [block["text"] for block in blocks if "text" in block]


@BOTH
def test_a_blank_text_is_left_out_wherever_it_stands(target: Any) -> None:
    body = body_of(
        prompt(
            Message("system", (Text(" "), Text("Be kind"))),
            Message("user", (Text("\t"), Text("Hello"))),
            Message("assistant", (BLANK, CALL, Refusal(" "))),
            Message("user", (ToolResult("call_1", (BLANK, Text("12"))),)),
        ),
        target,
    )
    assert texts(body["system"]) == ["Be kind"]
    assert [texts(turn["content"]) for turn in body["messages"]] == [["Hello"], [], []]
    assert len(body["messages"][1]["content"]) == 1
    result = body["messages"][2]["content"][0]
    assert texts(result.get("toolResult", result)["content"]) == ["12"]


@BOTH
def test_a_turn_that_says_nothing_is_none(target: Any) -> None:
    said = (USER, Message("assistant", (BLANK,)), Message("user", (Text(" "),)), Message("user", (Text("And?"),)))
    (turn,) = body_of(prompt(*said), target)["messages"]
    assert texts(turn["content"]) == ["Hello", "And?"]


@BOTH
@pytest.mark.parametrize("said", [(), (Message("user", (BLANK,)),), (Message("system", (BLANK,)), Message("user", ()))])
def test_a_conversation_that_says_nothing_is_refused(target: Any, said: tuple[Message, ...]) -> None:
    with pytest.raises(Failure) as caught:
        body_of(prompt(*(said or (Message("user", ()),)), params={"messages": "input"}), target)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "input")


def test_a_later_system_message_after_a_turn_that_says_nothing_follows_the_one_before() -> None:
    said = (USER, Message("assistant", (Text("Hi"),)), Message("user", (BLANK,)), Message("system", (Text("Stop"),)))
    body = body_of(prompt(*said, USER), target_of("anthropic", model="claude-opus-5"))
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert texts(body["system"]) == ["Stop"]


def test_what_a_tool_gave_that_is_blank_is_nothing() -> None:
    said = (USER, Message("assistant", (CALL,)), Message("user", (ToolResult("call_1", (BLANK,)),)))
    assert body_of(prompt(*said), ANTHROPIC)["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1"}
    ]
    result = body_of(prompt(*said), BEDROCK)["messages"][2]["content"][0]["toolResult"]
    assert result["content"] == [{"text": "(empty)"}]


@BOTH
@pytest.mark.parametrize("said", [(Text("The sea "),), (Text("The sea\n"), BLANK), (Text("The sea ", cache="5m"),)])
def test_an_answer_begun_does_not_end_in_white_space(target: Any, said: tuple[Text, ...]) -> None:
    last = body_of(prompt(USER, Message("assistant", said), begun=True), target)["messages"][-1]
    assert texts(last["content"]) == ["The sea"]


def test_a_model_of_another_maker_is_given_the_beginning_as_it_is() -> None:
    body = body_of(prompt(USER, Message("assistant", (Text("The sea "),)), begun=True), NOVA)
    assert body["messages"][-1]["content"] == [{"text": "The sea "}]


@BOTH
def test_no_two_calls_become_one(target: Any) -> None:
    given = ["a.b", "a_b", "a:b", "", "functions.f:0"]
    calls = tuple(ToolCall(each, "f", "{}") for each in given)
    results = tuple(ToolResult(each, (Text("12"),)) for each in given)
    turns = body_of(prompt(USER, Message("assistant", calls), Message("user", results)), target)["messages"]
    called = [block.get("id") or block["toolUse"]["toolUseId"] for block in turns[1]["content"]]
    answered = [block.get("tool_use_id") or block["toolResult"]["toolUseId"] for block in turns[2]["content"]]
    assert called == answered
    assert len({*called}) == len(given)
    assert called[1] == "a_b"
