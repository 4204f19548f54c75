"""Each model of Anthropic's is asked for what it can do; names that are newer than the table count as the newest."""

import pytest

from oneflow_ai.catalog import load_catalog
from oneflow_ai.core.abilities import FEATURES
from oneflow_ai.providers.anthropic_prompt import ABILITIES, abilities_of
from oneflow_ai.providers.bedrock_model import family
from oneflow_ai.providers.claude import traits_of


@pytest.mark.parametrize(
    ("model", "thinking", "off", "sampling", "prefill", "forced"),
    [
        ("claude-opus-5-5", "adaptive", None, False, False, False),
        ("claude-opus-5-5-20260922", "adaptive", None, False, False, False),
        ("claude-fable-5-2", "adaptive", None, False, False, False),
        ("claude-mythos-5-1", "adaptive", None, False, False, False),
        ("claude-fable-5", "adaptive", None, False, False, True),
        ("claude-sonnet-5-5", "adaptive", "between_tools", False, False, False),
        ("claude-haiku-5-5", "adaptive", "disabled", False, False, True),
        ("claude-opus-5", "adaptive", "disabled", False, False, True),
        ("claude-sonnet-5", "adaptive", "disabled", False, False, True),
        ("claude-opus-4-8", "adaptive", "", False, False, True),
        ("claude-opus-4-7", "adaptive", "", False, False, True),
        ("claude-sonnet-4-6", "adaptive", "", True, False, True),
        ("claude-opus-4-5-20251101", "budget", "", True, True, True),
        ("claude-haiku-4-5-20251001", "budget", "", True, True, True),
        ("claude-opus-4-1", "budget", "", True, True, True),
        ("claude-sonnet-4-20250514", "budget", "", True, True, True),
        ("claude-3-7-sonnet-20250219", "budget", "", True, True, True),
        ("claude-3-haiku-20240307", "none", "", True, True, True),
        ("claude-tower-9", "adaptive", "disabled", False, False, True),
        ("kimi-k2", "budget", "", True, True, True),
    ],
)
def test_a_model_has_its_traits(
    model: str, thinking: str, off: str | None, sampling: bool, prefill: bool, forced: bool
) -> None:
    found = traits_of(model)
    assert (found.thinking, found.off, found.sampling, found.prefill, found.forced_tools) == (
        thinking, off, sampling, prefill, forced,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("claude-opus-5-5", "minimal", "low"),
        ("claude-opus-5-5", "xhigh", "xhigh"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-opus-4-6", "max", "max"),
        ("claude-opus-4-5", "max", "high"),
    ],
)
def test_an_effort_is_the_nearest_that_the_model_knows(model: str, asked: str, sent: str) -> None:
    assert traits_of(model).effort(asked) == sent


def test_every_feature_has_its_place() -> None:
    assert ABILITIES.keys() == FEATURES.keys()
    for model in load_catalog().models("anthropic"):
        assert abilities_of(traits_of(model)).keys() == FEATURES.keys()


def test_the_table_is_of_the_newest_models() -> None:
    assert abilities_of(traits_of("claude-haiku-5-5")) == ABILITIES


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-5-5",
        "claude-sonnet-5-5",
        "claude-fable-5",
        "claude-opus-4-7",
        "claude-sonnet-4-6",
        "claude-haiku-4-5",
    ],
)
@pytest.mark.parametrize(
    "before", ["anthropic.", "us.anthropic.", "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic."]
)
def test_a_model_is_the_same_wherever_it_is_served(name: str, before: str) -> None:
    row, traits = family(before + name), traits_of(name)
    assert (row.thinking, row.off, row.sampling) == (traits.thinking, traits.off, traits.sampling)
    assert (row.forced_tools, row.xhigh) == (traits.forced_tools, "xhigh" in traits.efforts)


def test_a_model_that_is_not_claude_has_a_row_of_its_own() -> None:
    assert family("amazon.nova-2-lite-v1:0").thinking == "levels"
    assert family("meta.llama4").thinking == ""
