"""What is sent to Anthropic: valid by its own specification, from its own clients untouched, from others translated."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oneflow_ai.control.checking import ListsModels
from oneflow_ai.core.call import Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Image,
    Message,
    Prompt,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.dialects.anthropic import parse
from oneflow_ai.providers.anthropic import CURRENT_VERSION, OLDER_VERSION, version_of
from oneflow_ai.providers.anthropic_models import traits_of
from tests.wire.messages import KIND, MODEL, USER, foreign, message_call, requested, sent
from tests.wire.requests import KEY, envelope, target_of

OLD = "claude-haiku-4-5"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "The weather of a city", SCHEMA)
ASKED = Message("user", (Text("Hello"),))
CALLED = Message("assistant", (ToolCall("call_a", "weather", '{"city":"Ulm"}'), ToolCall("call_b", "weather", "{}")))
RESULTS = Message("user", (ToolResult("call_a", (Text("12"),)), ToolResult("call_b", (Text("no"),), failed=True)))
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PROMPTS: dict[str, Prompt] = {
    "plain": Prompt((ASKED,)),
    "system": Prompt((Message("system", (Text("Be kind", cache="5m"), Text("Be brief", cache="1h"))), ASKED)),
    "conversation": Prompt((ASKED, Message("assistant", (Text("Hi"), Refusal("No."))), ASKED)),
    "later system": Prompt((ASKED, Message("assistant", (Text("Hi"),)), Message("system", (Text("Stop"),)), ASKED)),
    "tools": Prompt(
        (ASKED,), tools=(WEATHER, Tool("bare"), Tool("strict", strict=True, cache="1h")), tool_choice="auto"
    ),
    "one tool at a time": Prompt((ASKED,), tools=(WEATHER,), parallel_tool_calls=False),
    "no tool": Prompt((ASKED,), tools=(WEATHER,), tool_choice="none", parallel_tool_calls=False),
    "any tool": Prompt((ASKED,), tools=(WEATHER,), tool_choice="required", parallel_tool_calls=False),
    "this tool": Prompt((ASKED,), tools=(WEATHER,), tool_choice="tool", tool_name="weather"),
    "tool loop": Prompt((ASKED, CALLED, RESULTS), tools=(WEATHER,)),
    "odd ids": Prompt(
        (
            ASKED,
            Message("assistant", (ToolCall("functions.get:0", "weather", ""),)),
            Message("user", (ToolResult("functions.get:0", ()),)),
        ),
        tools=(WEATHER,),
    ),
    "pictures": Prompt(
        (
            Message(
                "user", (Image(url="https://example.com/a.png"), Image(data=PNG, media_type="image/png", cache="5m"))
            ),
        )
    ),
    "documents": Prompt(
        (
            Message(
                "user",
                (
                    Document(url="https://example.com/a.pdf"),
                    Document(data="JVBERi0=", media_type="application/pdf", name="a.pdf", citations=True),
                    Document(text="plain", name="note", cache="1h"),
                    Document(data="aGk=", media_type="text/markdown"),
                ),
            ),
        )
    ),
    "picture from a tool": Prompt(
        (
            ASKED,
            CALLED,
            Message("user", (*RESULTS.parts, ToolResult("call_a", (Image(data=PNG, media_type="image/png"),)))),
        )
    ),
    "thoughts": Prompt(
        (
            ASKED,
            Message(
                "assistant",
                (
                    Reasoning("hm", signature="s1", wire="anthropic"),
                    Reasoning(sealed="dark", wire="anthropic"),
                    Reasoning("other", signature="s2", wire="gemini"),
                    Text("Hi"),
                ),
            ),
            ASKED,
        )
    ),
    "structured": Prompt(
        (ASKED,), format=Format({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}})
    ),
    "effort": Prompt((ASKED,), effort="high", show_reasoning=True),
    "budget": Prompt((ASKED,), thinking_tokens=2048, max_tokens=4096),
    "no thought": Prompt((ASKED,), effort="none"),
    "options": Prompt((ASKED,), max_tokens=5, stop=(".", "!"), service_tier="default", user="u" * 600),
    "sampling": Prompt((ASKED,), temperature=1.7, top_p=0.5, top_k=4, seed=7, presence_penalty=1.0, cache_key="k"),
}
MODELS = (
    MODEL,
    OLD,
    "claude-opus-4-6",
    "claude-opus-4-8",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-opus-4-5",
    "kimi-k2",
)
FORCED = ("any tool", "this tool")


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> dict[str, Any]:
    """Anthropic's specification; it describes version 2023-06-01."""
    loaded: dict[str, Any] = json.loads((shared_folder / "specs" / "anthropic-openapi.json").read_text("utf-8"))
    return loaded


