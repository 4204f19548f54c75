"""`ProviderManager`: what it gives, along which chain, and what it tells of its providers."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.manager import (
    BestProvider,
    ProviderManager,
    Result,
    initialize_provider_manager,
)
from oneflow_ai.simulator import FAST, Rule, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.manager.world import FOUR, enter, key_of, variables

KEYS = set(Result.__annotations__)
# An answer that says that its credential is refused: the next provider is asked at once.
REFUSED = "F24"


@pytest.fixture
def manager(world: ThreadedSimulator) -> Iterator[ProviderManager]:
    with initialize_provider_manager(use_real_api=True) as manager:
        yield manager


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ThreadedSimulator]:
    """A world in which OpenAI's text models refuse every key."""
    rule = Rule(fault=REFUSED, model="gpt-*", path="/v1/chat/*")
    with run_in_thread(SimulatorOptions(pace=FAST, rules=(rule,))) as simulator:
        enter(monkeypatch, tmp_path, variables(tmp_path, simulator))
        yield simulator


def test_a_result_has_every_key_and_is_json_but_for_its_bytes(manager: ProviderManager) -> None:
    text = manager.execute_with_fallback("text", "Hello there")
    picture = manager.execute_with_fallback("image", "A cat")
    wrong = manager.execute_with_fallback("text", "")
    assert {frozenset(result) for result in (text, picture, wrong)} == {frozenset(KEYS)}
    assert json.loads(json.dumps(text)) == text
    assert json.dumps({**picture, "data": None})
    assert type(text) is dict


def test_text_tells_who_answered_and_what_it_cost(manager: ProviderManager) -> None:
    result = manager.execute_with_fallback("text", "Hello there", max_tokens=9)
    assert (result["status"], result["error"], result["simulated"]) == ("success", None, False)
    assert result["response"] is not None and result["response"].startswith("This is a simulated answer")
    assert (result["provider_name"], result["attempted_providers"]) == ("openai", ["openai"])
    assert (result["model"], result["data"], result["media_type"]) == ("gpt-6-luna", None, None)
    assert [type(result[name]) for name in ("cost", "tokens_used", "response_time")] == [float, int, float]
    assert (result["cost"] > 0, result["tokens_used"] > 9, result["response_time"] > 0) == (True, True, True)


@pytest.mark.parametrize("task", ["speech", "audio"])
def test_sound_comes_as_bytes_and_as_a_data_url(manager: ProviderManager, task: str) -> None:
    manager.set_fallback_chain(task, ["openai"])
    result = manager.execute_with_fallback(task, "Hello", response_format="wav")
    assert (result["status"], result["media_type"]) == ("success", "audio/wav")
    assert result["data"] is not None and result["response"] is not None
    assert result["response"] == "data:audio/wav;base64," + base64.b64encode(result["data"]).decode()


def test_a_recording_is_written_down(manager: ProviderManager, tmp_path: Path) -> None:
    manager.set_fallback_chain("transcription", ["openai"])
    manager.set_fallback_chain("speech", ["openai"])
    sound = manager.execute_with_fallback("speech", "Hello to you all, " * 6, response_format="wav")
    assert sound["data"] is not None
    (tmp_path / "talk.wav").write_bytes(sound["data"])
    whisper = {"model": "openai/whisper-1"}
    result = manager.execute_with_fallback("transcription", str(tmp_path / "talk.wav"), **whisper)
    assert result["response"] is not None and '"talk.wav' in result["response"]
    # Paid by the hour, whatever else its provider counts.
    default = manager.execute_with_fallback("transcription", str(tmp_path / "talk.wav"))
    assert (default["model"], default["cost"] > 0) == ("gpt-transcribe", True)
    missing = manager.execute_with_fallback("transcription", str(tmp_path / "none.wav"))
    assert missing["error"] is not None and "none.wav" in missing["error"]


