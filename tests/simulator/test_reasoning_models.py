"""What the simulated provider refuses of OpenAI's models, by the model, the field and the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.simulator import Simulator
from tests.simulator.raw import once

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "simulator.md"
QUOTED = re.compile("`(.+?)`")
Fields = Mapping[str, Any]

TOOL: Fields = {"type": "function", "function": {"name": "get_weather"}}
CUSTOM: Fields = {"type": "custom", "custom": {"name": "get_weather"}}
FLAT: Fields = {"type": "function", "name": "get_weather"}
TOOLS: Fields = {"tools": [TOOL]}
LOGPROBS = "message.output_text.logprobs"


async def _asked(simulator: Simulator, path: str, model: str, fields: Fields) -> tuple[int, Any]:
    """The status, and of a refusal its error."""
    question = {"messages": [{"role": "user", "content": "x"}]} if path == CHAT else {"input": "x"}
    seen = await once(simulator, {"model": model, **question, **fields}, path=path)
    return seen.status, seen.json.get("error")


def _effort(path: str, effort: str) -> Fields:
    return {"reasoning_effort": effort} if path == CHAT else {"reasoning": {"effort": effort}}


def _refusal(message: str, param: str | None, code: str | None) -> tuple[int, Fields]:
    return 400, {"message": message, "type": "invalid_request_error", "param": param, "code": code}


# Models that only Responses have.
NO_CHAT = (
    *("o1-pro", "o3-pro-2025-06-10", "o3-deep-research", "o4-mini-deep-research", "computer-use-preview"),
    *("gpt-5-pro", "gpt-5.2-pro", "gpt-5.4-pro", "gpt-5.5-pro", "gpt-5-codex", "gpt-5.1-codex-max", "gpt-5.2-codex"),
    *("gpt-5.3-codex", "gpt-5.6-cyber", "gpt-daybreak-red-latest"),
)


# ---- efforts

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TO_HIGH = ("low", "medium", "high")
TO_XHIGH = (*TO_HIGH, "xhigh")
TO_MAX = (*TO_XHIGH, "max")
KNOWN: Mapping[str, tuple[str, ...]] = {
    "o1": TO_HIGH,
    "o3-mini-2025-01-31": TO_HIGH,
    "o4-mini": TO_HIGH,
    "gpt-5": ("minimal", *TO_HIGH),
    "gpt-5-nano": ("minimal", *TO_HIGH),
    "gpt-5-mini-2025-08-07": ("minimal", *TO_HIGH),
    "gpt-5-pro": ("high",),
    "gpt-5-codex": TO_HIGH,
    "gpt-5.1": ("none", *TO_HIGH),
    "gpt-5.1-codex": TO_HIGH,
    "gpt-5.1-codex-mini": TO_HIGH,
    "gpt-5.1-codex-max": TO_XHIGH,
    "gpt-5.2": ("none", *TO_XHIGH),
    "gpt-5.4-mini": ("none", *TO_XHIGH),
    "gpt-5.2-codex": TO_XHIGH,
    "gpt-5.3-codex": TO_XHIGH,
    "gpt-5.2-pro": ("medium", "high", "xhigh"),
    "gpt-5.4-pro": ("medium", "high", "xhigh"),
    "gpt-5.5-pro": ("medium", "high", "xhigh"),
    "gpt-5.5": ("none", *TO_XHIGH),
    "gpt-5.6": ("none", *TO_MAX),
    "gpt-5.6-terra": ("none", *TO_MAX),
    "gpt-6-luna-2026-08-01": ("none", *TO_MAX),
    "gpt-6.1-terra": ("none", *TO_MAX),
    "gpt-6-astra": TO_MAX,
    "gpt-6.1-sol": TO_MAX,
    "gpt-6.2-astra": TO_MAX,
    "gpt-oss-20b": TO_HIGH,
    "gpt-4.1-mini": (),
    "gpt-5-chat-latest": (),
    "gpt-5.1-chat-latest": (),
    "mistral-large-latest": EFFORTS,
    "sim-model": EFFORTS,
    "openai/gpt-5": EFFORTS,
}


@pytest.mark.parametrize(
    ("model", "path"),
    [(model, path) for path in (CHAT, RESPONSES) for model in KNOWN if path == RESPONSES or model not in NO_CHAT],
)
async def test_a_model_takes_the_efforts_it_knows(simulator: Simulator, model: str, path: str) -> None:
    taken = [each for each in EFFORTS if (await _asked(simulator, path, model, _effort(path, each)))[0] == 200]
    assert taken == [each for each in EFFORTS if each in KNOWN[model]]


def _documented() -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Each model that the reference page names, with its efforts and what it says of those unasked."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("### What OpenAI's models do not take")
    rows = [line.split(" | ") for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    found = []
    for models, efforts, *unasked in rows:
        spans = [
            EFFORTS[EFFORTS.index(a) : EFFORTS.index(b) + 1] for a, b in re.findall(r"`(\w+)` to `(\w+)`", efforts)
        ]
        named = {*QUOTED.findall(efforts), *(each for span in spans for each in span)}
        known = tuple(each for each in EFFORTS if each in named)
        found += [(name, known, QUOTED.findall(unasked[0])) for name in QUOTED.findall(models)]
    return found


@pytest.mark.parametrize(("model", "efforts", "unasked"), _documented())
async def test_the_page_tells_the_efforts(
    simulator: Simulator, model: str, efforts: tuple[str, ...], unasked: list[str]
) -> None:
    path = RESPONSES if model in NO_CHAT else CHAT
    taken = [each for each in EFFORTS if (await _asked(simulator, path, model, _effort(path, each)))[0] == 200]
    assert tuple(taken) == efforts
    sampled = unasked[:1] in ([], ["none"]) or model == "gpt-oss"
    assert (await _asked(simulator, path, model, {"top_p": 0.9}))[0] == (200 if sampled else 400)


ON_CHAT = "Unsupported value: 'reasoning_effort' does not support '{}' with this model. Supported values are: {}."
ON_RESPONSES = "Unsupported value: '{}' is not supported with the '{}' model. Supported values are: {}."
LISTED = "'none', 'low', 'medium', 'high', and 'xhigh'"


@pytest.mark.parametrize(
    ("path", "model", "effort", "refusal"),
    [
        (CHAT, "gpt-5.2", "minimal", (ON_CHAT.format("minimal", LISTED), "reasoning_effort", "unsupported_value")),
        (CHAT, "gpt-4o", "low", ("Unrecognized request argument supplied: reasoning_effort", None, None)),
        (CHAT, "gpt-5-chat-latest", "low", ("Unrecognized request argument supplied: reasoning_effort", None, None)),
        (
            *(RESPONSES, "gpt-5.2", "minimal"),
            (ON_RESPONSES.format("minimal", "gpt-5.2", LISTED), "reasoning.effort", "unsupported_value"),
        ),
        (
            *(RESPONSES, "gpt-5-pro", "low"),
            (ON_RESPONSES.format("low", "gpt-5-pro", "'high'"), "reasoning.effort", "unsupported_value"),
        ),
        (
            *(RESPONSES, "gpt-4.1", "low"),
            (
                "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
                "reasoning.effort",
                "unsupported_parameter",
            ),
        ),
    ],
)
async def test_an_unknown_effort_is_refused_in_its_words(
    simulator: Simulator, path: str, model: str, effort: str, refusal: tuple[str, str | None, str | None]
) -> None:
    assert await _asked(simulator, path, model, _effort(path, effort)) == _refusal(*refusal)


# ---- sampling

TEMPERATURE = "Unsupported value: 'temperature' does not support 0.3 with this model. Only the default (1) value is "
UNSUPPORTED = "Unsupported parameter: '{}' is not supported with this model."
REFUSED: tuple[tuple[str, Fields, tuple[str, str, str | None]], ...] = (
    (CHAT, {"temperature": 0.3}, (f"{TEMPERATURE}supported.", "temperature", "unsupported_value")),
    *(
        (CHAT, {name: value}, (UNSUPPORTED.format(name), name, "unsupported_parameter"))
        for name, value in (
            ("top_p", 0.9),
            ("presence_penalty", 0.1),
            ("frequency_penalty", -1),
            ("logprobs", True),
            ("logit_bias", {"50256": -100}),
            ("stop", "x"),
            ("stop", ["x"]),
        )
    ),
    *(
        (RESPONSES, {name: value}, (UNSUPPORTED.format(param), param, None))
        for name, value, param in (
            ("temperature", 0.3, "temperature"),
            ("top_p", 0.9, "top_p"),
            ("top_logprobs", 2, "top_logprobs"),
            ("include", [LOGPROBS], "include"),
        )
    ),
)


@pytest.mark.parametrize(("path", "fields", "refusal"), REFUSED)
async def test_a_model_that_reasons_takes_no_sampling(
    simulator: Simulator, path: str, fields: Fields, refusal: tuple[str, str, str | None]
) -> None:
    refused = _refusal(*refusal)
    assert await _asked(simulator, path, "gpt-6-luna", fields) == refused
    assert await _asked(simulator, path, "o3", fields) == refused
    assert await _asked(simulator, path, "gpt-5.4", {**fields, **_effort(path, "low")}) == refused


@pytest.mark.parametrize(("path", "fields"), [(path, fields) for path, fields, _ in REFUSED])
async def test_a_model_that_does_not_reason_takes_it(simulator: Simulator, path: str, fields: Fields) -> None:
    for model in ("gpt-5.4", "gpt-5.1", "gpt-4.1-mini", "gpt-5.1-chat-latest", "gpt-oss-20b", "grok-4", "sim-model"):
        assert await _asked(simulator, path, model, fields) == (200, None), model
    assert await _asked(simulator, path, "gpt-6-luna", {**fields, **_effort(path, "none")}) == (200, None)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"temperature": 1.0, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0.0}),
        (CHAT, {"logprobs": False, "logit_bias": {}, "stop": None, "temperature": None, "tools": []}),
        (RESPONSES, {"temperature": 1, "top_p": 1.0, "top_logprobs": 0, "include": ["reasoning.encrypted_content"]}),
        (RESPONSES, {"temperature": None, "include": None, "reasoning": None, "tools": [FLAT]}),
    ],
)
async def test_what_says_nothing_is_taken(simulator: Simulator, path: str, fields: Fields) -> None:
    assert await _asked(simulator, path, "gpt-6-luna", fields) == (200, None)


# ---- functions in a chat


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-5.4", TO_XHIGH),
        ("gpt-5.5", (None, *TO_XHIGH)),
        ("gpt-5.6", (None, *TO_MAX)),
        ("gpt-5.6-luna", (None, *TO_MAX)),
        ("gpt-6-sol", (None, *TO_MAX)),
        ("gpt-6.1-terra", (None, "none", *TO_MAX)),
        ("gpt-6-astra", (None, *TO_MAX)),
        ("gpt-6.2-sol", (None, *TO_MAX)),
    ],
)
async def test_a_chat_takes_no_functions_from_newer_models_that_reason(
    simulator: Simulator, model: str, efforts: tuple[str | None, ...]
) -> None:
    words = (
        f"Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. To use function "
        "tools, use /v1/responses or set reasoning_effort to 'none'."
    )
    for effort in efforts:
        refused = await _asked(simulator, CHAT, model, {**TOOLS, "reasoning_effort": effort})
        assert refused == _refusal(words, "reasoning_effort", None), effort


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gpt-5.4", TOOLS),
        ("gpt-6-luna", {**TOOLS, "reasoning_effort": "none"}),
        ("gpt-6-luna", {"tools": [CUSTOM]}),
        ("gpt-5.2", {**TOOLS, "reasoning_effort": "high"}),
        ("o3", TOOLS),
        ("gpt-4.1", TOOLS),
        ("gpt-oss-20b", {**TOOLS, "reasoning_effort": "high"}),
    ],
)
async def test_others_take_them(simulator: Simulator, model: str, fields: Fields) -> None:
    assert await _asked(simulator, CHAT, model, fields) == (200, None)


# ---- models that chats do not have


@pytest.mark.parametrize("model", NO_CHAT)
async def test_a_chat_does_not_have_the_models_of_responses_alone(simulator: Simulator, model: str) -> None:
    words = (
        "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
        "Did you mean to use v1/completions?"
    )
    assert await _asked(simulator, CHAT, model, {}) == (404, _refusal(words, "model", None)[1])
    assert await _asked(simulator, CHAT, model, {"stream": True}) == (404, _refusal(words, "model", None)[1])
    assert await _asked(simulator, RESPONSES, model, {}) == (200, None)


@pytest.mark.parametrize("model", ["openai/gpt-5-pro", "sim-pro", "gpt-5.1-codex", "ft:o4-mini-2025-04-16:org::id"])
async def test_a_chat_has_others(simulator: Simulator, model: str) -> None:
    assert await _asked(simulator, CHAT, model, {}) == (200, None)


async def test_a_fine_tuned_model_is_judged_as_its_base(simulator: Simulator) -> None:
    assert (await _asked(simulator, CHAT, "ft:o4-mini-2025-04-16:org::id", {"stop": "x"}))[0] == 400
    assert (await _asked(simulator, CHAT, "ft:gpt-4.1-2025-04-14:org::o3", {"stop": "x"}))[0] == 200