def mistakes(specification: dict[str, Any], body: dict[str, Any], schema: str = "CreateMessageParams") -> Iterator[str]:
    """What the specification has against a body."""
    root = {"$ref": f"#/components/schemas/{schema}", "components": specification["components"]}
    return (error.message for error in Draft202012Validator(root).iter_errors(body))


@pytest.mark.parametrize("model", MODELS)
def test_every_request_is_valid(specification: dict[str, Any], model: str) -> None:
    for name, prompt in PROMPTS.items():
        if name in FORCED and not traits_of(model).forced_tools:
            continue
        body = sent(foreign(prompt, stream=True), model)
        # Newer than the specification: the lowest setting of thoughts on Sonnet 5.5.
        body = {field: value for field, value in body.items() if value != {"type": "between_tools"}}
        assert list(mistakes(specification, body)) == [], name
        assert body["model"] == model


def test_every_count_is_valid(specification: dict[str, Any]) -> None:
    for name, prompt in PROMPTS.items():
        body = sent(foreign(prompt, Operation.COUNT_TOKENS))
        assert list(mistakes(specification, body, "CountMessageTokensParams")) == [], name


def test_the_specification_finds_mistakes(specification: dict[str, Any]) -> None:
    for wrong in (
        {"model": MODEL, "messages": [USER]},
        {"model": MODEL, "max_tokens": 5},
        {"max_tokens": 5, "messages": [USER]},
    ):
        assert list(mistakes(specification, wrong)), wrong


# ---- of its own clients


def test_its_own_clients_body_is_kept_in_its_order() -> None:
    body = {"zeta": {"b": 1, "a": [None, 1.5]}, "model": "text", "messages": [USER], "max_tokens": 5, "alpha": "ß😀"}
    request = requested(parse(orjson.dumps(body), envelope()))
    assert request.body == orjson.dumps(body | {"model": MODEL})
    assert (request.method, request.url, request.dropped) == ("POST", "https://api.anthropic.com/v1/messages", ())


def test_the_clients_own_chain_stays_here() -> None:
    assert sent(message_call(models=["a"], fallbacks=["b"])) == {"model": MODEL, "messages": [USER], "max_tokens": 64}


def test_a_count_has_its_own_address() -> None:
    request = requested(message_call(Operation.COUNT_TOKENS))
    assert request.url == "https://api.anthropic.com/v1/messages/count_tokens"
    assert orjson.loads(request.body) == {"model": MODEL, "messages": [USER]}


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1/messages"),
    ],
)
def test_the_version_may_stand_in_the_address(base_url: str, url: str) -> None:
    target = target_of(KIND, model=MODEL, base_url=base_url)
    assert target.adapter.request(message_call(), target).url == url


def test_the_key_is_in_its_header_alone() -> None:
    request = requested(message_call())
    assert [pair for pair in request.headers if KEY in pair[1]] == [("x-api-key", KEY)]
    assert KEY.encode() not in request.body


def headers_of(asked: tuple[tuple[str, str], ...] = (), **fields: Any) -> dict[str, str]:
    return dict(requested(replace(message_call(**fields), headers=asked)).headers)


