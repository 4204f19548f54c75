"""What clients of other wires bound an answer with: no more than the target's model writes, and what is cut is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.target import Target
from tests.wire.generations import generation_call
from tests.wire.messages import USER, foreign, message_call
from tests.wire.prompts import ASKED
from tests.wire.requests import call_of, target_of

MOST = 16_384
BUDGETED = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
# A provider's kind, a model, and where its wire bounds an answer.
WIRES = [
    ("anthropic", "claude-haiku-5-5", "max_tokens"),
    ("openai", "gpt-4o", "max_completion_tokens"),
    ("openai", "o3-pro", "max_output_tokens"),
    ("mistral", "mistral-large-latest", "max_tokens"),
    ("openrouter", "openai/gpt-4o", "max_tokens"),
    ("gemini", "gemini-3.8-flash", "generationConfig.maxOutputTokens"),
    ("bedrock", BUDGETED, "inferenceConfig.maxTokens"),
]


def target(kind: str, model: str, most: int | None = MOST) -> Target:
    return replace(target_of(kind, model=model), output_most_tokens=most)


def request(kind: str, model: str, call: Call, most: int | None = MOST) -> HttpRequest:
    found = target(kind, model, most)
    return found.adapter.request(call, found)


def bound(sent: HttpRequest, place: str) -> Any:
    """What stands at a place of a body."""
    found = orjson.loads(sent.body)
    for name in place.split("."):
        found = found[name]
    return found


@pytest.mark.parametrize(("kind", "model", "place"), WIRES)
@pytest.mark.parametrize(
    ("asked", "most", "tokens", "dropped"),
    [
        (64_000, MOST, MOST, ("maxOutputTokens",)),
        (MOST + 1, MOST, MOST, ("maxOutputTokens",)),
        (MOST, MOST, MOST, ()),
        (100, MOST, 100, ()),
        (64_000, None, 64_000, ()),
    ],
)
def test_an_answer_is_bounded_by_what_the_model_writes(
    kind: str, model: str, place: str, asked: int, most: int | None, tokens: int, dropped: tuple[str, ...]
) -> None:
    prompt = Prompt((ASKED,), max_tokens=asked, params={"max_tokens": "maxOutputTokens"})
    sent = request(kind, model, foreign(prompt, dialect="gemini"), most)
    assert (bound(sent, place), sent.dropped) == (tokens, dropped)


@pytest.mark.parametrize(
    ("kind", "model", "call", "place"),
    [
        ("anthropic", "claude-haiku-5-5", message_call(max_tokens=64_000), "max_tokens"),
        (
            "openai", "gpt-4o", call_of({"model": "a", "messages": [USER], "max_tokens": 64_000}), "max_tokens",
        ),
        (
            "gemini", "gemini-3.8-flash", generation_call(generationConfig={"maxOutputTokens": 64_000}),
            "generationConfig.maxOutputTokens",
        ),
    ],
)  # fmt: skip
def test_a_body_of_the_same_wire_keeps_its_bound(kind: str, model: str, call: Call, place: str) -> None:
    sent = request(kind, model, call)
    assert (bound(sent, place), sent.dropped) == (64_000, ())


@pytest.mark.parametrize(
    ("kind", "model", "place"),
    [
        ("anthropic", "claude-haiku-4-5", "thinking.budget_tokens"),
        ("bedrock", BUDGETED, "additionalModelRequestFields.thinking.budget_tokens"),
        ("openrouter", "anthropic/claude-haiku-4-5", "reasoning.max_tokens"),
    ],
)
def test_a_budget_of_thought_stays_below_the_bound_that_is_sent(kind: str, model: str, place: str) -> None:
    prompt = Prompt((ASKED,), max_tokens=64_000, thinking_tokens=32_000, params={"thinking_tokens": "budget_tokens"})
    sent = request(kind, model, foreign(prompt))
    assert bound(sent, place) == MOST - 1
    assert sorted(sent.dropped) == ["budget_tokens", "max_tokens"]


def test_a_share_for_thought_is_one_of_the_bound_that_is_sent() -> None:
    sent = request("bedrock", BUDGETED, foreign(Prompt((ASKED,), max_tokens=64_000, effort="medium")))
    assert bound(sent, "additionalModelRequestFields.thinking.budget_tokens") == MOST // 2


def test_white_space_ends_the_answer_of_whoever_is_no_claude() -> None:
    for kind, model, place in (
        ("bedrock", "meta.llama3-8b-instruct-v1:0", "inferenceConfig.stopSequences"),
        ("gemini", "gemini-3.8-flash", "generationConfig.stopSequences"),
        ("openrouter", "openai/gpt-4o", "stop"),
    ):
        sent = request(kind, model, foreign(Prompt((ASKED,), stop=("\n",))))
        assert (bound(sent, place), sent.dropped) == (["\n"], ())
