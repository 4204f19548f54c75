"""Models that reason: how much each can be told to, and what it is not asked for meanwhile."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from oneflow_ai.catalog import load_catalog
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.prompt import Effort, Message, Prompt, Text
from oneflow_ai.providers import openai_reasoners
from tests.wire.chats import request_for

HI = Message("user", (Text("Hi"),))
EFFORTS = get_args(Effort)
SAMPLING: dict[str, Any] = {"temperature": 0.5, "top_p": 0.5, "presence_penalty": 0.5, "frequency_penalty": 0.5}


def sent(prompt: Prompt, model: str, kind: str = "openai") -> tuple[dict[str, Any], set[str]]:
    """The body that reaches a model, by a chat or by Responses, and the names of what was left out of it."""
    request = request_for(prompt, kind, model)
    return json.loads(request.body), set(request.dropped)


def effort_sent(effort: Effort, model: str, kind: str = "openai") -> tuple[str | None, bool]:
    """The word for an effort that reaches a model, and whether the client is told of it."""
    body, dropped = sent(Prompt((HI,), effort=effort), model, kind)
    return body.get("reasoning_effort") or body.get("reasoning", {}).get("effort"), "effort" in dropped


@pytest.mark.parametrize(
    ("kind", "model", "known"),
    [
        ("openai", "o3", "low medium high"),
        ("openai", "o4-mini", "low medium high"),
        ("openai", "ft:o4-mini-2025-04-16:org:my-chat:id", "low medium high"),
        ("openai", "gpt-5", "minimal low medium high"),
        ("openai", "gpt-5-mini-2025-08-07", "minimal low medium high"),
        ("openai", "gpt-5-pro", "high"),
        ("openai", "gpt-5-codex", "low medium high"),
        ("openai", "gpt-5.1", "none low medium high"),
        ("openai", "gpt-5.1-codex", "low medium high"),
        ("openai", "gpt-5.1-codex-max", "low medium high xhigh"),
        ("openai", "gpt-5.2", "none low medium high xhigh"),
        ("openai", "gpt-5.2-pro", "medium high xhigh"),
        ("openai", "gpt-5.3-codex", "low medium high xhigh"),
        ("openai", "gpt-5.4-mini", "none low medium high xhigh"),
        ("openai", "gpt-5.5", "none low medium high xhigh"),
        ("openai", "gpt-5.6-terra", "none low medium high xhigh max"),
        ("openai", "gpt-6-luna", "none low medium high xhigh max"),
        ("openai", "gpt-6-astra", "low medium high xhigh max"),
        ("openai", "gpt-6.1-terra", "none low medium high xhigh max"),
        ("openai", "gpt-6.1-sol", "low medium high xhigh max"),
        ("openai", "gpt-6.2-sol", "low medium high xhigh max"),
        ("azure", "gpt-5", "minimal low medium high"),
        ("azure", "my-deployment", "none minimal low medium high xhigh max"),
        ("xai", "grok-4.5", "low medium high"),
        ("xai", "grok-4.3", "none low medium high"),
        ("xai", "grok-3-mini", "low high"),
        ("groq", "openai/gpt-oss-120b", "low medium high"),
        ("openrouter", "openai/gpt-6-luna", "none minimal low medium high xhigh"),
    ],
)
def test_an_effort_that_a_model_does_not_know_becomes_the_nearest_and_is_told(
    kind: str, model: str, known: str
) -> None:
    words = known.split()
    for effort in EFFORTS:
        word, told = effort_sent(effort, model, kind)
        lower = [one for one in words if EFFORTS.index(one) <= EFFORTS.index(effort)]
        assert word == (lower[-1] if lower else words[0]), effort
        # More is only told of who wanted none at all.
        assert told is (word != effort and (bool(lower) or effort == "none")), effort


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-4.1"),
        ("openai", "ft:gpt-4.1-mini-2025-04-14:org::o3"),
        ("xai", "grok-4"),
        ("groq", "llama-3.3-70b"),
    ],
)
def test_who_takes_no_effort_is_sent_none(kind: str, model: str) -> None:
    assert [effort_sent(effort, model, kind) for effort in EFFORTS] == [(None, effort != "none") for effort in EFFORTS]
    assert sent(Prompt((HI,), thinking_tokens=0), model, kind)[1] == set()
    assert sent(Prompt((HI,), thinking_tokens=5_000), model, kind)[1] == {"thinking_tokens"}


def test_one_family_reasons_or_does_not() -> None:
    model = "qwen/qwen3.6-27b"
    assert [effort_sent(effort, model, "groq")[0] for effort in EFFORTS] == ["none", *["default"] * 6]


def test_a_budget_of_nothing_is_told_where_it_cannot_be() -> None:
    body, dropped = sent(Prompt((HI,), thinking_tokens=0), "gpt-6.1-sol")
    assert (body["reasoning_effort"], dropped) == ("low", {"thinking_tokens"})
    assert sent(Prompt((HI,), thinking_tokens=0), "gpt-6-luna")[1] == set()
    assert sent(Prompt((HI,), thinking_tokens=20_000), "gpt-6-luna")[0]["reasoning_effort"] == "high"


@pytest.mark.parametrize(
    ("model", "effort", "takes"),
    [
        ("gpt-4.1", None, True),
        ("gpt-5-chat-latest", None, True),
        ("o3", None, False),
        ("ft:o4-mini-2025-04-16:org::id", None, False),
        ("gpt-5", None, False),
        ("gpt-5", "none", False),
        ("gpt-5.1", None, True),
        ("gpt-5.1", "low", False),
        ("gpt-5.2", None, True),
        ("gpt-5.4", None, True),
        ("gpt-5.4", "minimal", True),
        ("gpt-5.5", None, False),
        ("gpt-5.5", "none", True),
        ("gpt-6-luna", None, False),
        ("gpt-6-luna", "none", True),
        ("gpt-6.1-sol", "none", False),
        ("gpt-5.5-pro", None, False),
    ],
)
def test_who_reasons_is_asked_for_no_sampling(model: str, effort: Effort | None, takes: bool) -> None:
    body, dropped = sent(Prompt((HI,), effort=effort, **SAMPLING), model)
    assert body.keys() & SAMPLING.keys() == (SAMPLING.keys() if takes else set())
    assert dropped & SAMPLING.keys() == (set() if takes else SAMPLING.keys())
    refused: tuple[dict[str, Any], ...] = ({"stop": ("END",)}, {"logit_bias": {"5": 1}}, {"logprobs": True})
    for more in refused:
        prompt = Prompt((HI,), effort=effort, params={"stop": "stop_sequences"}, **more)
        if takes:
            assert sent(prompt, model)[0].keys() > {*more, "messages"}
            continue
        (name,) = more
        with pytest.raises(Failure) as caught:
            sent(prompt, model)
        assert caught.value.param == {"stop": "stop_sequences"}.get(name, name)


def test_the_sampling_that_a_model_has_anyway_is_no_change() -> None:
    body, dropped = sent(Prompt((HI,), temperature=1.0, top_p=1, presence_penalty=0.0), "gpt-6-luna")
    assert dropped == set()
    assert body.keys() == {"model", "messages"}


def test_models_of_xai_are_never_stopped_though_they_may_not_reason() -> None:
    with pytest.raises(Failure):
        sent(Prompt((HI,), effort="none", stop=("x",)), "grok-4.3", "xai")


def test_all_that_reason_by_the_catalogue_have_a_row() -> None:
    catalog = load_catalog()
    names = [model for model in catalog.models("openai") if catalog.reasons(model) and "-chat" not in model]
    assert len(names) > 20
    assert [name for name in names if not any(row.models.match(name) for row in openai_reasoners.OPENAI)] == []
