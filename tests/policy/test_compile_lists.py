"""What a provider lists itself, in the snapshot that is made of it."""

from datetime import date, timedelta

import pytest

from oneflow_ai.core.listing import Listed
from oneflow_ai.core.target import Provider
from tests.policy.compiled import TODAY, compiled, route, row, the

OFFERED = {
    "gpt-9-new": Listed("gpt-9-new", 32_000, 4_000),
    "gpt-6-luna": Listed("gpt-6-luna"),
    "gpt-6.1-sol": Listed("gpt-6.1-sol", ends=TODAY + timedelta(days=1)),
    "sora-realtime": Listed("sora-realtime"),
}


def test_what_the_provider_lists_is_what_it_has_for_the_tasks_served_here() -> None:
    [provider] = compiled(row("openai", offered=OFFERED)).providers.values()
    assert provider.listed == {"gpt-9-new", "gpt-6-luna", "gpt-6.1-sol"}
    assert "gpt-4-32k" in provider.retired


def test_a_model_that_only_the_list_knows_has_no_price_and_the_lists_limits() -> None:
    target = the(compiled(row("openai", offered=OFFERED)), "gpt-9-new")
    assert (target.price, target.context_window_tokens, target.output_most_tokens) == (None, 32_000, 4_000)


def test_the_day_that_the_list_tells_comes_before_the_catalogues() -> None:
    def provider(on: date) -> Provider:
        return compiled(row("openai", offered=OFFERED), on=on).providers["openai"]

    assert the(compiled(row("openai", offered=OFFERED)), "gpt-6.1-sol").ends == TODAY + timedelta(days=1)
    assert "gpt-6.1-sol" in provider(TODAY).listed
    assert "gpt-6.1-sol" in provider(TODAY + timedelta(days=1)).retired


def test_the_operators_own_list_comes_before_the_providers() -> None:
    [provider] = compiled(row("openai", offered=OFFERED, models=frozenset({"mine"}))).providers.values()
    assert provider.listed == {"mine"}


def test_what_only_a_list_tells_makes_no_name_ambiguous_and_decides_about_no_configuration() -> None:
    both = (row("openai", offered=OFFERED), row("mine", "vllm", offered={"gpt-6-luna": Listed("gpt-6-luna")}))
    assert the(compiled(*both), "gpt-6-luna").provider == "openai"
    with pytest.raises(ValueError, match="no configured provider, has this model"):
        compiled(*both, routes=[route("gpt-9-new")])


def test_a_model_tells_what_its_list_its_name_and_its_price_say_that_it_can_do() -> None:
    able = Listed("gpt-9-new", able=("vision", "tools"))
    [provider] = compiled(row("openai", offered={**OFFERED, "gpt-9-new": able})).providers.values()
    assert provider.capabilities("gpt-9-new") == ("text", "vision", "tools")
    assert provider.capabilities("gpt-6-luna") == ("text", "reasoning", "prompt_cache")
