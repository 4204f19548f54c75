"""The first edition with real providers asked for, each at the simulator's address with a dummy key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from enhanced_real_api import create_enhanced_provider
from oneflow_ai.simulator import FAST, Limits, Rule, SimulatorOptions, ThreadedSimulator, run_in_thread
from provider_manager import initialize_provider_manager
from tests.manager.world import enter, variables


@contextmanager
def providers(
    monkeypatch: pytest.MonkeyPatch, home: Path, options: SimulatorOptions | None = None, **more: str
) -> Iterator[ThreadedSimulator]:
    """A world in which every provider is at a simulator."""
    with run_in_thread(options or SimulatorOptions(pace=FAST)) as simulator:
        enter(monkeypatch, home, {**variables(home, simulator), **more})
        yield simulator


def test_openai_provider_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with providers(monkeypatch, tmp_path):
        result = create_enhanced_provider("openai")("Write a haiku about AI", max_tokens=50)
        assert (result["status"], result["provider_name"], result["simulated"]) == ("success", "openai", False)
        assert result["response"]
        assert result["cost"] > 0
        assert result["tokens_used"] > 0


def test_anthropic_provider_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with providers(monkeypatch, tmp_path):
        result = create_enhanced_provider("anthropic")("Write a haiku about AI", max_tokens=50)
        assert (result["status"], result["provider_name"], result["simulated"]) == ("success", "anthropic", False)
        assert result["response"]
        assert result["cost"] > 0
        assert result["tokens_used"] > 0


def test_stability_provider_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with providers(monkeypatch, tmp_path):
        result = create_enhanced_provider("stability")("A lighthouse at dusk")
        assert (result["status"], result["provider_name"], result["simulated"]) == ("success", "stability", False)
        assert result["response"] is not None and result["response"].startswith("data:image/")
        assert result["data"]
        assert result["cost"] > 0


def test_provider_manager_fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = SimulatorOptions(pace=FAST, rules=(Rule(fault="F24", model="gpt-*"),))
    with providers(monkeypatch, tmp_path, options), initialize_provider_manager(use_real_api=True) as manager:
        result = manager.execute_with_fallback("text", "Hello")
        assert (result["status"], result["provider_name"]) == ("success", "anthropic")
        assert result["attempted_providers"] == ["openai", "anthropic"]


def test_rate_limiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a minute has no room for waits; what cannot wait so long is told at once. Nothing is sent to be refused."""
    options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=5))
    limit = {"ONEFLOW_PROVIDERS__OPENAI__REQUESTS_PER_MINUTE": "5"}
    with (
        providers(monkeypatch, tmp_path, options, **limit) as simulator,
        initialize_provider_manager(use_real_api=True) as manager,
    ):
        manager.set_fallback_chain("text", ["gpt"])
        assert [manager.execute_with_fallback("text", "Hello")["status"] for _ in range(5)] == ["success"] * 5
        began = time.monotonic()
        result = manager.execute_with_fallback("text", "Hello", timeout_seconds=5)
        assert time.monotonic() - began < 4.0
        assert result["error"] is not None and result["error"].startswith("queue_timeout")
        counts = simulator.do(lambda running: running.record.counts)
        assert (counts.requests, counts.refused_by_limit) == (5, 0)


def test_retry_logic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A failure that may pass is tried again after exactly 1 s, then after exactly 2 s."""
    options = SimulatorOptions(pace=FAST, rules=(Rule(fault="F23;status=500", model="gpt-*", attempts=(1, 2)),))
    with (
        providers(monkeypatch, tmp_path, options) as simulator,
        initialize_provider_manager(use_real_api=True) as manager,
    ):
        manager.set_fallback_chain("text", ["gpt"])
        result = manager.execute_with_fallback("text", "Hello")
        assert (result["status"], result["attempted_providers"]) == ("success", ["openai"])
        assert 3.0 <= result["response_time"] < 4.0
        assert simulator.do(lambda running: running.record.counts.requests) == 3
