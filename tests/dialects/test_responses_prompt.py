"""Requests to OpenAI's Responses in the middle form, and what of them only their own wire has."""

from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import (
    Document,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from tests.wire.replies import USER, response_call
from tests.wire.requests import target_of

CANARY = "canary7f3a"
CALL = {"type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_a", "output": "12"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PICTURE = f"data:image/png;base64,{PNG}"


def items(*found: Any) -> dict[str, Any]:
    return {"input": list(found)}


def said(*parts: Any) -> dict[str, Any]:
    """Fields with one message of these parts."""
    return items({"role": "user", "content": list(parts)})


CONVERSATION: list[Any] = [
    {"role": "developer", "content": [{"type": "input_text", "text": "Be brief"}]},
    {"type": "message", "role": "user", "content": "Hello"},
    {**THOUGHT, "encrypted_content": "gAAA"},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "I look.", "annotations": []},
            {"type": "refusal", "refusal": "No."},
        ],
    },
    CALL,
    {**CALL, "call_id": "call_b"},
    OUTPUT,
    {
        **OUTPUT,
        "call_id": "call_b",
        "output": [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": PICTURE},
        ],
    },
    {"role": "user", "content": "And?"},
]
SEAL = orjson.dumps({"id": "rs_1", "encrypted_content": "gAAA"}).decode()
READ = (
    Message("system", (Text("Be kind"),)),
    Message("system", (Text("Be brief"),)),
    Message("user", (Text("Hello"),)),
    Message(
        "assistant",
        (
            Reasoning("hm", SEAL),
            Text("I look."),
            Refusal("No."),
            ToolCall("call_a", "f", "{}"),
            ToolCall("call_b", "f", "{}"),
        ),
    ),
    Message(
        "user",
        (
            ToolResult("call_a", (Text("12"),)),
            ToolResult("call_b", (Text("see"), Image(data=PNG, media_type="image/png"))),
        ),
    ),
    Message("user", (Text("And?"),)),
)


def test_a_conversation_is_read() -> None:
    prompt = response_call(instructions="Be kind", input=CONVERSATION).prompt()
    assert prompt.further == ()
    assert prompt.messages == READ


def test_a_text_alone_is_a_users_message() -> None:
    assert response_call(input="Hello").prompt().messages == (Message("user", (Text("Hello"),)),)


