"""Prompts of other wires as chats of OpenAI's: what is sent, left out and refused, and how each server wants it."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.abilities import FEATURES
from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.providers.openai import OpenAIAdapter
from oneflow_ai.providers.openai_idiom import ABILITIES, PLAIN, Idiom
from oneflow_ai.providers.table import TABLE
from tests.wire.requests import MODEL, call_of, target_of

HI = Message("user", (Text("Hi"),))
KINDS = [kind for kind, row in TABLE.items() if isinstance(row.adapter, OpenAIAdapter)]
SEAL = json.dumps({"type": "reasoning.text", "signature": "s", "format": "x-v1", "index": 0}, separators=(",", ":"))
DARK = json.dumps({"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1}, separators=(",", ":"))


def request_of(prompt: Prompt, kind: str = "openai", model: str = MODEL, **fields: Any) -> HttpRequest:
    """The request for a call of another dialect whose prompt this is."""
    call: Call = call_of({"model": "text", "messages": [{"role": "user", "content": "Hi"}], **fields})
    call = replace(call, dialect="anthropic", wire="anthropic", read=lambda body: prompt)
    target = target_of(kind, model=model)
    return target.adapter.request(call, target)


def sent(prompt: Prompt, kind: str = "openai", model: str = MODEL) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(request_of(prompt, kind, model).body)
    assert found.pop("model") == model
    return found


def messages_of(*messages: Message, kind: str = "openai", model: str = MODEL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(Prompt(messages), kind, model)["messages"]
    return found


def content_of(*parts: Part, kind: str = "openai") -> Any:
    (message,) = messages_of(Message("user", parts), kind=kind)
    return message["content"]


def refused(prompt: Prompt, kind: str = "openai") -> str | None:
    with pytest.raises(Failure) as caught:
        request_of(prompt, kind)
    assert caught.value.kind is UNSUPPORTED_PARAMETER
    return caught.value.param


def test_a_plain_prompt() -> None:
    assert sent(Prompt((HI,))) == {"messages": [{"role": "user", "content": "Hi"}]}


def test_a_stream_is_asked_for_with_its_usage() -> None:
    assert orjson.loads(request_of(Prompt((HI,)), stream=True).body) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in orjson.loads(request_of(Prompt((HI,)), "mistral", stream=True).body)


def test_every_feature_has_an_ability() -> None:
    assert ABILITIES.keys() == PLAIN.keys() == FEATURES.keys()
    for row in TABLE.values():
        if isinstance(row.adapter, OpenAIAdapter):
            assert row.adapter.idiom.abilities.keys() == FEATURES.keys()


def test_turns() -> None:
    assert messages_of(
        Message("system", (Text("a"), Text("b"))),
        Message("user", (Text("c"),), "ann"),
        Message("assistant", (Text("d"),)),
        Message("assistant", (Refusal("No."),)),
        Message("assistant", (Reasoning("hm", "s", wire="anthropic"),)),
    ) == [
        {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c", "name": "ann"},
        {"role": "assistant", "content": "d"},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": ""},
    ]


def test_a_round_of_tools() -> None:
    call = ToolCall("toolu_1", "f", '{"a":1}', signature="sealed elsewhere")
    results = (
        Text("And?"),
        ToolResult("toolu_1", (Text("12"),), failed=True),
        ToolResult("toolu_2", (Image(url="https://a/b.png"),)),
        ToolResult("toolu_3", (Text("see"), Document(data="AAAA", media_type="application/pdf"))),
        ToolResult("toolu_4", ()),
    )
    assert messages_of(
        Message("assistant", (Text("Hm"), call, ToolCall("toolu_2", "g", ""))), Message("user", results)
    ) == [
        {
            "role": "assistant",
            "content": "Hm",
            "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "toolu_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "12"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "The result is in the next message."},
        {"role": "tool", "tool_call_id": "toolu_3", "content": "see"},
        {"role": "tool", "tool_call_id": "toolu_4", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Result of the tool call toolu_2:"},
                {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
                {"type": "text", "text": "Result of the tool call toolu_3:"},
                {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (
            Image(url="https://a/b.png", detail="low"),
            {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
        ),
        (
            Image(data="AAAA", media_type="image/png"),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ),
        (Audio("AAAA", "wav"), {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        (
            Document(data="AAAA", media_type="application/pdf", name="a.pdf"),
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        ),
        (Document(text="words", name="a.txt"), {"type": "text", "text": "a.txt\n\nwords"}),
        (Text("a", "1h"), {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}),
    ],
)
def test_parts(part: Part, written: dict[str, Any]) -> None:
    assert content_of(Text("see"), part) == [{"type": "text", "text": "see"}, written]


def test_long_ids_of_tool_calls_are_shortened_alike() -> None:
    long = "toolu_" + "x" * 60
    call, result = messages_of(
        Message("assistant", (ToolCall(long, "f", "{}"),)), Message("user", (ToolResult(long, (Text("1"),)),))
    )
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) <= 40


def test_fields() -> None:
    prompt = Prompt(
        (HI,),
        tools=(Tool("f", "Does f", {"type": "object"}, True), Tool("g")),
        tool_choice="tool",
        tool_name="f",
        parallel_tool_calls=False,
        max_tokens=64,
        temperature=0.0,
        top_p=0.5,
        stop=("a", "b"),
        seed=0,
        n=2,
        presence_penalty=0.0,
        frequency_penalty=0.5,
        logit_bias={"5": 1},
        logprobs=True,
        top_logprobs=0,
        format=Format({"type": "object"}, "x", "An x", True),
        effort="low",
        verbosity="low",
        service_tier="flex",
        user="u",
        cache_key="k",
    )
    assert sent(prompt) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "Does f", "parameters": {"type": "object"}, "strict": True},
            },
            {"type": "function", "function": {"name": "g"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": {"type": "object"}, "description": "An x", "strict": True},
        },
        "max_completion_tokens": 64,
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.5,
        "logit_bias": {"5": 1},
        "verbosity": "low",
        "user": "u",
        "prompt_cache_key": "k",
        "stop": ["a", "b"],
        "n": 2,
        "logprobs": True,
        "top_logprobs": 0,
        "reasoning_effort": "low",
        "service_tier": "flex",
    }
    assert request_of(prompt).dropped == ()


def test_a_choice_of_tools_without_any_is_not_told() -> None:
    assert sent(Prompt((HI,), tool_choice="auto", parallel_tool_calls=False)) == sent(Prompt((HI,)))


def test_formats() -> None:
    assert sent(Prompt((HI,), format=Format()))["response_format"] == {"type": "json_object"}
    schema = sent(Prompt((HI,), format=Format({})))["response_format"]["json_schema"]
    assert schema == {"name": "answer", "schema": {}}


@pytest.mark.parametrize(
    ("tokens", "effort"), [(0, "none"), (1, "low"), (2048, "low"), (2049, "medium"), (8192, "medium"), (30_000, "high")]
)
def test_a_budget_is_the_effort_that_comes_nearest(tokens: int, effort: str) -> None:
    assert sent(Prompt((HI,), thinking_tokens=tokens))["reasoning_effort"] == effort
    assert sent(Prompt((HI,), thinking_tokens=tokens, effort="max"))["reasoning_effort"] == "max"


@pytest.mark.parametrize(
    ("prompt", "dropped"),
    [
        (Prompt((HI,), thinking_tokens=0), ()),
        (Prompt((HI,), effort="none"), ()),
        (
            Prompt((HI,), thinking_tokens=5000, params={"thinking_tokens": "thinking.budget_tokens"}),
            ("thinking.budget_tokens",),
        ),
        (Prompt((HI,), effort="low"), ("effort",)),
    ],
)
def test_a_model_that_does_not_reason_is_not_told_to(prompt: Prompt, dropped: tuple[str, ...]) -> None:
    assert sent(prompt, model="gpt-4.1") == sent(Prompt((HI,)))
    assert request_of(prompt, model="gpt-4.1").dropped == dropped


@pytest.mark.parametrize(
    ("model", "marked"), [("gpt-5.6-sol", True), ("gpt-6-luna", True), ("gpt-5.5", False), ("gpt-4.1", False)]
)
def test_cache_marks_go_to_models_that_take_them(model: str, marked: bool) -> None:
    prompt = Prompt((Message("user", (Text("a", "5m"),)),))
    assert ("prompt_cache_breakpoint" in str(sent(prompt, model=model))) is marked
    assert request_of(prompt, model=model).dropped == (() if marked else ("cache_control",))


def test_what_is_left_out_is_told() -> None:
    prompt = Prompt(
        (HI, Message("assistant", (Reasoning("hm"),))),
        top_k=5,
        show_reasoning=True,
        service_tier="batch",
        metadata={"a": "b"},
        params={"top_k": "topK"},
    )
    assert request_of(prompt).dropped == ("messages", "show_reasoning", "topK", "metadata", "service_tier")


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        (Prompt((HI,), further=("prediction",)), "prediction"),
        (Prompt((Message("user", (Document(url="https://a/b.pdf"),)),)), "messages"),
        (Prompt((Message("user", (Document(text="a", citations=True),)),)), "citations"),
        (Prompt((HI,), stop=("a",) * 5, params={"stop": "stop_sequences"}), "stop_sequences"),
    ],
)
def test_what_has_no_place_is_refused(prompt: Prompt, param: str) -> None:
    assert refused(prompt) == param


# ---- servers that differ


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
    )
    found = sent(prompt, kind)
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "tool"]
    call, result = found["messages"][2:]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert (found["temperature"], found.get("max_tokens", found.get("max_completion_tokens"))) == (0.5, 50)
    assert request_of(prompt, kind).dropped == ()


def test_mistral_has_its_own_names() -> None:
    prompt = Prompt(
        (Message("assistant", (ToolCall("toolu_01", "f", "{}"),)), Message("user", (ToolResult("toolu_01", ()),))),
        max_tokens=5,
        seed=7,
        effort="medium",
    )
    found = sent(prompt, "mistral")
    assert (found["max_tokens"], found["random_seed"], found["reasoning_effort"]) == (5, 7, "high")
    call_id = found["messages"][1]["tool_call_id"]
    assert len(call_id) == 9 and call_id.isalnum() and call_id == found["messages"][0]["tool_calls"][0]["id"]
    kept = Message("assistant", (ToolCall("aB3dE5fG7", "f", "{}"),))
    assert messages_of(kept, kind="mistral")[0]["tool_calls"][0]["id"] == "aB3dE5fG7"
    assert sent(Prompt((HI,), effort="minimal"), "mistral")["reasoning_effort"] == "none"
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
    assert sent(Prompt((HI,), effort="none"), "deepseek")["thinking"] == {"type": "disabled"}
    thinking = sent(Prompt((HI,), effort="max"), "deepseek")
    assert (thinking["thinking"], thinking["reasoning_effort"]) == ({"type": "enabled"}, "max")
    assert refused(Prompt((Message("user", (Image(url="https://a/b.png"),)),)), "deepseek") == "messages"
    assert refused(Prompt((HI,), format=Format({})), "deepseek") == "format"
    assert sent(Prompt((HI,), format=Format()), "deepseek")["response_format"] == {"type": "json_object"}


def test_openrouter_gets_effort_budget_marks_and_sealed_thoughts() -> None:
    assert sent(Prompt((HI,), effort="max"), "openrouter")["reasoning"] == {"effort": "xhigh"}
    assert sent(Prompt((HI,), thinking_tokens=2000), "openrouter")["reasoning"] == {"max_tokens": 2000}
    assert sent(Prompt((HI,), thinking_tokens=0), "openrouter")["reasoning"] == {"effort": "none"}
    marked = content_of(Text("a", "1h"), kind="openrouter")
    assert marked == [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    tool = sent(Prompt((HI,), tools=(Tool("f", cache="5m"),)), "openrouter")["tools"][0]
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
    assert sent(Prompt((HI,), top_k=5), "vllm")["top_k"] == 5


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
    assert sent(Prompt((HI,), service_tier="flex"), "groq")["service_tier"] == "flex"
    for kind, tier in (("groq", "priority"), ("ollama", "flex")):
        request = request_of(Prompt((HI,), service_tier=tier), kind)
        assert request.dropped == ("service_tier",)
        assert b"service_tier" not in request.body


def test_an_idiom_without_more_is_openais() -> None:
    assert Idiom().at("any") == Idiom()
    assert Idiom().takes_effort("any")
