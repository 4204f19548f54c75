"""Prompts of other wires as chats of OpenAI's own: what is sent, what is left out and told, and what is refused."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.abilities import FEATURES
from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import UNSUPPORTED_OPERATION, Failure
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
from oneflow_ai.providers.openai_idiom import ABILITIES, PLAIN
from oneflow_ai.providers.table import TABLE
from tests.wire.chats import content_of, messages_of, refused, request_for, written
from tests.wire.messages import message_call
from tests.wire.requests import MODEL, target_of

HI = Message("user", (Text("Hi"),))


def test_a_plain_prompt() -> None:
    assert written(Prompt((HI,))) == {"messages": [{"role": "user", "content": "Hi"}]}


def test_a_stream_is_asked_for_with_its_usage() -> None:
    assert orjson.loads(request_for(Prompt((HI,)), stream=True).body) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in orjson.loads(request_for(Prompt((HI,)), "mistral", stream=True).body)


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


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [
        (
            Prompt((HI,), max_tokens=64, temperature=0.0, top_p=0.5, seed=0),
            {"max_completion_tokens": 64, "temperature": 0.0, "top_p": 0.5, "seed": 0},
        ),
        (Prompt((HI,), stop=("a", "b"), n=2), {"stop": ["a", "b"], "n": 2}),
        (
            Prompt((HI,), presence_penalty=0.0, frequency_penalty=0.5, logit_bias={"5": 1}),
            {"presence_penalty": 0.0, "frequency_penalty": 0.5, "logit_bias": {"5": 1}},
        ),
        (Prompt((HI,), logprobs=True, top_logprobs=0), {"logprobs": True, "top_logprobs": 0}),
        (Prompt((HI,), logprobs=True), {"logprobs": True}),
        (
            Prompt((HI,), effort="low", verbosity="low", service_tier="flex"),
            {"reasoning_effort": "low", "verbosity": "low", "service_tier": "flex"},
        ),
        (Prompt((HI,), user="u", cache_key="k"), {"user": "u", "prompt_cache_key": "k"}),
    ],
)
def test_fields(prompt: Prompt, fields: dict[str, Any]) -> None:
    # A model that reasons, but does so only if it is told to.
    assert written(prompt, model="gpt-5.4") == {"messages": [{"role": "user", "content": "Hi"}], **fields}
    assert request_for(prompt, model="gpt-5.4").dropped == ()


def test_tools() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False, "required": []}
    tools = (Tool("f", "Does f", schema, True), Tool("g"))
    prompt = Prompt((HI,), tools=tools, tool_choice="tool", tool_name="f", parallel_tool_calls=False)
    function = {"name": "f", "description": "Does f", "parameters": schema, "strict": True}
    assert written(prompt) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": function}, {"type": "function", "function": {"name": "g"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    }


def test_a_choice_of_tools_without_any_is_not_told() -> None:
    assert written(Prompt((HI,), tool_choice="auto", parallel_tool_calls=False)) == written(Prompt((HI,)))


def test_formats() -> None:
    assert written(Prompt((HI,), format=Format()))["response_format"] == {"type": "json_object"}
    schema = written(Prompt((HI,), format=Format({})))["response_format"]["json_schema"]
    assert schema == {"name": "answer", "schema": {}}
    whole = Format({"type": "object"}, "x", "An x", True)
    schema = written(Prompt((HI,), format=whole))["response_format"]["json_schema"]
    assert schema == {"name": "x", "schema": {"type": "object"}, "description": "An x", "strict": True}


@pytest.mark.parametrize(
    ("tokens", "effort"), [(0, "none"), (1, "low"), (2048, "low"), (2049, "medium"), (8192, "medium"), (30_000, "high")]
)
def test_a_budget_is_the_effort_that_comes_nearest(tokens: int, effort: str) -> None:
    assert written(Prompt((HI,), thinking_tokens=tokens))["reasoning_effort"] == effort
    assert written(Prompt((HI,), thinking_tokens=tokens, effort="max"))["reasoning_effort"] == "max"


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
    assert written(prompt, model="gpt-4.1") == written(Prompt((HI,)))
    assert request_for(prompt, model="gpt-4.1").dropped == dropped


@pytest.mark.parametrize(
    ("model", "marked"), [("gpt-5.6-sol", True), ("gpt-6-luna", True), ("gpt-5.5", False), ("gpt-4.1", False)]
)
def test_cache_marks_go_to_models_that_take_them(model: str, marked: bool) -> None:
    prompt = Prompt((Message("user", (Text("a", "5m"),)),))
    assert ("prompt_cache_breakpoint" in str(written(prompt, model=model))) is marked
    assert request_for(prompt, model=model).dropped == (() if marked else ("cache_control",))


def test_what_is_left_out_is_told() -> None:
    prompt = Prompt(
        (HI, Message("assistant", (Reasoning("hm"),))),
        top_k=5,
        show_reasoning=True,
        service_tier="batch",
        metadata={"a": "b"},
        params={"top_k": "topK"},
    )
    assert request_for(prompt).dropped == ("messages", "show_reasoning", "topK", "metadata", "service_tier")


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


def test_what_this_wire_has_no_address_for_is_refused_and_may_be_done_elsewhere() -> None:
    target = target_of("groq")
    with pytest.raises(Failure) as caught:
        target.adapter.request(message_call(Operation.COUNT_TOKENS), target)
    assert (caught.value.kind, caught.value.kind.other) == (UNSUPPORTED_OPERATION, True)


@pytest.mark.parametrize(("kind", "model", "told"), [("openai", "gpt-6-luna", True), ("openrouter", "x/y", False)])
def test_a_cache_mark_on_a_tool_is_told_where_it_has_no_place(kind: str, model: str, told: bool) -> None:
    request = request_for(Prompt((HI,), tools=(Tool("f", cache="5m"),)), kind, model)
    assert ("cache_control" in request.dropped) is told
