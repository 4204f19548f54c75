"""`ProviderManager` in odd hands: whatever it is called with is a result, and all that was paid for is in it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.manager import ProviderManager, Result, create_enhanced_provider, initialize_provider_manager
from oneflow_ai.simulator import FAST, Rule, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.manager.world import enter, variables

KEYS = set(Result.__annotations__)
SECONDS_MOST = 20.0


class Undecided:
    """A value that nobody may ask whether it is empty, as arrays are."""

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@pytest.fixture
def manager(world: ThreadedSimulator) -> Iterator[ProviderManager]:
    with initialize_provider_manager(use_real_api=True) as manager:
        yield manager


@pytest.mark.parametrize(
    ("task", "prompt", "options", "code"),
    [
        ("text", "", {}, "missing_required_parameter"),
        ("text", 7, {}, "invalid_type"),
        ("text", "Hello", {"temperature": 9}, "invalid_value"),
        ("text", "Hello", {"timeout_seconds": "long"}, "invalid_type"),
        ("text", "Hello", {"model": "nobody-has-this"}, "model_not_found"),
        ("dance", "Hello", {}, "invalid_value"),
        (None, "Hello", {}, "invalid_value"),
        ("image", "A cat", {"size": "big"}, "invalid_value"),
        ("image", "A cat", {"temperature": 1}, "unsupported_parameter"),
        ("transcription", 7, {}, "invalid_type"),
        ("transcription", None, {}, "invalid_type"),
        ("transcription", "a\0b.wav", {}, "invalid_value"),
        ("transcription", "\ud800.wav", {}, "invalid_value"),
        ("transcription", "x" * 5_000, {}, "invalid_value"),
        ("transcription", ".", {}, "invalid_value"),
        ("text", "Hello", {"model": 5}, "invalid_type"),
        ("text", "Hello", {"model": ["gpt-6-luna"]}, "invalid_type"),
        ("text", "Hello", {"model": ""}, "invalid_value"),
        ("image", "A cat", {"model": b"gpt-image-2"}, "invalid_type"),
        ("text", None, {}, "missing_required_parameter"),
        ("text", {}, {}, "invalid_type"),
        ("text", Undecided(), {}, "invalid_type"),
        ("image", Undecided(), {}, "invalid_type"),
        ("text", "Hello", {"tools": Undecided()}, "invalid_type"),
        ("text", ITSELF, {}, "invalid_type"),
        ("text", "Hello", {"metadata": {"a": {1, 2}}}, "invalid_type"),
        ("text", "Hello", {"n": 0}, "invalid_value"),
        ("text", "Hello", {"n": "3"}, "invalid_type"),
        ("image", "A cat", {"n": 0}, "invalid_value"),
        ("image", "A cat", {"n": -1}, "invalid_value"),
        ("image", "A cat", {"n": "3"}, "invalid_type"),
        ("text", "Hello", {"timeout_seconds": float("nan")}, "invalid_value"),
        ("text", "Hello", {"timeout_seconds": 0}, "invalid_value"),
        ("text", "Hello", {"temperature": float("nan")}, "invalid_number"),
        ("speech", "Hello", {"speed": float("inf")}, "invalid_number"),
        ([], "Hello", {}, "invalid_value"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_input_is_a_result_too_and_nothing_is_sent(
    manager: ProviderManager, task: Any, prompt: Any, options: dict[str, Any], code: str
) -> None:
    result = manager.execute_with_fallback(task, prompt, **options)
    assert (result["status"], result["response"], result["cost"], result["tokens_used"]) == ("error", None, 0.0, 0)
    assert result["error"] is not None and result["error"].startswith(code)
    assert (result["provider_name"], result["attempted_providers"]) == (None, [])
    assert manager.get_metrics_summary()["total_requests"] == 0


def test_a_time_without_measure_is_the_longest_there_is(manager: ProviderManager) -> None:
    assert manager.execute_with_fallback("text", "Hello", timeout_seconds=10**400)["status"] == "success"


def test_after_its_end_a_call_is_refused_and_what_was_done_is_still_told(world: ThreadedSimulator) -> None:
    with initialize_provider_manager(use_real_api=True) as other:
        with initialize_provider_manager(use_real_api=True) as manager:
            manager.execute_with_fallback("text", "Hello")
        for _ in range(2):
            result = manager.execute_with_fallback("text", "Hello")
            assert set(result) == KEYS
            assert (result["status"], result["attempted_providers"]) == ("error", [])
            assert result["error"] == "draining: this object was closed: make another"
            assert manager.get_metrics_summary()["total_requests"] == 1
            assert manager.get_provider_status("openai")["metrics"]["successful_requests"] == 1
            assert manager.get_best_provider("text") == "openai"
            manager.close()
        assert other.execute_with_fallback("text", "Hello")["status"] == "success"
    assert manager.execute_with_fallback("text", "Hello")["status"] == "error"


def test_a_call_that_is_under_way_at_its_end_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    never = Rule(fault="F9", model="gpt-*", path="/v1/chat/*")
    with run_in_thread(SimulatorOptions(pace=FAST, rules=(never,))) as simulator:
        enter(monkeypatch, tmp_path, variables(tmp_path, simulator))
        results: list[Result] = []
        manager = initialize_provider_manager(use_real_api=True)
        asking = threading.Thread(
            target=lambda: results.append(manager.execute_with_fallback("text", "Hello")), daemon=True
        )
        asking.start()
        until = time.monotonic() + SECONDS_MOST
        while not simulator.do(lambda running: running.record.counts.requests) and time.monotonic() < until:
            time.sleep(0.01)
        manager.close()
        asking.join(SECONDS_MOST)
    (result,) = results
    words = "draining: the gateway stopped before the answer was complete"
    assert (result["status"], result["error"], result["attempted_providers"]) == ("error", words, ["openai"])


@pytest.mark.parametrize(("task", "prompt"), [("image", "A cat"), ("text", "Tell me of the sea")])
def test_all_that_was_asked_and_paid_for_is_given(manager: ProviderManager, task: str, prompt: str) -> None:
    manager.set_fallback_chain(task, ["openai"])
    one = manager.execute_with_fallback(task, prompt, n=1)
    assert (set(one), one["status"]) == (KEYS, "success")
    several: dict[str, Any] = {**manager.execute_with_fallback(task, prompt, n=3)}
    assert set(several) == {*KEYS, "responses"}
    assert len(several["responses"]) == 3
    assert several["response"] == several["responses"][0]
    if several["data"] is not None:
        assert several["response"].endswith(base64.b64encode(several["data"]).decode())
    assert several["cost"] > 2 * one["cost"]
    assert json.dumps({**several, "data": None})


def test_a_provider_that_was_never_called_was_not_tried(manager: ProviderManager, world: ThreadedSimulator) -> None:
    # Stability makes one picture at a time: it is known before anything is sent.
    before = world.do(lambda running: running.record.counts.requests)
    result = create_enhanced_provider("stability")("A cat", n=2)
    assert (result["status"], result["attempted_providers"]) == ("error", [])
    assert world.do(lambda running: running.record.counts.requests) == before
    manager.set_fallback_chain("image", ["stability", "openai"])
    result = manager.execute_with_fallback("image", "A cat", n=2)
    assert (result["status"], result["attempted_providers"]) == ("success", ["openai"])