def test_the_client_names_version_and_beta_features() -> None:
    asked = (("anthropic-version", OLDER_VERSION), ("anthropic-beta", "a-1,b-2"))
    found = headers_of(asked)
    assert (found["anthropic-version"], found["anthropic-beta"]) == (OLDER_VERSION, "a-1,b-2")
    assert "anthropic-beta" not in headers_of()


CITED = {"type": "text", "text": "x", "citations": [{"type": "char_location"}]}


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ({}, CURRENT_VERSION),
        ({"temperature": None}, CURRENT_VERSION),
        ({"temperature": 0}, OLDER_VERSION),
        ({"top_p": 1}, OLDER_VERSION),
        ({"top_k": 1}, OLDER_VERSION),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, CURRENT_VERSION),
        ({"messages": [{"role": "assistant", "content": [{"type": "document"}]}]}, OLDER_VERSION),
        ({"messages": [{"role": "user", "content": [CITED]}]}, OLDER_VERSION),
        ({"messages": [{"role": "assistant", "content": [CITED]}]}, CURRENT_VERSION),
        ({"messages": [{"role": "user", "content": [{**CITED, "citations": []}]}]}, CURRENT_VERSION),
        ({"messages": [{"role": "user", "content": [{"type": "search_result", "content": [CITED]}]}]}, OLDER_VERSION),
        ({"messages": [{"role": "user", "content": [{"type": "search_result", "content": "x"}]}]}, CURRENT_VERSION),
        ({"messages": ["x", {"role": "user", "content": "x"}, {"content": ["x"]}]}, CURRENT_VERSION),
    ],
)
def test_the_version_is_the_newest_that_takes_the_body(body: dict[str, Any], version: str) -> None:
    assert version_of(body) == version
    assert version_of(body, "2030-01-01") == "2030-01-01"
    assert version_of(body, current=False) == OLDER_VERSION


# ---- of others


