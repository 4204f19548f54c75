"""Prompts of other wires as each server of OpenAI's wire wants them written."""

import json

import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Effort,
    Format,
    Image,
    Message,
    Prompt,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.providers.openai import OpenAIAdapter
from oneflow_ai.providers.openai_idiom import Idiom
from oneflow_ai.providers.openai_reasoners import Asked, asked_of
from oneflow_ai.providers.table import TABLE
from tests.wire.chats import content_of, messages_of, refused, request_for, written
from tests.wire.requests import request_of

HI = Message("user", (Text("Hi"),))
KINDS = [kind for kind, row in TABLE.items() if isinstance(row.adapter, OpenAIAdapter)]
SEAL = json.dumps({"type": "reasoning.text", "signature": "s", "format": "x-v1", "index": 0}, separators=(",", ":"))
DARK = json.dumps({"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1}, separators=(",", ":"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_server_is_sent_a_conversation_with_tools(kind: str) -> None:
    prompt = Prompt(
        (
            Message("system", (Text("Be kind"),)),
            HI,
            Message("assistant", (ToolCall("toolu_0123456789", "f", "{}"),)),
            Message("user", (ToolResult("toolu_0123456789", (Text("12"),)),)),
        ),
        tools=(Tool("f", schema={"type": "object"}),),
        max_tokens=50,
        temperature=0.5,
        effort="none",
    )
    found = written(prompt, kind)
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "tool"]
    call, result = found["messages"][2:]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert (found["temperature"], found.get("max_tokens", found.get("max_completion_tokens"))) == (0.5, 50)
    assert request_for(prompt, kind).dropped == ()


def test_mistral_has_its_own_names() -> None:
    prompt = Prompt(
        (Message("assistant", (ToolCall("toolu_01", "f", "{}"),)), Message("user", (ToolResult("toolu_01", ()),))),
        max_tokens=5,
        seed=7,
        effort="medium",
    )
    found = written(prompt, "mistral")
    assert (found["max_tokens"], found["random_seed"], found["reasoning_effort"]) == (5, 7, "high")
    call_id = found["messages"][1]["tool_call_id"]
    assert len(call_id) == 9 and call_id.isalnum() and call_id == found["messages"][0]["tool_calls"][0]["id"]
    kept = Message("assistant", (ToolCall("aB3dE5fG7", "f", "{}"),))
    assert messages_of(kept, kind="mistral")[0]["tool_calls"][0]["id"] == "aB3dE5fG7"
    assert written(Prompt((HI,), effort="minimal"), "mistral")["reasoning_effort"] == "none"
    assert refused(Prompt((HI,), logprobs=True), "mistral") == "logprobs"


def test_deepseek_gets_texts_and_its_thoughts_back() -> None:
    call = ToolCall("c1", "f", "{}")
    found = messages_of(
        Message("user", (Text("a"), Text("b"))),
        Message("assistant", (Reasoning("hm", "s", wire="anthropic"), call)),
        Message("user", (ToolResult("c1", (Text("1"), Text("2"))),)),
        Message("assistant", (call,)),
        Message("user", (ToolResult("c1", ()),)),
        Message("assistant", (Text("done"),)),
        kind="deepseek",
    )
    assert [message["content"] for message in found] == ["a\n\nb", None, "1\n\n2", None, "", "done"]
    assert [message.get("reasoning_content") for message in found] == [None, "hm", None, "", None, None]
    assert written(Prompt((HI,), effort="none"), "deepseek")["thinking"] == {"type": "disabled"}
    thinking = written(Prompt((HI,), effort="max"), "deepseek")
    assert (thinking["thinking"], thinking["reasoning_effort"]) == ({"type": "enabled"}, "max")
    assert refused(Prompt((Message("user", (Image(url="https://a/b.png"),)),)), "deepseek") == "messages"
    assert refused(Prompt((HI,), format=Format({})), "deepseek") == "format"
    assert written(Prompt((HI,), format=Format()), "deepseek")["response_format"] == {"type": "json_object"}


def test_openrouter_gets_effort_budget_marks_and_sealed_thoughts() -> None:
    assert written(Prompt((HI,), effort="max"), "openrouter")["reasoning"] == {"effort": "xhigh"}
    assert written(Prompt((HI,), thinking_tokens=2000), "openrouter")["reasoning"] == {"max_tokens": 2000}
    assert written(Prompt((HI,), thinking_tokens=0), "openrouter")["reasoning"] == {"effort": "none"}
    marked = content_of(Text("a", "1h"), kind="openrouter")
    assert marked == [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    tool = written(Prompt((HI,), tools=(Tool("f", cache="5m"),)), "openrouter")["tools"][0]
    assert tool["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    thoughts = (
        Reasoning("Hm", SEAL, wire="openai"),
        Reasoning(sealed=DARK, wire="openai"),
        Reasoning("elsewhere", "s", wire="anthropic"),
        Text("a"),
    )
    (message,) = messages_of(Message("assistant", thoughts), kind="openrouter")
    assert message["reasoning_details"] == [{**json.loads(SEAL), "text": "Hm"}, json.loads(DARK)]
    (message,) = messages_of(Message("assistant", thoughts[2:]), kind="openrouter")
    assert (message["reasoning"], message.get("reasoning_details")) == ("elsewhere", None)
    document = content_of(Document(url="https://a/b.pdf"), kind="openrouter")
    assert document == [{"type": "file", "file": {"filename": "document", "file_data": "https://a/b.pdf"}}]


def test_a_summary_that_was_sealed_comes_back_as_one() -> None:
    seal = json.dumps({"type": "reasoning.summary", "signature": "s"})
    (message,) = messages_of(Message("assistant", (Reasoning("In short", seal, wire="openai"),)), kind="openrouter")
    assert message["reasoning_details"] == [{"type": "reasoning.summary", "signature": "s", "summary": "In short"}]
    (message,) = messages_of(Message("assistant", (Reasoning("x", "no JSON", wire="openai"),)), kind="openrouter")
    assert message["reasoning_details"] == [{"text": "x"}]


def test_vllm_gets_thoughts_back_in_their_field() -> None:
    (message,) = messages_of(Message("assistant", (Reasoning("Hm"), Text("a"))), kind="vllm")
    assert message == {"role": "assistant", "content": "a", "reasoning": "Hm"}
    assert written(Prompt((HI,), top_k=5), "vllm")["top_k"] == 5


@pytest.mark.parametrize(
    ("kind", "prompt", "param"),
    [
        ("groq", Prompt((HI,), logprobs=True), "logprobs"),
        ("groq", Prompt((HI,), n=2), "n"),
        ("ollama", Prompt((HI,), tool_choice="required", tools=(Tool("f"),)), "tool_choice"),
        ("together", Prompt((HI,), logprobs=True), "logprobs"),
        ("xai", Prompt((Message("user", (Audio("", "wav"),)),)), "messages"),
    ],
)
def test_what_a_server_is_known_not_to_do_is_refused(kind: str, prompt: Prompt, param: str) -> None:
    assert refused(prompt, kind) == param


def test_a_tier_that_a_server_does_not_have_is_left_out() -> None:
    assert written(Prompt((HI,), service_tier="flex"), "groq")["service_tier"] == "flex"
    for kind, tier in (("groq", "priority"), ("ollama", "flex")):
        request = request_for(Prompt((HI,), service_tier=tier), kind)
        assert request.dropped == ("service_tier",)
        assert b"service_tier" not in request.body


def test_an_idiom_without_more_is_openais() -> None:
    assert Idiom().at("any", {}) == Idiom()
    assert asked_of(Idiom().reasoner("any"), Prompt((HI,), effort="max")) == Asked("max")


@pytest.mark.parametrize(
    ("kind", "effort", "sent", "dropped"),
    [
        ("openai", "max", "max", ()),
        ("mistral", "high", "high", ()),
        ("mistral", "low", "high", ()),
        ("mistral", "xhigh", "high", ("effort",)),
        ("mistral", "minimal", "none", ("effort",)),
    ],
)
def test_less_effort_than_was_asked_for_is_told(kind: str, effort: Effort, sent: str, dropped: tuple[str, ...]) -> None:
    request = request_for(Prompt((HI,), effort=effort), kind)
    assert (json.loads(request.body)["reasoning_effort"], request.dropped) == (sent, dropped)


@pytest.mark.parametrize("model", ["grok-4.5", "grok-4.20-0309-reasoning", "grok-code-fast-1", "grok-3-mini"])
def test_models_of_xai_that_reason_are_not_stopped_nor_penalised(model: str) -> None:
    prompt = Prompt((HI,), presence_penalty=0.5, frequency_penalty=0.5, effort="max")
    request = request_for(prompt, "xai", model)
    body = json.loads(request.body)
    assert not body.keys() & {"presence_penalty", "frequency_penalty"}
    takes = model in ("grok-4.5", "grok-3-mini")
    assert (body.get("reasoning_effort"), set(request.dropped)) == (
        "high" if takes else None,
        {"presence_penalty", "frequency_penalty", "effort"},
    )
    with pytest.raises(Failure) as told:
        request_for(Prompt((HI,), stop=("x",)), "xai", model)
    assert told.value.param == "stop"


def test_models_of_xai_that_do_not_reason_are() -> None:
    request = request_for(Prompt((HI,), presence_penalty=0.5, stop=("x",)), "xai", "grok-4.20-0309-non-reasoning")
    assert (json.loads(request.body)["stop"], request.dropped) == (["x"], ())


BEGUN = Prompt((HI, Message("assistant", (Text("The sea"),))), begun=True)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_begun_is_told_where_a_new_one_follows_it(kind: str) -> None:
    goes_on = kind in ("groq", "openrouter")
    assert request_for(BEGUN, kind).dropped == (() if goes_on else ("messages",))
    assert written(BEGUN, kind)["messages"][-1]["content"] == "The sea"


def test_mistral_is_told_that_an_answer_is_begun_whoever_begins_it() -> None:
    last = {"role": "assistant", "content": "The sea"}
    assert written(BEGUN, "mistral")["messages"][-1] == {**last, "prefix": True}
    assert written(Prompt(BEGUN.messages), "mistral")["messages"][-1] == {**last, "prefix": True}
    assert written(Prompt((*BEGUN.messages, HI)), "mistral")["messages"][1] == last
    assert written(BEGUN, "openai")["messages"][-1] == last


THOUGHTS = {"reasoning": "Hm", "reasoning_content": "Hm", "reasoning_details": [{"type": "reasoning.text"}]}
SAID = {"role": "assistant", "content": "Hi"}


@pytest.mark.parametrize(("kind", "kept"), [("mistral", ()), ("groq", ("reasoning",)), ("deepseek", (*THOUGHTS,))])
def test_fields_of_thoughts_that_a_server_refuses_are_left_out_on_its_own_wire(kind: str, kept: tuple[str]) -> None:
    talk = [{"role": "user", "content": "Hi"}, {**SAID, **THOUGHTS}, {"role": "user", "content": "And?"}]
    made = request_of({"model": "text", "messages": talk}, kind)
    assert json.loads(made.body)["messages"] == [talk[0], SAID | {name: THOUGHTS[name] for name in kept}, talk[2]]
    assert made.dropped == (() if kind == "deepseek" else ("messages",))


def test_fields_without_a_thought_are_left_out_without_a_word() -> None:
    made = request_of({"model": "text", "messages": [{**SAID, "reasoning_content": None}]}, "mistral")
    assert (json.loads(made.body)["messages"], made.dropped) == ([SAID], ())
