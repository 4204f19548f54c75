"""What a client of Anthropic's dialect gives back of an answer: thoughts, whoever sealed them, and answers begun."""

from typing import Any

import pytest

from oneflow_ai.core.prompt import Reasoning, Text
from tests.wire.messages import message_call

USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "12"}]}
ASKED = {"role": "user", "content": "Go"}
TEXT = {"type": "text", "text": "Hello"}


def _sealed(seal: str) -> list[dict[str, Any]]:
    return [
        {"type": "thinking", "thinking": "t", "signature": seal},
        {"type": "redacted_thinking", "data": seal},
    ]


@pytest.mark.parametrize("seal", ["of:gemini:x", "tool-of:gemini:x"])
def test_what_another_wire_sealed_is_not_sent_on_and_all_else_is(seal: str) -> None:
    for block in _sealed(seal):
        turns = [ASKED, {"role": "assistant", "content": [block, TEXT]}, ASKED]
        call = message_call(messages=turns, inference_geo="eu", tools=[{"type": "web_search_20250305", "name": "w"}])
        assert call.wire == "anthropic"
        assert call.body["messages"] == [ASKED, {"role": "assistant", "content": [TEXT]}, ASKED]
        assert call.body["inference_geo"] == "eu"
        kept = len(call.prompt().messages[1].parts)
        assert kept == 2 or block["data"].startswith("tool-"), "another wire is given it; a call's goes with its call"
        assert message_call(messages=[ASKED, {"role": "assistant", "content": [block]}, ASKED]).body["messages"] == [
            ASKED,
            ASKED,
        ]


@pytest.mark.parametrize("seal", ["EqQB", "of:", "tool-box"])
def test_what_this_wire_sealed_goes_as_it_is(seal: str) -> None:
    for block in _sealed(seal):
        turns = [ASKED, {"role": "assistant", "content": [block, TEXT]}, ASKED]
        assert message_call(messages=turns).body["messages"] == turns
    assert message_call(messages=[{"role": "user", "content": seal}]).wire == "anthropic"


UNSEALED: tuple[dict[str, Any], ...] = (
    {"type": "thinking", "thinking": "t", "signature": ""},
    {"type": "thinking", "thinking": "t", "signature": None},
    {"type": "thinking", "thinking": "t"},
)


@pytest.mark.parametrize("block", UNSEALED)
def test_a_thought_without_a_seal_is_not_sent_on_but_another_wire_is_told_it(block: dict[str, Any]) -> None:
    turns = [ASKED, {"role": "assistant", "content": [block, TEXT]}, ASKED]
    call = message_call(messages=turns)
    assert call.wire == "anthropic"
    assert call.body["messages"] == [ASKED, {"role": "assistant", "content": [TEXT]}, ASKED]
    assert call.prompt().messages[1].parts == (Reasoning("t"), Text("Hello"))


def test_a_blank_text_that_a_model_said_is_not_sent_on() -> None:
    blank = {"type": "text", "text": "\n\n"}
    turns = [ASKED, {"role": "assistant", "content": [blank, USE]}, RESULT]
    call = message_call(messages=turns)
    assert call.wire == "anthropic"
    assert call.body["messages"] == [ASKED, {"role": "assistant", "content": [USE]}, RESULT]
    own = [{"role": "user", "content": [blank, TEXT]}, {"role": "assistant", "content": [TEXT]}]
    assert message_call(messages=own).body["messages"] == own


def test_a_thought_that_is_not_shown_has_its_seal_and_stays() -> None:
    block = {"type": "thinking", "thinking": "", "signature": "EqQB"}
    turns = [ASKED, {"role": "assistant", "content": [block, TEXT]}, ASKED]
    assert message_call(messages=turns).body["messages"] == turns


@pytest.mark.parametrize("lost", [_sealed("of:gemini:x"), *([block] for block in UNSEALED)])
def test_a_turn_of_tools_that_lost_its_thought_to_a_budget_is_written_anew(lost: list[dict[str, Any]]) -> None:
    turns = [ASKED, {"role": "assistant", "content": [*lost, USE]}, RESULT]
    budget = {"type": "enabled", "budget_tokens": 1024}
    assert message_call(messages=turns, thinking=budget, max_tokens=2000).wire == ""
    assert message_call(messages=turns, thinking={"type": "adaptive"}).wire == "anthropic"
    assert message_call(messages=[*turns, ASKED], thinking=budget, max_tokens=2000).wire == "anthropic"
    own = [ASKED, {"role": "assistant", "content": [*_sealed("x"), USE]}, RESULT]
    assert message_call(messages=own, thinking=budget, max_tokens=2000).wire == "anthropic"


@pytest.mark.parametrize(
    ("last", "begun"),
    [
        ({"role": "assistant", "content": "{"}, True),
        ({"role": "assistant", "content": [TEXT]}, True),
        ({"role": "assistant", "content": ""}, False),
        ({"role": "assistant", "content": _sealed("EqQB")}, False),
        (ASKED, False),
    ],
)
def test_an_answer_is_begun_by_an_assistants_last_words(last: dict[str, Any], begun: bool) -> None:
    assert message_call(messages=[ASKED, last]).prompt().begun is begun