def test_a_prompt_becomes_blocks() -> None:
    assert sent(foreign(PROMPTS["system"])) == {
        "model": MODEL,
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "system": [
            {"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
    }


def test_results_of_tools_come_first_in_one_turn() -> None:
    split = (ASKED, CALLED, Message("user", (Text("and?"), RESULTS.parts[0])), Message("user", (RESULTS.parts[1],)))
    turn = sent(foreign(Prompt(split, tools=(WEATHER,))))["messages"][-1]
    assert [block["type"] for block in turn["content"]] == ["tool_result", "tool_result", "text"]
    assert [block.get("is_error") for block in turn["content"][:2]] == [None, True]


def test_ids_are_made_of_what_the_wire_takes() -> None:
    messages = sent(foreign(PROMPTS["odd ids"]))["messages"]
    assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"] == "functions_get_0"


def test_only_its_own_thoughts_are_given_back() -> None:
    blocks = sent(foreign(PROMPTS["thoughts"]))["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "redacted_thinking", "text"]


@pytest.mark.parametrize(
    ("model", "place"),
    [("claude-opus-5", "turn"), ("claude-opus-4-8", "turn"), ("claude-sonnet-5", "system"), (OLD, "system")],
)
def test_a_later_system_message_keeps_its_place_where_it_may(model: str, place: str) -> None:
    later = Message("system", (Text("Stop"),))
    body = sent(foreign(Prompt((ASKED, later))), model)
    assert (len(body["messages"]), "system" in body) == ((2, False) if place == "turn" else (1, True))
    moved = sent(foreign(PROMPTS["later system"]), model)
    assert [turn["role"] for turn in moved["messages"]] == ["user", "assistant", "user"]
    assert moved["system"][0]["text"] == "Stop"


@pytest.mark.parametrize(
    ("fields", "model", "param"),
    [
        ({"tool_choice": "required", "tools": (WEATHER,)}, "claude-opus-5-5", "tool_choice"),
        ({"tool_choice": "tool", "tool_name": "weather", "tools": (WEATHER,)}, "claude-fable-5-2", "tool_choice"),
        ({"messages": (ASKED, Message("assistant", (Text("{"),)))}, MODEL, "input"),
        ({"messages": (Message("user", (Audio("UklGRg==", "wav"),)),)}, MODEL, "input"),
        ({"messages": (Message("system", (Text("x"),)),)}, MODEL, "input"),
        ({"messages": (ASKED, Message("assistant", (ToolCall("a", "f", "[1]"),)), ASKED)}, MODEL, "input"),
        (
            {"messages": (ASKED, Message("assistant", (ToolCall("a", "f", '{"a":' * 300 + "1" + "}" * 300),)), ASKED)},
            MODEL,
            "input",
        ),
        ({"messages": (Message("user", (Document(data="eA==", media_type="application/msword"),)),)}, MODEL, "input"),
        ({"messages": (Message("user", (Document(data="//8=", media_type="text/plain"),)),)}, MODEL, "input"),
        ({"n": 2}, MODEL, "n"),
        ({"logprobs": True}, MODEL, "logprobs"),
        ({"logit_bias": {"5": 1.0}}, MODEL, "logit_bias"),
        ({"format": Format()}, MODEL, "response_format"),
        ({"further": ("store",)}, MODEL, "store"),
    ],
)
def test_what_a_model_cannot_do_is_refused_by_the_clients_name(fields: dict[str, Any], model: str, param: str) -> None:
    names = {"messages": "input", "format": "response_format"}
    prompt = Prompt(**({"messages": (ASKED,), "params": names} | fields))
    with pytest.raises(Failure) as caught:
        requested(foreign(prompt), model)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("fields", "model", "dropped", "kept"),
    [
        ({"temperature": 0.5}, MODEL, ("temperature",), {}),
        ({"temperature": 0.5}, OLD, (), {"temperature": 0.5}),
        ({"temperature": 1.5}, OLD, ("temperature",), {"temperature": 1.0}),
        ({"temperature": 0.5, "top_p": 0.9}, OLD, ("top_p",), {"temperature": 0.5}),
        ({"temperature": 0.5, "top_p": 0.9}, "kimi-k2", (), {"temperature": 0.5, "top_p": 0.9}),
        ({"top_p": 0.9, "top_k": 3}, "claude-opus-4-6", (), {"top_p": 0.9, "top_k": 3}),
        ({"temperature": 0.5, "effort": "low", "max_tokens": 9000}, OLD, ("temperature",), {}),
        ({"seed": 4, "verbosity": "low"}, MODEL, ("seed", "verbosity"), {}),
        ({"service_tier": "flex"}, MODEL, ("service_tier",), {}),
        ({"service_tier": "auto"}, MODEL, (), {"service_tier": "auto"}),
        ({"metadata": {"a": "b"}, "user": "u"}, MODEL, ("metadata",), {"metadata": {"user_id": "u"}}),
    ],
)
def test_what_is_left_out_is_told(
    fields: dict[str, Any], model: str, dropped: tuple[str, ...], kept: dict[str, Any]
) -> None:
    request = requested(foreign(Prompt((ASKED,), **fields)), model)
    body = orjson.loads(request.body)
    assert request.dropped == dropped
    names = ("temperature", "top_p", "top_k", "service_tier", "metadata", "seed")
    assert {name: body[name] for name in names if name in body} == kept
    sampled = not {"temperature", "top_p", "top_k"}.isdisjoint(body)
    assert dict(request.headers)["anthropic-version"] == (
        OLDER_VERSION if sampled or model == "kimi-k2" else CURRENT_VERSION
    )


@pytest.mark.parametrize(
    ("fields", "model", "thinking", "effort", "dropped"),
    [
        ({}, MODEL, None, None, ()),
        ({"effort": "high"}, MODEL, {"type": "adaptive"}, "high", ()),
        ({"effort": "minimal"}, MODEL, {"type": "adaptive"}, "low", ()),
        ({"effort": "xhigh"}, MODEL, {"type": "adaptive"}, "xhigh", ()),
        ({"effort": "xhigh"}, "claude-opus-4-6", {"type": "adaptive"}, "high", ()),
        ({"effort": "max"}, "claude-opus-4-6", {"type": "adaptive"}, "max", ()),
        (
            {"effort": "max", "max_tokens": 10_000},
            "claude-opus-4-5",
            {"type": "enabled", "budget_tokens": 9_500},
            "high",
            (),
        ),
        ({"show_reasoning": True}, MODEL, {"type": "adaptive", "display": "summarized"}, None, ()),
        ({"thinking_tokens": 5_000}, MODEL, {"type": "adaptive"}, None, ("thinking_tokens",)),
        ({"effort": "none"}, MODEL, {"type": "disabled"}, None, ()),
        ({"effort": "none"}, "claude-sonnet-5-5", {"type": "between_tools"}, None, ()),
        ({"effort": "none"}, "claude-opus-4-8", None, None, ()),
        ({"effort": "none"}, "claude-opus-5-5", None, "low", ("effort",)),
        ({"effort": "none"}, OLD, None, None, ()),
        ({"thinking_tokens": 0, "effort": "max"}, "claude-opus-5", {"type": "disabled"}, "high", ()),
        ({"thinking_tokens": 0}, "claude-opus-5-5", None, "low", ("thinking_tokens",)),
        ({"effort": "low", "max_tokens": 10_000}, OLD, {"type": "enabled", "budget_tokens": 2_000}, None, ()),
        ({"effort": "minimal", "max_tokens": 2_000}, OLD, {"type": "enabled", "budget_tokens": 1_024}, None, ()),
        ({"effort": "high", "max_tokens": 1_000}, OLD, None, None, ("effort",)),
        ({"thinking_tokens": 3_000, "max_tokens": 2_000}, OLD, {"type": "enabled", "budget_tokens": 1_999}, None, ()),
        ({"thinking_tokens": 100, "max_tokens": 2_000}, OLD, {"type": "enabled", "budget_tokens": 1_024}, None, ()),
        ({"effort": "low", "tools": (WEATHER,), "tool_choice": "required"}, OLD, None, None, ("effort",)),
        ({"effort": "low", "messages": (ASKED, CALLED, RESULTS)}, OLD, None, None, ("effort",)),
        ({"effort": "low", "messages": (ASKED, CALLED, RESULTS)}, "claude-opus-4-6", {"type": "adaptive"}, "low", ()),
        ({"effort": "low"}, "claude-3-5-haiku", None, None, ("effort",)),
    ],
)
def test_thinking_is_asked_for_as_each_model_has_it(
    fields: dict[str, Any], model: str, thinking: Any, effort: str | None, dropped: tuple[str, ...]
) -> None:
    request = requested(foreign(Prompt(**({"messages": (ASKED,)} | fields))), model)
    body = orjson.loads(request.body)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, effort)
    assert request.dropped == dropped


@pytest.mark.parametrize(
    ("asked", "most", "tokens"),
    [
        (None, None, 8192),
        (None, 64_000, 64_000),
        (100, 64_000, 100),
        (100_000, 64_000, 64_000),
        (100_000, None, 100_000),
    ],
)
def test_an_answer_has_a_bound_that_the_model_keeps(asked: int | None, most: int | None, tokens: int) -> None:
    target = replace(target_of(KIND, model=MODEL), output_most_tokens=most)
    request = target.adapter.request(foreign(Prompt((ASKED,), max_tokens=asked)), target)
    assert orjson.loads(request.body)["max_tokens"] == tokens


def test_objects_of_a_schema_are_closed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
            "map": {"type": "object"},
        },
    }
    found = sent(foreign(Prompt((ASKED,), format=Format(schema))))["output_config"]["format"]
    assert found["type"] == "json_schema"
    assert found["schema"]["additionalProperties"] is False
    assert found["schema"]["properties"]["list"]["items"]["additionalProperties"] is False
    assert found["schema"]["properties"]["map"] == {"type": "object"}


