"""What clients of other wires ask of Anthropic's models: translated, refused by name, or left out and told."""

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import (
    Audio,
    Document,
    Format,
    Message,
    Prompt,
    Reasoning,
    Text,
    ToolCall,
)
from oneflow_ai.providers.anthropic import CURRENT_VERSION, OLDER_VERSION
from tests.wire.messages import KIND, MODEL, foreign, requested, sent
from tests.wire.prompts import ASKED, CALLED, PROMPTS, RESULTS, WEATHER
from tests.wire.requests import target_of

OLD = "claude-haiku-4-5"
FORCED: dict[str, Any] = {"tools": (WEATHER,), "tool_choice": "required"}
BUDGET, CUT = {"type": "enabled"}, ("thinking_tokens",)
THINKS = BUDGET | {"budget_tokens": 2_000}


def thought(wire: str) -> Message:
    """The turn that called tools, with a thought that this wire sealed."""
    return replace(CALLED, parts=(Reasoning("Hm", "seal", wire=wire), *CALLED.parts))


# As a client of this very wire gives it back.
UNSEALED = replace(CALLED, parts=(Reasoning("Hm", wire="anthropic"), *CALLED.parts))


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


def test_what_the_system_says_alone_is_said_by_the_user() -> None:
    body = sent(foreign(Prompt((Message("system", (Text("Be kind", "5m"),)),))))
    mark = {"cache_control": {"type": "ephemeral"}}
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Be kind", **mark}]}]
    assert "system" not in body


def test_results_of_tools_come_first_in_one_turn() -> None:
    split = (ASKED, CALLED, Message("user", (Text("and?"), RESULTS.parts[0])), Message("user", (RESULTS.parts[1],)))
    turn = sent(foreign(Prompt(split, tools=(WEATHER,))))["messages"][-1]
    assert [block["type"] for block in turn["content"]] == ["tool_result", "tool_result", "text"]
    assert [block.get("is_error") for block in turn["content"][:2]] == [None, True]


def test_ids_are_made_of_what_the_wire_takes() -> None:
    messages = sent(foreign(PROMPTS["odd ids"]))["messages"]
    assert messages[1]["content"][0]["id"] == messages[2]["content"][0]["tool_use_id"]
    assert re.fullmatch(r"tool_[0-9a-f]{32}", messages[1]["content"][0]["id"])


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
        ({"messages": (Message("system", ()),)}, MODEL, "input"),
        ({"messages": (Message("user", (Document(data="eA==", media_type="application/msword"),)),)}, MODEL, "input"),
        ({"messages": (Message("user", (Document(data="//8=", media_type="text/plain"),)),)}, MODEL, "input"),
        ({"n": 2}, MODEL, "n"),
        ({"logprobs": True}, MODEL, "logprobs"),
        ({"logit_bias": {"5": 1.0}}, MODEL, "logit_bias"),
        ({"format": Format()}, MODEL, "response_format"),
        ({"further": ("store",)}, MODEL, "store"),
        ({"stop": ("END", "\n"), "params": {"stop": "stopSequences"}}, MODEL, "stopSequences"),
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
        ({"effort": "xhigh"}, "claude-opus-4-6", {"type": "adaptive"}, "high", ("effort",)),
        ({"effort": "max"}, "claude-opus-4-6", {"type": "adaptive"}, "max", ()),
        (
            {"effort": "max", "max_tokens": 10_000},
            "claude-opus-4-5",
            {"type": "enabled", "budget_tokens": 9_500},
            "high",
            ("effort",),
        ),
        ({"show_reasoning": True}, MODEL, {"type": "adaptive", "display": "summarized"}, None, ()),
        ({"thinking_tokens": 5_000}, MODEL, {"type": "adaptive"}, None, ("thinking_tokens",)),
        ({"adaptive": True}, "claude-opus-4-8", {"type": "adaptive"}, None, ()),
        ({"adaptive": True}, OLD, None, None, ("adaptive",)),
        ({"adaptive": True}, "claude-3-5-haiku", None, None, ("adaptive",)),
        ({"adaptive": True, "effort": "low", **FORCED}, "claude-opus-4-7", None, "low", ("adaptive",)),
        ({"effort": "high", **FORCED}, "claude-opus-4-6", None, "high", ()),
        ({"effort": "none"}, MODEL, {"type": "disabled"}, None, ()),
        ({"effort": "none"}, "claude-sonnet-5-5", {"type": "between_tools"}, None, ()),
        ({"effort": "none"}, "claude-opus-4-8", None, None, ()),
        ({"effort": "none"}, "claude-opus-5-5", None, "low", ("effort",)),
        ({"effort": "none"}, OLD, None, None, ()),
        ({"thinking_tokens": 0, "effort": "max"}, "claude-opus-5", {"type": "disabled"}, "high", ("effort",)),
        ({"thinking_tokens": 0}, "claude-opus-5-5", None, "low", ("thinking_tokens",)),
        ({"effort": "low", "max_tokens": 10_000}, OLD, {"type": "enabled", "budget_tokens": 2_000}, None, ()),
        ({"effort": "minimal", "max_tokens": 2_000}, OLD, {"type": "enabled", "budget_tokens": 1_024}, None, ()),
        ({"effort": "high", "max_tokens": 1_000}, OLD, None, None, ("effort",)),
        ({"thinking_tokens": 1_500, "max_tokens": 2_000}, OLD, {"type": "enabled", "budget_tokens": 1_500}, None, ()),
        ({"thinking_tokens": 3_000, "max_tokens": 2_000}, OLD, BUDGET | {"budget_tokens": 1_999}, None, CUT),
        ({"thinking_tokens": 100, "max_tokens": 2_000}, OLD, BUDGET | {"budget_tokens": 1_024}, None, CUT),
        ({"effort": "low", **FORCED}, OLD, None, None, ("effort",)),
        ({"effort": "low", "messages": (ASKED, CALLED, RESULTS)}, OLD, None, None, ("effort",)),
        ({"effort": "low", "messages": (ASKED, thought("gemini"), RESULTS)}, OLD, None, None, ("effort",)),
        ({"thinking_tokens": 2_000, "messages": (ASKED, thought("anthropic"), RESULTS)}, OLD, THINKS, None, ()),
        ({"thinking_tokens": 2_000, "messages": (ASKED, UNSEALED, RESULTS)}, OLD, None, None, CUT),
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


