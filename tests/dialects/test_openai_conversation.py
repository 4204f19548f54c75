"""What the messages of a chat on OpenAI's wire say in the middle form: turns, parts, tools, thoughts and seals."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.prompt import Audio, Document, Image, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from tests.wire.chats import USER, prompt_of
from tests.wire.requests import call_of

CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
RESULT = {"role": "tool", "tool_call_id": "call_a", "content": "12"}


def parts_of(*messages: dict[str, Any]) -> tuple[Part, ...]:
    """The parts of the last of these messages."""
    return prompt_of(messages=list(messages)).messages[-1].parts


def said(*parts: dict[str, Any]) -> tuple[Part, ...]:
    return parts_of({"role": "user", "content": list(parts)})


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


def test_what_openais_client_has_parsed_is_given_back_unread() -> None:
    said = {"role": "assistant", "content": '{"a":1}', "parsed": {"a": 1}}
    assert prompt_of(messages=[USER, said]).further == ()


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
    assert call.prompt().messages[0].parts == (ToolCall("call_a", "f", '{"a":1}', "s:t", wire="gemini"),)
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
