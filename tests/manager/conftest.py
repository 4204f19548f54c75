"""A simulator that answers at once, and a world of its own for each test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneflow_ai.client import THREAD
from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.manager.world import enter, variables


@pytest.fixture(scope="package")
def simulator() -> Iterator[ThreadedSimulator]:
    """A provider of every wire that answers at once."""
    with run_in_thread(SimulatorOptions(pace=FAST, seed=7)) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _left() -> Iterator[None]:
    """Have what a test leaves behind closed before its folder is looked at."""
    yield
    gc.collect()
    THREAD.settle()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, simulator: ThreadedSimulator) -> ThreadedSimulator:
    """A home in which all providers are at the simulator, as if it were they."""
    enter(monkeypatch, tmp_path, variables(tmp_path, simulator))
    return simulator


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home in which nothing at all is set up."""
    enter(monkeypatch, tmp_path, variables(tmp_path, None))
    return tmp_path
