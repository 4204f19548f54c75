"""A place of its own for each test of the command line, and a simulator for those that call somebody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.cli.place import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty working directory, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


@pytest.fixture(scope="session")
def provider() -> Iterator[ThreadedSimulator]:
    """A provider that answers at once."""
    with run_in_thread(SimulatorOptions(pace=FAST, seed=7)) as simulator:
        yield simulator
