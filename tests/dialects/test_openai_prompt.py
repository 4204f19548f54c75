"""What a chat of OpenAI's wire says in the middle form: every field in its place, and nothing lost in silence."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Format, Message, Prompt, Text, Tool
from oneflow_ai.dialects.openai_prompt import _FIELDS, read
from tests.wire.chats import USER, prompt_of
from tests.wire.requests import call_of

CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
RESULT = {"role": "tool", "tool_call_id": "call_a", "content": "12"}
FUNCTION = {"name": "f", "description": "Does f", "parameters": {"type": "object"}, "strict": True}
SCHEMA = {"type": "object", "properties": {}}
NEWER = {"user": "safety_identifier"}


def test_a_plain_chat() -> None:
    assert prompt_of() == Prompt((Message("user", (Text("Hi"),)),))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"temperature": 0, "top_p": 1.0, "top_k": 3, "seed": 0, "n": 2},
            Prompt((), (), temperature=0, top_p=1.0, top_k=3, seed=0, n=2),
        ),
        ({"max_tokens": 5}, Prompt((), max_tokens=5)),
        ({"max_completion_tokens": 5}, Prompt((), max_tokens=5, params={"max_tokens": "max_completion_tokens"})),
        ({"stop": "."}, Prompt((), stop=(".",))),
        ({"stop": [".", "!"]}, Prompt((), stop=(".", "!"))),
        ({"stop": ""}, Prompt(())),
        ({"stop": []}, Prompt(())),
        ({"stop": ["", "."]}, Prompt((), stop=(".",))),
        ({"presence_penalty": 1, "frequency_penalty": -1.5}, Prompt((), presence_penalty=1, frequency_penalty=-1.5)),
        ({"logit_bias": {"5": -100}}, Prompt((), logit_bias={"5": -100})),
        ({"logprobs": True, "top_logprobs": 2}, Prompt((), logprobs=True, top_logprobs=2)),
        ({"parallel_tool_calls": False}, Prompt((), parallel_tool_calls=False)),
        ({"verbosity": "low", "service_tier": "flex"}, Prompt((), verbosity="low", service_tier="flex")),
        ({"service_tier": "auto"}, Prompt(())),
        ({"user": "u", "safety_identifier": ""}, Prompt((), user="u")),
        ({"user": "u", "safety_identifier": "s"}, Prompt((), user="s", minor=("user",), params=NEWER)),
        ({"safety_identifier": "s"}, Prompt((), user="s", params=NEWER)),
        ({"metadata": {"a": "b"}}, Prompt((), metadata={"a": "b"})),
        ({"prompt_cache_key": "k"}, Prompt((), cache_key="k", params={"cache_key": "prompt_cache_key"})),
        ({"response_format": {"type": "text"}}, Prompt(())),
        (
            {"response_format": {"type": "json_object"}},
            Prompt((), format=Format(), params={"format": "response_format"}),
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
                }
            },
            Prompt((), format=Format(SCHEMA, "x", "", True), params={"format": "response_format"}),
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            Prompt((), format=Format({}, "x"), params={"format": "response_format"}),
        ),
        ({"reasoning_effort": "xhigh"}, Prompt((), effort="xhigh", params={"effort": "reasoning_effort"})),
        (
            {"reasoning": {"effort": "low"}},
            Prompt(
                (),
                effort="low",
                show_reasoning=True,
                params={"effort": "reasoning.effort", "show_reasoning": "reasoning"},
            ),
        ),
        (
            {"reasoning": {"max_tokens": 2000, "exclude": True}},
            Prompt(
                (),
                thinking_tokens=2000,
                params={"thinking_tokens": "reasoning.max_tokens", "show_reasoning": "reasoning"},
            ),
        ),
        (
            {"reasoning": {"enabled": True}},
            Prompt(
                (),
                effort="medium",
                show_reasoning=True,
                params={"effort": "reasoning.enabled", "show_reasoning": "reasoning"},
            ),
        ),
        (
            {"reasoning": {"enabled": False}},
            Prompt(
                (),
                effort="none",
                show_reasoning=True,
                params={"effort": "reasoning.enabled", "show_reasoning": "reasoning"},
            ),
        ),
        ({"include_reasoning": True}, Prompt((), show_reasoning=True, params={"show_reasoning": "include_reasoning"})),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            Prompt(
                (),
                thinking_tokens=2048,
                show_reasoning=True,
                params={"thinking_tokens": "thinking.budget_tokens", "show_reasoning": "thinking"},
            ),
        ),
        (
            {"thinking": {"type": "disabled"}},
            Prompt((), thinking_tokens=0, params={"thinking_tokens": "thinking.type"}),
        ),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}},
            Prompt((), effort="medium", params={"effort": "thinking.type", "show_reasoning": "thinking"}),
        ),
        (
            {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
            Prompt(
                (),
                effort="max",
                show_reasoning=True,
                params={"effort": "reasoning_effort", "show_reasoning": "thinking"},
            ),
        ),
        ({"modalities": ["text"]}, Prompt(())),
        ({"tools": []}, Prompt(())),
    ],
)
def test_fields(fields: dict[str, Any], expected: Prompt) -> None:
    found = prompt_of(**fields)
    assert found == replace(expected, messages=found.messages, shared=found.shared)


def test_tools() -> None:
    found = prompt_of(
        tools=[
            {"type": "function", "function": FUNCTION, "cache_control": {"type": "ephemeral"}},
            {"type": "function", "function": {"name": "g"}},
            {"function": {"name": "h", "cache_control": {"type": "ephemeral", "ttl": "1h"}}},
            {"type": "custom", "custom": {"name": "i"}},
        ],
        functions=[{"name": "j"}],
    )
    assert found.tools == (
        Tool("f", "Does f", {"type": "object"}, True, "5m"),
        Tool("g"),
        Tool("h", cache="1h"),
        Tool("j"),
    )
    assert found.further == ("tools[3]",)


@pytest.mark.parametrize(
    ("fields", "choice", "name"),
    [
        ({"tool_choice": "auto"}, "auto", ""),
        ({"tool_choice": "none"}, "none", ""),
        ({"tool_choice": "required"}, "required", ""),
        ({"tool_choice": "any"}, "required", ""),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool", "f"),
        ({"function_call": "none"}, "none", ""),
        ({"function_call": {"name": "f"}}, "tool", "f"),
    ],
)
def test_tool_choice(fields: dict[str, Any], choice: str, name: str) -> None:
    found = prompt_of(**fields)
    assert (found.tool_choice, found.tool_name, found.further) == (choice, name, ())


@pytest.mark.parametrize(
    ("fields", "further"),
    [
        ({"moderation": {}}, ("moderation",)),
        ({"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "mp3"}}, ("modalities", "audio")),
        ({"web_search_options": {}}, ("web_search_options",)),
        ({"response_format": {"type": "grammar"}}, ("response_format",)),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, ("tool_choice",)),
        ({"own": 1, "null": None}, ("own",)),
        ({"plugins": [], "provider": {"order": ["a"]}}, ("plugins", "provider")),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]},
            ("messages[0].content[0].file.file_id",),
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]},
            ("messages[0].content[0]",),
        ),
        ({"messages": [{"role": "assistant", "content": None, "audio": {"id": "a"}}]}, ("messages[0].audio",)),
        ({"messages": [{**USER, "weight": 1, "own": None}]}, ("messages[0].weight",)),
        (
            {
                "messages": [
                    USER,
                    {"role": "assistant", "tool_calls": [{"id": "call_a", "type": "custom", "custom": {}}]},
                    RESULT,
                ]
            },
            ("messages[1].tool_calls[0]",),
        ),
    ],
)
def test_what_no_other_wire_has_is_named(fields: dict[str, Any], further: tuple[str, ...]) -> None:
    assert prompt_of(**fields).further == further


def test_what_changes_no_answer_is_left() -> None:
    brought = {"stream": True, "stream_options": {"include_usage": True}, "usage": {"include": True}, "store": False}
    assert prompt_of(**brought, models=["a"], fallbacks=["b"]) == prompt_of()


def test_what_an_answer_is_nearly_the_same_without_is_minor() -> None:
    caches = ("prompt_cache_options", "prompt_cache_retention")
    fields = dict.fromkeys(("store", "prediction", *caches, "min_p", "top_a", "repetition_penalty"), "a")
    found = prompt_of(**fields)
    assert (found.minor, found.further) == (tuple(fields), ())


def test_what_an_answer_carried_may_be_given_back() -> None:
    """Frameworks send the whole of an answer's message again."""
    answer: dict[str, Any] = {
        "role": "assistant",
        "content": "a",
        "refusal": None,
        "annotations": [{"type": "url_citation"}],
        "audio": None,
        "function_call": None,
        "tool_calls": None,
        "provider_specific_fields": {"x": 1},
        "thinking_blocks": [{}],
    }
    assert prompt_of(messages=[answer, USER]) == prompt_of(messages=[{"role": "assistant", "content": "a"}, USER])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": "x"}]}]},
            "messages[0].content[0].cache_control",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].input_audio"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].file.file_data",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "call_a"}]}, RESULT]},
            "messages[0].tool_calls[0].function",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": 7}}]},
                    RESULT,
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [CALL]},
                    {**RESULT, "content": [{"type": "input_audio", "input_audio": {"data": "", "format": ""}}]},
                ]
            },
            "messages[1]",
        ),
        ({"messages": [{"role": "function", "name": "f", "content": None}]}, "messages[0].name"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        ({"functions": [{}]}, "functions[0].name"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"function_call": ["f"]}, "function_call"),
        ({"stop": [1]}, "stop"),
        ({"top_k": 1.5}, "top_k"),
        ({"logit_bias": {"5": "x"}}, "logit_bias"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning": "low"}, "reasoning"),
        ({"reasoning": {"effort": ["low"]}}, "reasoning.effort"),
        ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
        ({"thinking": True}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({"verbosity": 7}, "verbosity"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": 7}}]}]},
            "messages[0].content[0].file.file_id",
        ),
        ({"prompt_cache_key": 7}, "prompt_cache_key"),
        ({"safety_identifier": 7}, "safety_identifier"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    call = call_of({"model": "text", "messages": [USER], **fields})
    with pytest.raises(Failure) as caught:
        call.prompt()
    assert (caught.value.param, caught.value.status) == (param, 400)


def test_reading_changes_nothing_of_the_body() -> None:
    body = {"model": "text", "messages": [USER], "tools": [{"function": FUNCTION}], "reasoning": {"effort": "low"}}
    before = orjson.dumps(body)
    read(body)
    assert orjson.dumps(body) == before


# One chat that has everything, to be spoilt in one place or two.
RICH: dict[str, Any] = {
    "model": "text",
    "messages": [
        {
            "role": "system",
            "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
            "refusal": "No.",
            "reasoning_content": "hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "signature": "of:x:y", "index": 0},
                {"type": "reasoning.encrypted", "data": "d", "index": 1},
            ],
            "tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "of:x:y"}}}],
        },
        {**RESULT, "content": [{"type": "text", "text": "12"}], "cache_control": {"type": "ephemeral"}},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "12"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "functions": [{"name": "g"}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
    "reasoning": {"effort": "low", "max_tokens": 5, "enabled": True, "exclude": False},
    "thinking": {"type": "enabled", "budget_tokens": 5},
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(-9, 9)
    | st.integers(-9, 9)
    | st.sampled_from(["", "text", "of:x:y", "data:a,b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "a"]), inner),
    max_leaves=4,
)


@given(st.data())
def test_whatever_is_let_in_is_read_or_refused(data: st.DataObject) -> None:
    body = orjson.loads(orjson.dumps({**dict.fromkeys(_FIELDS), **RICH}))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(list(_places(body))))
        holder[key] = data.draw(VALUES)
    found = _read(body)
    if isinstance(found, Failure):
        assert found.status == 400
    else:
        assert len(found.messages) == len(RICH["messages"])
        assert all(isinstance(name, str) for name in found.further)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a JSON value that holds another."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _read(body: dict[str, Any]) -> Prompt | Failure:
    try:
        return call_of(body).prompt()
    except Failure as failure:
        return failure
