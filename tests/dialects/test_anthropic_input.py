"""Requests in Anthropic's dialect: bad ones are a 400 that names the place and repeats nothing, good ones a call."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Document, Format, Image, Message, Reasoning, Text, Tool, ToolCall, ToolResult
from oneflow_ai.dialects.anthropic import TOOLS_MOST, parse
from oneflow_ai.dialects.openai_messages import MESSAGES_MOST
from tests.wire.messages import USER, message, message_call
from tests.wire.requests import envelope

CANARY = "canary7f3a"
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
MARK = {"cache_control": {"type": "ephemeral"}}


def said(*blocks: Any, role: str = "user") -> dict[str, Any]:
    """Fields with one message of these blocks."""
    return {"messages": [{"role": role, "content": list(blocks)}]}


def source(**fields: Any) -> dict[str, Any]:
    return said({"type": "image", "source": fields})


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"model": ...}, "missing_required_parameter", "model"),
    "no messages": ({"messages": ...}, "missing_required_parameter", "messages"),
    "no bound": ({"max_tokens": ...}, "missing_required_parameter", "max_tokens"),
    "model is a number": ({"model": 5}, "invalid_type", "model"),
    "model is empty": ({"model": ""}, "invalid_value", "model"),
    "model is long": ({"model": CANARY * 30}, "invalid_value", "model"),
    "messages are a text": ({"messages": CANARY}, "invalid_messages", "messages"),
    "messages are none": ({"messages": []}, "invalid_messages", "messages"),
    "many messages": ({"messages": [USER] * (MESSAGES_MOST + 1)}, "too_many_items", "messages"),
    "a message is a text": ({"messages": [CANARY]}, "invalid_messages", "messages.0"),
    "another role": ({"messages": [USER, {"role": CANARY, "content": "x"}]}, "invalid_messages", "messages.1.role"),
    "no content": ({"messages": [{"role": "user"}]}, "invalid_messages", "messages.0.content"),
    "content is a number": ({"messages": [{"role": "user", "content": 5}]}, "invalid_messages", "messages.0.content"),
    "a block is a text": (said(CANARY), "invalid_messages", "messages.0.content.0"),
    "a block without a type": (said({"text": CANARY}), "invalid_messages", "messages.0.content.0"),
    "a text without text": (said({"type": "text"}), "invalid_messages", "messages.0.content.0.text"),
    "a call without an id": (said({**USE, "id": None}), "invalid_messages", "messages.0.content.0.id"),
    "a call without input": (said({**USE, "input": "{}"}), "invalid_messages", "messages.0.content.0.input"),
    "a result of nothing": (said(RESULT), "invalid_messages", "messages.0.content.0.tool_use_id"),
    "a result without an id": (said({"type": "tool_result"}), "invalid_messages", "messages.0.content.0.tool_use_id"),
    "a result's content": (said(USE, {**RESULT, "content": 5}), "invalid_messages", "messages.0.content.1.content"),
    "a result's block": (
        said(USE, {**RESULT, "content": [{"type": "text"}]}),
        "invalid_messages",
        "messages.0.content.1.content.0.text",
    ),
    "thoughts without text": (said({"type": "thinking"}), "invalid_messages", "messages.0.content.0.thinking"),
    "no source": (said({"type": "image"}), "invalid_messages", "messages.0.content.0.source"),
    "a private address": (
        source(type="url", url="http://127.0.0.1/a.png"),
        "invalid_image_url",
        "messages.0.content.0.source.url",
    ),
    "no address": (source(type="url", url=CANARY), "invalid_image_url", "messages.0.content.0.source.url"),
    "data as an address": (
        source(type="url", url="data:image/png;base64," + PNG),
        "invalid_image_url",
        "messages.0.content.0.source.url",
    ),
    "no data": (source(type="base64", media_type="image/png"), "invalid_messages", "messages.0.content.0.source.data"),
    "not base64": (
        source(type="base64", media_type="image/png", data="ä"),
        "invalid_image_url",
        "messages.0.content.0.source.data",
    ),
    "another type of picture": (
        source(type="base64", media_type="image/tiff", data=PNG),
        "invalid_image_url",
        "messages.0.content.0.source.data",
    ),
    "system is a number": ({"system": 5}, "invalid_messages", "system"),
    "system is a picture": ({"system": [{"type": "image"}]}, "invalid_messages", "system.0"),
    "tokens are none": ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    "tokens are a text": ({"max_tokens": "5"}, "invalid_type", "max_tokens"),
    "temperature": ({"temperature": 1.1}, "invalid_value", "temperature"),
    "top_p": ({"top_p": "x"}, "invalid_type", "top_p"),
    "top_k": ({"top_k": -1}, "invalid_value", "top_k"),
    "stream": ({"stream": "yes"}, "invalid_type", "stream"),
    "stops": ({"stop_sequences": "x"}, "invalid_type", "stop_sequences"),
    "a stop": ({"stop_sequences": ["x", 5]}, "invalid_type", "stop_sequences.1"),
    "an empty stop": ({"stop_sequences": [""]}, "invalid_value", "stop_sequences.0"),
    "metadata": ({"metadata": CANARY}, "invalid_type", "metadata"),
    "user": ({"metadata": {"user_id": 5}}, "invalid_type", "metadata.user_id"),
    "tools": ({"tools": {}}, "invalid_type", "tools"),
    "many tools": ({"tools": [{}] * (TOOLS_MOST + 1)}, "too_many_items", "tools"),
    "a tool": ({"tools": [5]}, "invalid_type", "tools.0"),
    "a tool's name": ({"tools": [{"input_schema": {}}]}, "invalid_type", "tools.0.name"),
    "a tool's schema": ({"tools": [{"name": "f"}]}, "invalid_type", "tools.0.input_schema"),
    "choice": ({"tool_choice": "auto"}, "invalid_type", "tool_choice"),
    "choice's type": ({"tool_choice": {"type": "all"}}, "invalid_value", "tool_choice.type"),
    "choice's name": ({"tool_choice": {"type": "tool"}}, "invalid_type", "tool_choice.name"),
    "thinking": ({"thinking": True}, "invalid_type", "thinking"),
    "thinking's type": ({"thinking": {}}, "invalid_type", "thinking.type"),
    "thinking's budget": ({"thinking": {"type": "enabled"}}, "invalid_type", "thinking.budget_tokens"),
    "a small budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 5}},
        "invalid_value",
        "thinking.budget_tokens",
    ),
    "a large budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "invalid_value",
        "thinking.budget_tokens",
    ),
    "output": ({"output_config": 5}, "invalid_type", "output_config"),
    "effort": ({"output_config": {"effort": CANARY}}, "invalid_value", "output_config.effort"),
    "format": ({"output_config": {"format": {"type": "json"}}}, "invalid_value", "output_config.format.type"),
    "format's schema": (
        {"output_config": {"format": {"type": "json_schema"}}},
        "invalid_type",
        "output_config.format.schema",
    ),
    "where to": ({"api_base": "https://canary7f3a"}, "forbidden_parameter", "api_base"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_and_never_repeated(name: str) -> None:
    fields, code, param = BAD[name]
    with pytest.raises(Failure) as caught:
        parse(message(**fields), envelope())
    assert (caught.value.code, caught.value.param, caught.value.kind.cause) == (code, param, "client")
    assert CANARY not in caught.value.message


def test_a_body_is_guarded_like_any_other() -> None:
    for body, code in ((b"", "invalid_json"), (b"[]", "invalid_type"), (b'{"a":1,"a":2}', "duplicate_key")):
        with pytest.raises(Failure) as caught:
            parse(body, envelope())
        assert caught.value.code == code


def test_a_call_keeps_what_it_was_made_of() -> None:
    call = message_call(stream=True, metadata={"user_id": "u" * 300}, unknown={"a": 1})
    assert (call.dialect, call.wire, call.model, call.stream) == ("anthropic", "anthropic", "text", True)
    assert (call.output_most_tokens, call.user, call.answers) == (64, "u" * 256, 1)
    assert call.body["unknown"] == {"a": 1}


def test_a_count_needs_no_bound_and_is_never_a_stream() -> None:
    call = message_call(Operation.COUNT_TOKENS, stream=True)
    assert (call.operation, call.stream, call.output_most_tokens) == (Operation.COUNT_TOKENS, False, None)
    assert call.operation.free


def test_headers_for_the_provider_are_kept() -> None:
    frame = replace(envelope(), headers=(("anthropic-beta", "x"),))
    assert parse(message(), frame).headers == (("anthropic-beta", "x"),)


# ---- the middle form


CONVERSATION: dict[str, Any] = {
    "system": [{"type": "text", "text": "Be kind", **MARK}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}, **MARK},
                {
                    "type": "document",
                    "title": "D",
                    "source": {"type": "text", "media_type": "text/plain", "data": "d"},
                },
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                    "citations": {"enabled": True},
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                },
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {"type": "document", "source": {"type": "content", "content": "c"}},
                {
                    "type": "search_result",
                    "source": "https://a",
                    "title": "S",
                    "content": [{"type": "text", "text": "s"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s1"},
                {"type": "redacted_thinking", "data": "dark"},
                {"type": "text", "text": "Wait"},
                USE,
            ],
        },
        {"role": "user", "content": [{**RESULT, "is_error": True}]},
        {"role": "system", "content": "Hurry"},
    ],
}
READ = (
    Message("system", (Text("Be kind", "5m"),)),
    Message(
        "user",
        (
            Text("Look"),
            Image(url="https://example.com/a.png"),
            Image(data=PNG, media_type="image/png", cache="5m"),
            Document(text="d", name="D"),
            Document(data="JVBERi0=", media_type="application/pdf", cache="1h", citations=True),
            Document(url="https://example.com/a.pdf"),
            Document(text="c"),
            Document(text="s", name="S", context="https://a"),
        ),
    ),
    Message(
        "assistant",
        (Reasoning("hm", "s1"), Reasoning(sealed="dark"), Text("Wait"), ToolCall("toolu_1", "f", '{"a":1}')),
    ),
    Message("user", (ToolResult("toolu_1", (Text("12"),), failed=True),)),
    Message("system", (Text("Hurry"),)),
)


def test_a_conversation_is_read() -> None:
    prompt = message_call(**CONVERSATION).prompt()
    assert prompt.messages == READ
    assert prompt.further == ()


def test_options_are_read() -> None:
    prompt = message_call(
        max_tokens=3000,
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["a"],
        service_tier="standard_only",
        metadata={"user_id": "u"},
        tools=[{"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True, **MARK}],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 2000},
        output_config={"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    ).prompt()
    assert (prompt.temperature, prompt.top_p, prompt.top_k, prompt.stop) == (0.5, 0.9, 5, ("a",))
    assert (prompt.service_tier, prompt.user, prompt.max_tokens) == ("default", "u", 3000)
    assert prompt.tools == (Tool("f", "d", {"type": "object"}, True, "5m"),)
    assert (prompt.tool_choice, prompt.tool_name, prompt.parallel_tool_calls) == ("tool", "f", False)
    assert (prompt.thinking_tokens, prompt.show_reasoning, prompt.effort) == (2000, True, "max")
    assert prompt.format == Format({"type": "object"}, enforced=True)
    assert (prompt.param("stop"), prompt.param("temperature")) == ("stop_sequences", "temperature")


@pytest.mark.parametrize(
    ("thinking", "tokens", "shown"),
    [
        (None, None, False),
        ({"type": "adaptive"}, None, False),
        ({"type": "adaptive", "display": "summarized"}, None, True),
        ({"type": "disabled"}, 0, False),
        ({"type": "between_tools"}, 0, False),
        ({"type": "enabled", "budget_tokens": 1024, "display": "omitted"}, 1024, False),
    ],
)
def test_thinking_is_read(thinking: Any, tokens: int | None, shown: bool) -> None:
    prompt = message_call(thinking=thinking, max_tokens=2000).prompt()
    assert (prompt.thinking_tokens, prompt.show_reasoning) == (tokens, shown)
    assert prompt.adaptive is ((thinking or {}).get("type") == "adaptive")


def test_another_wires_seals_are_unwrapped() -> None:
    blocks = (
        {"type": "thinking", "thinking": "t", "signature": "of:gemini:s:1"},
        {"type": "redacted_thinking", "data": "of:responses:gAAA"},
        USE,
        {"type": "redacted_thinking", "data": "tool-of:gemini:x:y"},
    )
    (told,) = message_call(**said(*blocks, role="assistant")).prompt().messages
    assert told.parts == (
        Reasoning("t", signature="s:1", wire="gemini"),
        Reasoning(sealed="gAAA", wire="responses"),
        ToolCall("toolu_1", "f", '{"a":1}', signature="x:y", wire="gemini"),
    )


def test_a_mark_for_the_whole_is_one_for_its_last_part() -> None:
    prompt = message_call(cache_control={"type": "ephemeral", "ttl": "1h"}).prompt()
    assert prompt.messages == (Message("user", (Text("Hello", "1h"),)),)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"container": "c"}, "container"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"mcp_servers": [{"type": "url", "url": "https://x.example", "name": "x"}]}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, "tools"),
        (said({"type": "container_upload", "file_id": "f"}), "messages"),
        (said({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, role="assistant"), "messages"),
        (said({"type": "document", "source": {"type": "file", "file_id": "f"}}), "messages"),
        (said({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages"),
    ],
)
def test_what_only_this_wire_has_is_named(fields: dict[str, Any], name: str) -> None:
    assert message_call(**fields).prompt().further == (name,)
    assert (
        message_call(container=None, tools=[{"name": "f", "input_schema": {}, "defer_loading": False}]).prompt().further
        == ()
    )


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"context_management": {"edits": []}}, "context_management"),
        ({"speed": "fast"}, "speed"),
        ({"user_profile_id": "u"}, "user_profile_id"),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 20_000}}}, "output_config.task_budget"),
        ({"tools": [{"name": "f", "input_schema": {}, "input_examples": [{}]}]}, "tools.0.input_examples"),
    ],
)
def test_what_an_answer_is_nearly_the_same_without_is_minor(fields: dict[str, Any], name: str) -> None:
    found = message_call(**fields).prompt()
    assert (found.minor, found.further) == ((name,), ())


def test_an_empty_text_is_nothing() -> None:
    assert message_call(system="", messages=[{"role": "user", "content": ""}]).prompt().messages == (
        Message("user", ()),
    )


def test_the_middle_form_is_made_of_plain_values() -> None:
    orjson.dumps([part for one in message_call(system="x").prompt().messages for part in one.parts])
