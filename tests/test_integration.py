"""The first edition's whole way, once: providers, chains, money, history and figures together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oneflow_ai import Database, OneFlowAI, create_enhanced_provider, initialize_provider_manager
from oneflow_ai.simulator import FAST, Rule, SimulatorOptions, run_in_thread
from tests.manager.world import enter, variables


def test_full_workflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = SimulatorOptions(pace=FAST, rules=(Rule(fault="F24", model="gpt-6-luna"),))
    with run_in_thread(options) as simulator:
        enter(monkeypatch, tmp_path, variables(tmp_path, simulator))
        book = Database()
        with initialize_provider_manager(use_real_api=True) as manager:
            manager.set_fallback_chain("text", ["gpt", "claude"])
            for task, prompt in (("text", "Write a haiku"), ("image", "A cat"), ("speech", "Hello")):
                result = manager.execute_with_fallback(task, prompt)
                assert result["status"] == "success", result["error"]
                book.create_request(
                    "user-1",
                    result["provider_name"],
                    result["model"],
                    prompt,
                    result["response"],
                    result["cost"],
                    result["status"],
                    {"attempted": ", ".join(result["attempted_providers"])},
                )
            assert manager.get_best_provider("text") == "anthropic"
            summary = manager.get_metrics_summary()
            assert summary["total_requests"] == 4
            assert summary["overall_success_rate"] == "75.0%"
            assert json.dumps(summary)
            spent = float(summary["total_cost"].replace("$", ""))
        assert book.get_total_cost("user-1") == pytest.approx(spent, abs=0.0001)
        assert len(book.get_requests("user-1")) == 3
        assert "anthropic" in book.get_provider_stats()
        book.close()

        with OneFlowAI(initial_balance=10, use_real_api=True) as program:
            program.setup_budget(daily=5, weekly=20, monthly=50)
            program.setup_provider_budget("claude", 2)
            paid = program.process_request("claude", "Hello", max_tokens=20)
            assert (paid["status"], paid["provider_name"]) == ("success", "anthropic")
            assert paid["balance"] == pytest.approx(10 - paid["cost"])
            assert program.get_status()["budgets"]["daily"]["spent"] == pytest.approx(paid["cost"])

        assert create_enhanced_provider("claude")("Hello", max_tokens=5)["status"] == "success"