def test_pictures_and_files_are_read() -> None:
    found = said(
        {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "high"},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="},
        {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
    )
    assert response_call(**found).prompt().messages[0].parts == (
        Image(url="https://a.example/b.png", detail="high"),
        Document(url="https://a.example/b.pdf"),
        Document(data="aGk=", media_type="text/plain", name="a.txt"),
        Text("x", "5m"),
    )


def test_options_are_read() -> None:
    schema = {"type": "object"}
    prompt = response_call(
        tools=[{"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True}],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        max_output_tokens=5,
        temperature=0.5,
        top_p=0.25,
        top_logprobs=3,
        text={
            "format": {"type": "json_schema", "name": "a", "schema": schema, "strict": True, "description": "b"},
            "verbosity": "low",
        },
        reasoning={"effort": "low", "summary": "auto", "context": "auto", "mode": "standard"},
        service_tier="flex",
        safety_identifier="u",
        metadata={"a": "b"},
        prompt_cache_key="k",
        truncation="auto",
        include=["reasoning.encrypted_content", "message.output_text.logprobs"],
        store=True,
        max_tool_calls=4,
        stream_options={"include_obfuscation": False},
        background=False,
        previous_response_id=None,
    ).prompt()
    assert prompt.further == ()
    assert prompt.tools == (Tool("f", "d", schema, strict=True),)
    assert (prompt.tool_choice, prompt.tool_name, prompt.parallel_tool_calls) == ("tool", "f", False)
    assert (prompt.max_tokens, prompt.temperature, prompt.top_p) == (5, 0.5, 0.25)
    assert (prompt.logprobs, prompt.top_logprobs) == (True, 3)
    assert prompt.format == Format(schema, "a", "b", strict=True)
    assert (prompt.verbosity, prompt.effort, prompt.show_reasoning) == ("low", "low", True)
    assert (prompt.service_tier, prompt.user, prompt.metadata) == ("flex", "u", {"a": "b"})
    assert (prompt.cache_key, prompt.truncation) == ("k", True)
    assert prompt.param("user") == "safety_identifier"
    assert response_call(text={"format": {"type": "json_object"}}).prompt().format == Format()
    assert response_call(text={"format": {"type": "text"}}, service_tier="auto").prompt().format is None


def test_the_newer_name_of_the_end_user_counts_and_the_other_is_told() -> None:
    prompt = response_call(user="u", safety_identifier="s").prompt()
    assert (prompt.user, prompt.param("user"), prompt.minor) == ("s", "safety_identifier", ("user",))
    assert response_call(user="u").prompt().minor == ()


def test_allowed_tools_are_all_that_is_offered() -> None:
    tools = [{"type": "function", "name": name} for name in "abc"]
    allowed = [{"type": "function", "name": name} for name in "ac"]
    for mode, choice in (("auto", "auto"), ("required", "required")):
        asked = {"type": "allowed_tools", "mode": mode, "tools": allowed}
        prompt = response_call(tools=tools, tool_choice=asked).prompt()
        assert ([tool.name for tool in prompt.tools], prompt.tool_choice) == (["a", "c"], choice)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}, "tools[1]"),
        ({"tools": [{"type": "custom", "name": "f"}]}, "tools[0]"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        (items(USER, {"type": "item_reference", "id": "msg_1"}), "input[1]"),
        (items(USER, {"type": "web_search_call", "id": "ws_1"}), "input[1]"),
        (items(USER, {"type": "compaction", "encrypted_content": "x"}), "input[1]"),
        (said({"type": "input_image", "file_id": "file_1"}), "input[0].content[0].file_id"),
        (said({"type": "input_file", "file_id": "file_1"}), "input[0].content[0].file_id"),
        (said({"type": "input_audio", "input_audio": {}}), "input[0].content[0]"),
    ],
)
def test_what_only_this_wire_has_is_refused_by_others_and_kept_for_its_own(fields: dict[str, Any], param: str) -> None:
    call = response_call(**fields)
    own, other = target_of("openai"), target_of("anthropic", model="claude-sonnet-5-5")
    with pytest.raises(Failure) as caught:
        other.adapter.request(call, other)
    assert (caught.value.code, caught.value.param, caught.value.kind.other) == ("unsupported_parameter", param, True)
    body = orjson.loads(own.adapter.request(call, own).body)
    assert {name: body[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"top_logprobs": 2, "include": ["message.output_text.logprobs"]}, "top_logprobs"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
    ],
)
def test_what_a_target_cannot_do_is_told_by_the_clients_name(fields: dict[str, Any], param: str) -> None:
    target = target_of("anthropic", model="claude-sonnet-5-5")
    with pytest.raises(Failure) as caught:
        target.adapter.request(response_call(**fields), target)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


def test_what_is_dropped_is_told_by_the_clients_name() -> None:
    target = target_of("anthropic", model="claude-sonnet-5-5")
    asked = {"temperature": 0.5, "text": {"verbosity": "low"}, "metadata": {"a": "b"}, "truncation": "auto"}
    call = response_call(**asked, prompt_cache_key="k")
    dropped = target.adapter.request(call, target).dropped
    assert set(dropped) == {"temperature", "text.verbosity", "metadata", "truncation", "prompt_cache_key"}


MINOR = {
    "store": True,
    "prompt_cache_options": {"ttl": "30m"},
    "prompt_cache_retention": "24h",
    "max_tool_calls": 3,
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
}


