"""How a Gemini model is told to think depends on its generation, and what it cannot do is told."""

from typing import Any

import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Format, Message, Prompt, Text, Tool
from oneflow_ai.providers.gemini_config import generation, generation_config

MESSAGES = (Message("user", (Text("Hello"),)),)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.5-pro", (2, 5)),
        ("gemini-2.5-flash-lite", (2, 5)),
        ("gemini-2.0-flash-001", (2, 0)),
        ("gemini-3-flash-preview", (3, 0)),
        ("gemini-3.1-pro-preview", (3, 1)),
        ("gemini-3.8-flash", (3, 8)),
        ("gemini-4-argon", (4, 0)),
        ("gemini-flash-latest", (3, 0)),
        ("gemini-flash-lite-latest", (3, 0)),
        ("gemma-4-31b-it", (0, 0)),
        ("gemini-embedding-2", (0, 0)),
        ("gemini-123.4", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_a_name_tells_its_generation(model: str, expected: tuple[int, int]) -> None:
    assert generation(model) == expected


BUDGET, LEVEL = "thinkingBudget", "thinkingLevel"


@pytest.mark.parametrize(
    ("model", "asked", "config", "dropped"),
    [
        ("gemini-2.5-flash", {}, None, ()),
        ("gemini-2.5-flash", {"effort": "none"}, {BUDGET: 0}, ()),
        ("gemini-2.5-flash", {"thinking_tokens": 0}, {BUDGET: 0}, ()),
        ("gemini-2.5-flash", {"effort": "low"}, {BUDGET: 1_024}, ()),
        ("gemini-2.5-flash", {"effort": "medium"}, {BUDGET: 8_192}, ()),
        ("gemini-2.5-flash", {"effort": "max"}, {BUDGET: 24_576}, ()),
        ("gemini-2.5-flash", {"thinking_tokens": 5_000, "effort": "low"}, {BUDGET: 5_000}, ()),
        ("gemini-2.5-flash", {"thinking_tokens": 99_999}, {BUDGET: 24_576}, ("thinking_tokens",)),
        ("gemini-2.5-flash", {"show_reasoning": True}, {"includeThoughts": True}, ()),
        ("gemini-2.5-flash-lite", {"show_reasoning": True}, {BUDGET: -1, "includeThoughts": True}, ()),
        ("gemini-2.5-flash-lite", {"thinking_tokens": 5}, {BUDGET: 512}, ("thinking_tokens",)),
        ("gemini-2.5-flash-lite", {"adaptive": True}, {BUDGET: -1}, ()),
        ("gemini-2.5-flash", {"adaptive": True}, None, ()),
        ("gemini-2.0-flash", {"adaptive": True}, None, ("adaptive",)),
        ("gemini-2.5-flash-lite", {"thinking_tokens": 0}, {BUDGET: 0}, ()),
        ("gemini-2.5-pro", {"effort": "none"}, {BUDGET: 128}, ("effort",)),
        ("gemini-2.5-pro", {"thinking_tokens": 0}, {BUDGET: 128}, ("thinking_tokens",)),
        ("gemini-2.5-pro", {"effort": "max"}, {BUDGET: 32_768}, ()),
        ("gemini-3.8-flash", {"effort": "minimal"}, {LEVEL: "LOW"}, ("effort",)),
        ("gemini-3.8-flash", {"effort": "low"}, {LEVEL: "LOW"}, ()),
        ("gemini-3.8-flash", {"effort": "high"}, {LEVEL: "HIGH"}, ()),
        ("gemini-3.8-flash", {"effort": "none"}, {LEVEL: "LOW"}, ("effort",)),
        (
            "gemini-3.8-flash",
            {"effort": "xhigh", "show_reasoning": True},
            {LEVEL: "HIGH", "includeThoughts": True},
            ("effort",),
        ),
        ("gemini-3.6-flash", {"effort": "max"}, {LEVEL: "HIGH"}, ("effort",)),
        ("gemini-3.6-flash", {"effort": "minimal"}, {LEVEL: "MINIMAL"}, ()),
        ("gemini-3.6-flash", {"effort": "none"}, {LEVEL: "MINIMAL"}, ("effort",)),
        ("gemini-3-flash-preview", {"effort": "minimal"}, {LEVEL: "MINIMAL"}, ()),
        ("gemini-3.1-pro-preview", {"effort": "minimal"}, {LEVEL: "LOW"}, ("effort",)),
        ("gemini-4-argon", {"thinking_tokens": 1_024}, {LEVEL: "LOW"}, ()),
        ("gemini-4-argon", {"thinking_tokens": 8_000}, {LEVEL: "MEDIUM"}, ()),
        ("gemini-4-argon", {"thinking_tokens": 99_999}, {LEVEL: "HIGH"}, ()),
        ("gemini-4-argon", {"thinking_tokens": 0}, {LEVEL: "LOW"}, ("thinking_tokens",)),
        ("gemini-flash-latest", {"effort": "minimal"}, {LEVEL: "LOW"}, ("effort",)),
        ("gemini-2.0-flash", {"effort": "high", "show_reasoning": True}, None, ("effort",)),
        ("gemini-2.0-flash", {"effort": "none"}, None, ()),
        ("gemma-4-31b-it", {"thinking_tokens": 500}, None, ("thinking_tokens",)),
    ],
)
def test_thinking(model: str, asked: dict[str, Any], config: dict[str, Any] | None, dropped: tuple[str, ...]) -> None:
    found, left_out = generation_config(Prompt(MESSAGES, **asked), model)
    assert found.get("thinkingConfig") == config
    assert left_out == dropped


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("gemini-2.5-flash", True),
        ("gemini-3.1-pro-preview", True),
        ("gemini-3.5-flash", True),
        ("gemini-3.5-flash-lite", False),
        ("gemini-3.6-flash", False),
        ("gemini-4-argon", False),
        ("gemma-4-31b-it", True),
    ],
)
def test_sampling_is_left_out_where_it_is_ignored(model: str, taken: bool) -> None:
    found, dropped = generation_config(Prompt(MESSAGES, temperature=0.5, top_k=3), model)
    assert found == ({"temperature": 0.5, "topK": 3} if taken else {})
    assert dropped == (() if taken else ("temperature", "top_k"))


@pytest.mark.parametrize("form", [Format(), Format({"type": "object"})])
def test_models_before_gemini_3_give_json_or_call_functions(form: Format) -> None:
    prompt = Prompt(MESSAGES, tools=(Tool("f"),), format=form, params={"format": "response_format"})
    with pytest.raises(Failure) as told:
        generation_config(prompt, "gemini-2.5-flash")
    assert (told.value.code, told.value.param) == ("unsupported_parameter", "response_format")
    assert generation_config(prompt, "gemini-3.8-flash")[0]["responseMimeType"] == "application/json"
