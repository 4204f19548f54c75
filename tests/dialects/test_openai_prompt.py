"""What a chat of OpenAI's wire says in the middle form: every field in its place, and nothing lost in silence."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
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
from oneflow_ai.dialects.openai_prompt import read
from tests.wire.requests import call_of

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
RESULT = {"role": "tool", "tool_call_id": "call_a", "content": "12"}
FUNCTION = {"name": "f", "description": "Does f", "parameters": {"type": "object"}, "strict": True}
SCHEMA = {"type": "object", "properties": {}}


def prompt_of(**fields: Any) -> Prompt:
    """The middle form of a chat with these fields, as the dialect makes it."""
    return call_of({"model": "text", "messages": [USER], **fields}).prompt()


def parts_of(*messages: dict[str, Any]) -> tuple[Part, ...]:
    """The parts of the last of these messages."""
    return prompt_of(messages=list(messages)).messages[-1].parts


def said(*parts: dict[str, Any]) -> tuple[Part, ...]:
    return parts_of({"role": "user", "content": list(parts)})


def test_a_plain_chat() -> None:
    assert prompt_of() == Prompt((Message("user", (Text("Hi"),)),))


def test_roles_and_names() -> None:
    messages = [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "name": "ann", "content": ""},
        {"role": "assistant", "content": "c"},
    ]
    assert prompt_of(messages=messages).messages == (
        Message("system", (Text("a"),)),
        Message("system", (Text("b"),)),
        Message("user", (Text(""),), "ann"),
        Message("assistant", (Text("c"),)),
    )


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, Text("a", "5m")),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("a", "1h")),
        ({"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("a", "5m")),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            Image(url="https://example.com/a.png", detail="low"),
        ),
        ({"type": "image_url", "image_url": "https://example.com/a.png"}, Image(url="https://example.com/a.png")),
        (
            {"type": "image_url", "image_url": {"url": "data:IMAGE/jpg;name=a;base64,AA\nAA"}},
            Image(data="AAAA", media_type="image/jpeg"),
        ),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, Audio("AAAA", "wav")),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            Document(data="AAAA", media_type="application/pdf", name="a.pdf"),
        ),
        (
            {"type": "file", "file": {"filename": "a.TXT", "file_data": "AAAA"}},
            Document(data="AAAA", media_type="text/plain", name="a.TXT"),
        ),
        ({"type": "file", "file": {"file_data": "AAAA"}}, Document(data="AAAA", media_type="application/pdf")),
        (
            {"type": "file", "file": {"file_data": "HTTPS://example.com/a.pdf"}, "cache_control": {}},
            Document(url="HTTPS://example.com/a.pdf"),
        ),
    ],
)
def test_parts(part: dict[str, Any], expected: Part) -> None:
    assert said(part) == (expected,)


def test_a_mark_on_the_message_is_its_last_parts() -> None:
    marked = {"role": "user", "content": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert parts_of(marked) == (Text("a", "1h"),)
    assert parts_of(USER, {"role": "assistant", "tool_calls": [CALL]}, {**RESULT, "cache_control": {"type": "x"}}) == (
        ToolResult("call_a", (Text("12"),), cache="5m"),
    )


def test_a_round_of_tools() -> None:
    other = {**CALL, "id": "call_b", "cache_control": {"type": "ephemeral"}}
    picture = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": "https://example.com/a.png"}]
    messages = [
        {"role": "assistant", "content": "Let me see", "tool_calls": [CALL, other]},
        RESULT,
        {"role": "tool", "tool_call_id": "call_b", "content": picture},
        USER,
    ]
    assert prompt_of(messages=messages).messages == (
        Message(
            "assistant",
            (Text("Let me see"), ToolCall("call_a", "f", '{"a":1}'), ToolCall("call_b", "f", '{"a":1}', cache="5m")),
        ),
        Message(
            "user",
            (
                ToolResult("call_a", (Text("12"),)),
                ToolResult("call_b", (Text("see"), Image(url="https://example.com/a.png"))),
            ),
        ),
        Message("user", (Text("Hi"),)),
    )


def test_the_older_form_of_tools_gets_ids() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "12"},
    ]
    assert prompt_of(messages=messages).messages[1:] == (
        Message("assistant", (ToolCall("call_1", "f", "{}"),)),
        Message("user", (ToolResult("call_1", (Text("12"),)),)),
    )


def test_an_assistants_refusal_and_its_thoughts() -> None:
    assert parts_of({"role": "assistant", "content": None, "refusal": "No."}) == (Refusal("No."),)
    assert parts_of({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}) == (Refusal("No."),)
    for field in ("reasoning_content", "reasoning"):
        assert parts_of({"role": "assistant", "content": "a", field: "Hm"}) == (Reasoning("Hm"), Text("a"))
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "a"}]
    assert parts_of({"role": "assistant", "content": thinking}) == (Reasoning("Hm"), Text("a"))


def thoughts(*details: Any, **fields: Any) -> tuple[Part, ...]:
    return parts_of({"role": "assistant", "content": "a", "reasoning_details": list(details), **fields})[:-1]


def test_sealed_thoughts_of_another_wire_are_unwrapped() -> None:
    found = thoughts(
        {"type": "reasoning.text", "text": "Hm", "signature": "of:anthropic:a:b", "index": 0},
        {"type": "reasoning.encrypted", "data": "of:responses:dark", "index": 1},
        {"type": "reasoning.summary", "summary": "In short", "index": 2},
        reasoning_content="HmIn short",
    )
    assert found == (
        Reasoning("Hm", "a:b", wire="anthropic"),
        Reasoning(sealed="dark", wire="responses"),
        Reasoning("In short"),
    )


def test_pieces_of_a_stream_that_were_only_collected_are_put_together() -> None:
    assert thoughts(
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0},
        {"type": "reasoning.text", "signature": "of:anthropic:s", "index": 0},
        {"type": "reasoning.text", "text": "c", "index": 1},
        "odd",
        {"type": "odd"},
        {"type": ["odd"]},
    ) == (Reasoning("ab", "s", wire="anthropic"), Reasoning("c"))


def test_a_seal_of_this_wires_own_is_all_of_its_block_but_the_text() -> None:
    (text, dark) = thoughts(
        {"type": "reasoning.text", "text": "Hm", "signature": "s", "format": "x-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1},
    )
    assert isinstance(text, Reasoning) and isinstance(dark, Reasoning)
    assert (text.text, text.wire, dark.wire) == ("Hm", "openai", "openai")
    assert orjson.loads(text.signature) == {"type": "reasoning.text", "signature": "s", "format": "x-v1", "index": 0}
    assert orjson.loads(dark.sealed) == {"type": "reasoning.encrypted", "data": "d", "id": "rs_1", "index": 1}


def test_a_sealed_tool_call() -> None:
    sealed = {**CALL, "extra_content": {"google": {"thought_signature": "of:gemini:s:t"}}}
    assert parts_of(USER, {"role": "assistant", "tool_calls": [sealed]}, RESULT)[0] == ToolResult(
        "call_a", (Text("12"),)
    )
    call = call_of({"model": "text", "messages": [{"role": "assistant", "tool_calls": [sealed]}, RESULT]})
    assert call.wire == ""
    assert call.prompt().messages[0].parts == (ToolCall("call_a", "f", '{"a":1}', "s:t"),)
    own = {**CALL, "extra_content": {"google": {"thought_signature": "s"}}}
    assert call_of({"model": "text", "messages": [{"role": "assistant", "tool_calls": [own]}, RESULT]}).wire == "openai"


@pytest.mark.parametrize(
    ("field", "value", "goes"),
    [
        ("signature", "of:anthropic:s", True),
        ("data", "of:responses:s", True),
        ("signature", "offer", False),
        ("signature", "of:s", False),
        ("data", 7, False),
    ],
)
def test_a_body_with_another_wires_seal_is_not_sent_as_it_is(field: str, value: Any, goes: bool) -> None:
    answer = {"role": "assistant", "content": "a", "reasoning_details": [{"type": "x", field: value}]}
    assert (call_of({"model": "text", "messages": [answer, USER]}).wire == "") is goes
    assert call_of({"model": "text", "messages": [USER, {"role": "user", "content": 'of:anthropic:"of:x:y"'}]}).wire


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
        ({"presence_penalty": 1, "frequency_penalty": -1.5}, Prompt((), presence_penalty=1, frequency_penalty=-1.5)),
        ({"logit_bias": {"5": -100}}, Prompt((), logit_bias={"5": -100})),
        ({"logprobs": True, "top_logprobs": 2}, Prompt((), logprobs=True, top_logprobs=2)),
        ({"parallel_tool_calls": False}, Prompt((), parallel_tool_calls=False)),
        ({"verbosity": "low", "service_tier": "flex"}, Prompt((), verbosity="low", service_tier="flex")),
        ({"service_tier": "auto"}, Prompt(())),
        ({"user": "u", "safety_identifier": "s"}, Prompt((), user="u")),
        ({"safety_identifier": "s"}, Prompt((), user="s", params={"user": "safety_identifier"})),
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
    assert found == replace(expected, messages=found.messages)


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
        ({"prediction": {"type": "content", "content": "a"}}, ("prediction",)),
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
    found = prompt_of(
        stream=True,
        stream_options={"include_usage": True},
        store=False,
        models=["a"],
        fallbacks=["b"],
        usage={"include": True},
        prompt_cache_retention="24h",
        prompt_cache_options={"ttl": "30m"},
    )
    assert found == prompt_of()


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