def test_the_next_provider_answers_where_the_first_cannot(failing: ThreadedSimulator) -> None:
    with initialize_provider_manager(use_real_api=True) as manager:
        result = manager.execute_with_fallback("text", "Hello there")
        assert (result["status"], result["provider_name"]) == ("success", "anthropic")
        assert result["attempted_providers"] == ["openai", "anthropic"]
        statuses = manager.get_all_providers_status()
        assert statuses["openai"]["status"] == "unavailable"
        error = statuses["openai"]["metrics"]["last_error"]
        assert error is not None and error.startswith("provider_auth_failed")
        assert key_of("openai") not in json.dumps(statuses)


def test_when_nobody_can_the_last_failure_is_told_and_nothing_is_simulated(failing: ThreadedSimulator) -> None:
    with initialize_provider_manager(use_real_api=True) as manager:
        manager.set_fallback_chain("text", ["gpt"])
        result = manager.execute_with_fallback("text", "Hello there")
        assert (result["status"], result["simulated"], result["provider_name"]) == ("error", False, "openai")
        assert result["attempted_providers"] == ["openai"]
        assert result["error"] is not None and result["error"].startswith("provider_auth_failed")


def test_the_simulator_ends_a_real_chain_only_where_it_is_asked_for(failing: ThreadedSimulator, tmp_path: Path) -> None:
    (tmp_path / "oneflow.toml").write_text("[routes.text]\nsimulate_last = true\n")
    with initialize_provider_manager(use_real_api=True) as manager:
        assert manager.execute_with_fallback("text", "Hello")["provider_name"] == "anthropic"
    with initialize_provider_manager(use_real_api=True) as manager:
        manager.set_fallback_chain("text", ["openai"])
        result = manager.execute_with_fallback("text", "Hello there")
        assert (result["status"], result["simulated"], result["cost"]) == ("success", True, 0.0)
        assert result["attempted_providers"] == ["openai", "simulator"]
        assert manager.get_metrics_summary()["total_requests"] == 1


def test_a_chain_is_tried_in_the_order_that_was_set(manager: ProviderManager) -> None:
    manager.set_fallback_chain("text", ["claude", "gpt"])
    assert manager.execute_with_fallback("text", "Hello")["provider_name"] == "anthropic"
    manager.set_fallback_chain("text", ["openai", "anthropic"])
    assert manager.execute_with_fallback("text", "Hello")["provider_name"] == "openai"


@pytest.mark.parametrize(
    ("task", "names"), [("text", ["nobody"]), ("text", []), ("dance", ["gpt"]), ("text", [7]), ("text", "gpt")]
)
def test_a_chain_of_what_is_no_provider_is_refused(manager: ProviderManager, task: str, names: Any) -> None:
    with pytest.raises(ValueError, match="known are|one of|at least"):
        manager.set_fallback_chain(task, names)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "anthropic/claude-sonnet-5-5"])
def test_a_model_is_asked_of_the_provider_that_has_it(manager: ProviderManager, model: str) -> None:
    result = manager.execute_with_fallback("text", "Hello", model=model)
    assert (result["provider_name"], result["model"]) == ("anthropic", "claude-sonnet-5-5")


def test_the_next_providers_use_their_own_model(failing: ThreadedSimulator) -> None:
    with initialize_provider_manager(use_real_api=True) as manager:
        result = manager.execute_with_fallback("text", "Hello", model="gpt-6.1-sol")
        assert result["attempted_providers"] == ["openai", "anthropic"]
        assert (result["status"], result["model"]) == ("success", "claude-haiku-5-5")


def test_a_retired_model_is_followed_by_its_successor_and_told_once(manager: ProviderManager) -> None:
    with pytest.warns(UserWarning, match="openai/gpt-3.5-turbo has ended; openai/gpt-6-luna is called"):
        result = manager.execute_with_fallback("text", "Hello", model="gpt-3.5-turbo")
    assert (result["status"], result["model"]) == ("success", "gpt-6-luna")
    assert manager.execute_with_fallback("text", "Hello", model="gpt-3.5-turbo")["status"] == "success"


