"""`create_enhanced_provider`: one provider as a callable, by every name that the first edition had."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest

import enhanced_real_api
import oneflow_ai
import provider_manager
from oneflow_ai import create_enhanced_provider
from oneflow_ai.manager import Result
from oneflow_ai.manager.names import ALIASES
from oneflow_ai.simulator import ThreadedSimulator


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_every_name_is_a_provider_with_a_task_of_its_own(world: ThreadedSimulator, name: str) -> None:
    provider = create_enhanced_provider(name)
    owner, task = ALIASES[name]
    result = provider("Hello there")
    assert set(result) == set(Result.__annotations__)
    assert (result["status"], result["error"], result["provider_name"]) == ("success", None, owner)
    assert result["attempted_providers"] == [owner]
    assert (result["data"] is None) is (task.value == "text")


def test_a_task_and_a_model_may_be_named(world: ThreadedSimulator) -> None:
    provider = create_enhanced_provider("gpt")
    assert provider("A cat", task_type="image")["media_type"] == "image/png"
    assert provider("Hello", "audio")["media_type"] == "audio/mpeg"
    for model in ("gpt-6.1-sol", "openai/gpt-6.1-sol"):
        assert provider("Hello", model=model)["model"] == "gpt-6.1-sol"


def test_it_falls_back_to_nobody(world: ThreadedSimulator) -> None:
    result = create_enhanced_provider("gpt")("Hello", model="sim-F24")
    assert (result["status"], result["simulated"]) == ("error", False)
    assert result["attempted_providers"] in ([], ["openai"])
    result = create_enhanced_provider("claude")("A cat", task_type="image")
    assert (result["status"], result["attempted_providers"]) == ("error", [])
    assert create_enhanced_provider("gpt")("Hello", task_type="dance")["status"] == "error"


@pytest.mark.parametrize(
    "odd", [{"model": 5}, {"model": []}, {"task_type": []}, {"task_type": 5}, {"n": "3"}], ids=repr
)
def test_odd_arguments_are_a_result_too(world: ThreadedSimulator, odd: dict[str, Any]) -> None:
    result = create_enhanced_provider("gpt")("Hello", **odd)
    assert (result["status"], result["attempted_providers"]) == ("error", [])
    assert create_enhanced_provider("gpt")(None)["status"] == "error"


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        (
            "stability",
            "text",
            "stability does not do text; text is done by openai/gpt-6-luna, anthropic/claude-haiku-5-5",
        ),
        (
            "claude",
            "image",
            "anthropic does not do image; image is done by openai/gpt-image-2.6-flare, stability/stable-image-core",
        ),
        (
            "elevenlabs",
            "image",
            "elevenlabs does not do image; image is done by openai/gpt-image-2.6-flare, stability/stable-image-core",
        ),
    ],
)
def test_a_task_that_a_provider_lacks_is_told_with_those_who_have_it(
    world: ThreadedSimulator, name: str, task: str, words: str
) -> None:
    assert create_enhanced_provider(name)("Bees", task_type=task)["error"] == f"unsupported_operation: {words}"


def test_a_model_of_a_provider_that_lacks_the_task_is_told_so_too(world: ThreadedSimulator) -> None:
    result = create_enhanced_provider("stability")("Bees", task_type="text", model="stable-image-core")
    words = (
        "stability/stable-image-core does not do text; text is done by openai/gpt-6-luna, anthropic/claude-haiku-5-5"
    )
    assert result["error"] == f"unsupported_operation: {words}"


def test_a_name_that_is_none_is_refused(world: ThreadedSimulator) -> None:
    for name in ("nobody", "", None):
        with pytest.raises(ValueError, match="known are openai, anthropic"):
            create_enhanced_provider(name)  # type: ignore[arg-type] # what a caller may get wrong


def test_where_nothing_is_set_up_the_simulator_answers_and_says_so(nowhere: Path) -> None:
    result = create_enhanced_provider("gpt")("Hello", max_tokens=2)
    assert (result["status"], result["simulated"]) == ("success", True)


def test_providers_of_one_configuration_share_an_engine(
    world: ThreadedSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = create_enhanced_provider("gpt"), create_enhanced_provider("claude")
    assert one._manager is other._manager
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-dummy-0123456789")
    assert create_enhanced_provider("gpt")._manager is not one._manager
    del one, other
    gc.collect()


def test_the_published_modules_have_the_names_they_published() -> None:
    assert enhanced_real_api.create_enhanced_provider is oneflow_ai.create_enhanced_provider
    assert provider_manager.initialize_provider_manager is oneflow_ai.initialize_provider_manager
    assert provider_manager.ProviderManager is oneflow_ai.ProviderManager
    assert json.dumps(sorted(oneflow_ai.__all__))