@pytest.mark.parametrize("kind", ["anthropic", "gemini", "bedrock", "groq"])
def test_what_matters_little_is_left_out_and_told(kind: str) -> None:
    target = target_of(kind, model="claude-sonnet-5-5")
    assert set(target.adapter.request(response_call(**MINOR), target).dropped) == set(MINOR)


def test_not_to_be_stored_is_what_becomes_of_every_answer_elsewhere() -> None:
    assert response_call(store=False).prompt().minor == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": 5}]}, "tools[0].parameters"),
        (items(CALL, {**OUTPUT, "output": [{"type": "refusal", "refusal": "x"}]}), "input[1].output"),
    ],
)
def test_what_cannot_be_read_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as caught:
        response_call(**fields).prompt()
    assert (caught.value.status, caught.value.param) == (400, param)


def test_names_of_the_client_are_told() -> None:
    prompt = response_call().prompt()
    names = {
        "messages": "input",
        "max_tokens": "max_output_tokens",
        "format": "text.format",
        "effort": "reasoning.effort",
    }
    assert {name: prompt.param(name) for name in names} == names


# ---- seals of other wires


def sealed(seal: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal}


def test_seals_of_another_wire_are_that_wires_own_again() -> None:
    call = response_call(
        input=[
            USER,
            {**THOUGHT, "encrypted_content": "of:anthropic:EqQB"},
            sealed("of:anthropic:sealed:dark"),
            CALL,
            {**CALL, "call_id": "call_b"},
            sealed('of:gemini:call:["call_a","sig"]'),
            OUTPUT,
            {**OUTPUT, "call_id": "call_b"},
        ]
    )
    assert call.prompt().messages[1].parts == (
        Reasoning("hm", "EqQB", wire="anthropic"),
        Reasoning(sealed="dark", wire="anthropic"),
        ToolCall("call_a", "f", "{}", signature="sig", wire="gemini"),
        ToolCall("call_b", "f", "{}"),
    )


MADE_HERE = {"type": "reasoning", "id": f"rs_{'0a' * 12}_0", "summary": [{"type": "summary_text", "text": "Hm"}]}
OPENAIS = f"rs_{'0a' * 25}"
XAIS = "rs_006cb394-e479-972b-b41e-422dbefebb96"


@pytest.mark.parametrize("seal", [{}, {"encrypted_content": None}, {"encrypted_content": ""}])
def test_a_thought_without_a_seal_that_was_told_here_is_not_sent_on(seal: dict[str, Any]) -> None:
    call = response_call(input=[USER, {**MADE_HERE, **seal}, CALL, OUTPUT])
    assert call.body["input"] == [USER, CALL, OUTPUT]
    assert call.prompt().messages[1].parts == (Reasoning("Hm"), ToolCall("call_a", "f", "{}"))


@pytest.mark.parametrize(
    "kept",
    [
        {"id": OPENAIS}, {"id": XAIS}, {"id": f"rs_{'0a' * 25}_0"}, {"id": "rs_1_0"}, {"id": None}, {},
        {"encrypted_content": "gAAA"},
    ],
)  # fmt: skip
def test_a_thought_that_a_provider_may_know_goes_as_it_is(kept: dict[str, Any]) -> None:
    thought = {**MADE_HERE, **kept} if kept else {name: MADE_HERE[name] for name in ("type", "summary")}
    given = [USER, thought, CALL, OUTPUT]
    assert response_call(input=given).body["input"] == given


@pytest.mark.parametrize(
    "seal", ["call:", "call:5", "call:[1,2]", "call:[]", 'call:["a"]', "call:{", "call:" + "[" * 999]
)
def test_a_forged_seal_of_a_call_is_none(seal: str) -> None:
    prompt = response_call(input=[USER, CALL, sealed(f"of:gemini:{seal}"), OUTPUT]).prompt()
    assert prompt.messages[1].parts == (ToolCall("call_a", "f", "{}"),)