@pytest.mark.parametrize("written", ["[1]", "{", "not json"])
def test_arguments_that_are_no_object_are_kept_as_text(written: str) -> None:
    turns = (ASKED, Message("assistant", (ToolCall("a", "f", written),)), ASKED)
    block = sent(foreign(Prompt(turns)))["messages"][1]["content"][0]
    assert block["input"] == {"arguments": written}


def test_arguments_that_are_nested_too_deep_are_refused() -> None:
    deep = ToolCall("a", "f", '{"a":' * 300 + "1" + "}" * 300)
    with pytest.raises(Failure) as told:
        sent(foreign(Prompt((ASKED, Message("assistant", (deep,)), ASKED), params={"messages": "input"})))
    assert (told.value.code, told.value.param) == ("too_deep", "input")


@pytest.mark.parametrize(
    ("asked", "most", "tokens", "dropped"),
    [
        (None, None, 8192, ()),
        (None, 64_000, 64_000, ()),
        (100, 64_000, 100, ()),
        (64_000, 64_000, 64_000, ()),
        (100_000, 64_000, 64_000, ("max_completion_tokens",)),
        (100_000, None, 100_000, ()),
    ],
)
def test_an_answer_has_a_bound_that_the_model_keeps_and_what_is_cut_is_told(
    asked: int | None, most: int | None, tokens: int, dropped: tuple[str, ...]
) -> None:
    target = replace(target_of(KIND, model=MODEL), output_most_tokens=most)
    prompt = Prompt((ASKED,), max_tokens=asked, params={"max_tokens": "max_completion_tokens"})
    request = target.adapter.request(foreign(prompt), target)
    assert (orjson.loads(request.body)["max_tokens"], request.dropped) == (tokens, dropped)


@pytest.mark.parametrize(("characters", "dropped"), [(512, ()), (513, ("safety_identifier",))])
def test_a_users_name_that_is_cut_is_told(characters: int, dropped: tuple[str, ...]) -> None:
    prompt = Prompt((ASKED,), user="u" * characters, params={"user": "safety_identifier"})
    request = requested(foreign(prompt), MODEL)
    assert (orjson.loads(request.body)["metadata"], request.dropped) == ({"user_id": "u" * 512}, dropped)