def test_a_provider_without_a_credential_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, simulator: ThreadedSimulator
) -> None:
    enter(monkeypatch, tmp_path, variables(tmp_path, simulator, "anthropic"))
    with initialize_provider_manager(use_real_api=True) as manager:
        result = manager.execute_with_fallback("text", "Hello")
        assert result["attempted_providers"] == ["anthropic"]
        manager.set_fallback_chain("text", ["openai", "anthropic"])
        assert manager.execute_with_fallback("text", "Hello")["attempted_providers"] == ["anthropic"]
        assert manager.get_provider_status("gpt")["status"] == "unconfigured"
        assert set(manager.get_metrics_summary()["providers"]) == {"anthropic"}
        manager.set_fallback_chain("text", ["openai"])
        result = manager.execute_with_fallback("text", "Hello")
        assert result["error"] is not None and result["error"].startswith("provider_not_configured")


def test_with_real_providers_asked_for_and_none_set_up_nothing_is_simulated(nowhere: Path) -> None:
    with initialize_provider_manager(use_real_api=True) as manager:
        for task in ("text", "image", "speech"):
            result = manager.execute_with_fallback(task, "Hello")
            assert (result["status"], result["simulated"]) == ("error", False)
            assert result["error"] is not None and result["error"].startswith("provider_not_configured")
            assert manager.get_best_provider(task) is None
        assert {one["status"] for one in manager.get_all_providers_status().values()} == {"unconfigured"}
        assert manager.get_metrics_summary() == {
            "total_requests": 0,
            "overall_success_rate": "100.0%",
            "total_cost": "$0.0000",
            "providers": {},
        }


def test_without_real_providers_the_four_are_simulated_whatever_is_set_up(
    world: ThreadedSimulator, tmp_path: Path
) -> None:
    (tmp_path / "oneflow.toml").write_text('[routes.text]\ntargets = ["anthropic/claude-opus-5-5"]\n')
    before = world.do(lambda running: running.record.counts.requests)
    with initialize_provider_manager() as manager:
        result = manager.execute_with_fallback("text", "Hello", max_tokens=2)
        assert (result["status"], result["simulated"], result["provider_name"]) == ("success", True, "openai")
        assert result["cost"] > 0
        summary = manager.get_metrics_summary()
        assert tuple(summary["providers"]) == FOUR
        assert {summary["providers"][name]["status"] for name in FOUR} == {"available"}
        assert (summary["total_requests"], summary["overall_success_rate"]) == (1, "100.0%")
    assert world.do(lambda running: running.record.counts.requests) == before


def test_the_simulator_is_the_last_of_every_simulated_chain(nowhere: Path) -> None:
    with initialize_provider_manager() as manager:
        manager.set_fallback_chain("text", ["gpt"])
        result = manager.execute_with_fallback("text", "Hello", model=f"openai/sim-{REFUSED}", max_tokens=2)
        assert (result["status"], result["simulated"]) == ("success", True)
        assert result["attempted_providers"] == ["openai", "simulator"]


SEVEN = [
    "total_requests", "successful_requests", "failed_requests", "success_rate", "average_response_time", "total_cost",
    "last_error",
]  # fmt: skip


