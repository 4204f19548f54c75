"""In real time, against a provider that counts every minute to the letter: the first edition's calls wait, and pass."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from oneflow_ai.manager import Result, initialize_provider_manager
from oneflow_ai.simulator import FAST, Limits, SimulatorOptions, run_in_thread
from tests.manager.world import enter, variables

CALLS, A_MINUTE = 75, 60


@pytest.mark.prove
def test_calls_beyond_a_minutes_worth_wait_for_the_next_and_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=A_MINUTE))
    with run_in_thread(options) as simulator:
        found = variables(tmp_path, simulator, "openai")
        found["ONEFLOW_PROVIDERS__OPENAI__REQUESTS_PER_MINUTE"] = str(A_MINUTE)
        enter(monkeypatch, tmp_path, found)
        results: list[Result] = []
        began = time.monotonic()
        with initialize_provider_manager(use_real_api=True) as manager:
            threads = [
                threading.Thread(target=lambda: results.append(manager.execute_with_fallback("text", "Hello")))
                for _ in range(CALLS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        took_seconds = time.monotonic() - began
        assert {result["status"] for result in results} == {"success"}
        assert simulator.do(lambda running: running.record.counts.refused_by_limit) == 0
        assert 60.0 < took_seconds <= 60.0 / 0.98 + 1.0