# ---- there and back

ToolChoice = Literal["", "auto", "none", "required", "tool"]
# A body with a NUL is refused.
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20)
CACHES = st.sampled_from(["", "5m", "1h"])
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
JSON_OBJECTS = st.dictionaries(TEXTS, st.integers(-5, 5) | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)
RESULT_PARTS = st.lists(st.builds(Text, TEXTS, CACHES), max_size=2).map(tuple)
IMAGES = st.builds(Image, url=st.just("https://example.com/a.png"), cache=CACHES) | st.builds(
    Image, data=st.just(PNG), media_type=st.just("image/png"), cache=CACHES
)
DOCUMENTS = st.builds(
    Document,
    data=st.just("JVBERi0="),
    media_type=st.just("application/pdf"),
    name=TEXTS,
    cache=CACHES,
    citations=st.booleans(),
) | st.builds(Document, text=TEXTS, name=TEXTS, cache=CACHES)
USER_PARTS = st.builds(Text, TEXTS, CACHES) | IMAGES | DOCUMENTS
THOUGHTS = st.builds(Reasoning, TEXTS, signature=TEXTS) | st.builds(Reasoning, sealed=TEXTS)
PLAIN_TOOLS = st.builds(
    Tool,
    NAMES,
    TEXTS,
    st.just({"type": "object", "properties": {}}),
    st.sampled_from([None, True, False]),
    CACHES,
)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """A prompt that this wire can send whole to a model that takes all of it."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append(
            Message("system", tuple(draw(st.lists(st.builds(Text, TEXTS, CACHES), min_size=1, max_size=2))))
        )
    messages.append(Message("user", tuple(draw(st.lists(USER_PARTS, min_size=1, max_size=3)))))
    for _ in range(draw(st.integers(0, 2))):
        calls = draw(
            st.lists(
                st.builds(
                    ToolCall, NAMES, NAMES, JSON_OBJECTS.map(lambda one: orjson.dumps(one).decode()), cache=CACHES
                ),
                max_size=2,
            )
        )
        thoughts = draw(st.lists(THOUGHTS, max_size=2))
        said = draw(st.lists(st.builds(Text, TEXTS, CACHES), min_size=1, max_size=2))
        messages.append(Message("assistant", (*thoughts, *said, *calls)))
        results = [ToolResult(call.id, draw(RESULT_PARTS), draw(st.booleans()), draw(CACHES)) for call in calls]
        messages.append(Message("user", (*results, *draw(st.lists(USER_PARTS, min_size=1, max_size=2)))))
    tools = tuple(draw(st.lists(PLAIN_TOOLS, max_size=2)))
    choices: tuple[ToolChoice, ...] = ("", "auto", "none")
    choice = draw(st.sampled_from(choices)) if tools else ""
    return Prompt(
        messages=tuple(messages),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=draw(st.sampled_from([None, False])) if tools and choice == "auto" else None,
        max_tokens=draw(st.integers(1, 60_000)),
        stop=tuple(draw(st.lists(TEXTS, max_size=2))),
        format=draw(st.none() | st.just(Format(SCHEMA))),
        effort=draw(st.sampled_from([None, "low", "medium", "high", "xhigh", "max"])),
        show_reasoning=draw(st.booleans()),
        service_tier=draw(st.sampled_from(["", "auto", "default"])),
        user=draw(st.text(CHARACTERS, max_size=20)),
    )


@given(prompts())
def test_a_prompt_comes_back_from_its_body(prompt: Prompt) -> None:
    call = foreign(prompt, dialect="anthropic")
    body = sent(call)
    found = message_call(**body).prompt()
    assert replace(found, params={}) == prompt
    assert found.params["stop"] == "stop_sequences"


def test_the_list_of_models_has_its_own_address() -> None:
    for base_url in (None, "https://api.anthropic.com/v1"):
        target = target_of(KIND, model=MODEL, base_url=base_url)
        assert isinstance(target.adapter, ListsModels)
        request = target.adapter.models_request(target)
        assert (request.method, request.url) == ("GET", "https://api.anthropic.com/v1/models?limit=1000")
        assert dict(request.headers)["anthropic-version"] == CURRENT_VERSION
        assert request.body == b""