def test_every_provider_tells_its_seven_figures_in_their_forms(manager: ProviderManager) -> None:
    assert manager.get_provider_status("openai")["metrics"]["success_rate"] == "100.0%"
    manager.execute_with_fallback("text", "Hello")
    manager.execute_with_fallback("text", "Hello")
    status = manager.get_provider_status("gpt")
    metrics = status["metrics"]
    assert list(metrics) == SEVEN
    assert status["status"] == "available"
    assert (metrics["total_requests"], metrics["successful_requests"], metrics["failed_requests"]) == (2, 2, 0)
    assert re.fullmatch(r"\$\d+\.\d{4}", metrics["total_cost"])
    assert re.fullmatch(r"\d+\.\d{2}s", metrics["average_response_time"])
    assert (metrics["success_rate"], metrics["last_error"]) == ("100.0%", None)
    assert float(manager.get_metrics_summary()["total_cost"].replace("$", "")) > 0
    assert json.dumps(manager.get_all_providers_status())
    with pytest.raises(ValueError, match="known are"):
        manager.get_provider_status("nobody")


def test_the_best_provider_is_told_with_its_score_and_why(manager: ProviderManager) -> None:
    best = manager.get_best_provider("text")
    assert isinstance(best, BestProvider)
    # Nobody has been asked: equals go by the chain.
    assert (best, round(best.score, 3)) == ("openai", 0.93)
    manager.set_fallback_chain("text", ["claude", "gpt"])
    assert manager.get_best_provider("text") == "anthropic"
    manager.set_fallback_chain("text", ["gpt", "claude"])
    manager.execute_with_fallback("text", "Hello", model="anthropic/claude-haiku-5-5")
    best = manager.get_best_provider("text")
    assert best is not None
    # One of one succeeded, and no other has a time: 0.7 · 5.5/6 + 0.3.
    assert (best, round(best.score, 4)) == ("anthropic", round(0.7 * 5.5 / 6 + 0.3, 4))
    assert "0.7·(s + 4.5)/(n + 5) + 0.3·(fastest/own)" in best.why
    assert "anthropic s 1.0, n 1.0" in best.why
    assert json.dumps({"best": best}) == '{"best": "anthropic"}'
    assert manager.get_best_provider("dance") is None


def test_a_provider_that_is_not_available_is_never_the_best(failing: ThreadedSimulator) -> None:
    with initialize_provider_manager(use_real_api=True) as manager:
        manager.execute_with_fallback("text", "Hello")
        best = manager.get_best_provider("text")
        assert best is not None
        assert best == "anthropic"
        assert "not available now: openai" in best.why


def test_a_failure_of_the_provider_lowers_its_score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rule = Rule(fault="F23", model="gpt-*")
    with run_in_thread(SimulatorOptions(pace=FAST, rules=(rule,))) as simulator:
        enter(monkeypatch, tmp_path, {**variables(tmp_path, simulator), "ONEFLOW_RETRY__ATTEMPTS": "1"})
        with initialize_provider_manager(use_real_api=True) as manager:
            assert manager.execute_with_fallback("text", "Hello")["attempted_providers"] == ["openai", "anthropic"]
            best = manager.get_best_provider("text")
            assert best is not None
            assert best == "anthropic"
            assert f"openai {0.7 * 4.5 / 6 + 0.3:.3f}" in best.why


def test_it_may_be_called_from_many_threads_and_inside_a_running_loop(manager: ProviderManager) -> None:
    results: list[Result] = []

    def ask() -> None:
        results.append(manager.execute_with_fallback("text", "Hello"))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {result["status"] for result in results} == {"success"}
    assert manager.get_provider_status("openai")["metrics"]["total_requests"] == 12


async def test_it_may_be_called_inside_a_running_loop(manager: ProviderManager) -> None:
    assert manager.execute_with_fallback("text", "Hello")["status"] == "success"


def test_no_result_and_no_status_holds_a_key(failing: ThreadedSimulator) -> None:
    with initialize_provider_manager(use_real_api=True) as manager:
        manager.set_fallback_chain("text", ["gpt"])
        told = json.dumps(
            [manager.execute_with_fallback("text", "Hello"), manager.get_metrics_summary()], default=repr
        ) + repr(vars(manager))
    assert all(key_of(name) not in told for name in FOUR)
    assert os.environ["OPENAI_API_KEY"] == key_of("openai")
