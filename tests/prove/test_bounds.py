"""What it takes to be there: the import, the second start, memory at rest and after many calls. Timed: not in CI."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.endurance import growth
from benchmarks.measure import bench, import_seconds
from benchmarks.processes import memory

pytestmark = pytest.mark.prove

RUNS = 5
IMPORT_SECONDS_MOST = 0.15
STARTS = 3
READY_SECONDS_MOST = 2.0
IDLE_SECONDS = 10.0
IDLE_MEGABYTES_MOST = 120.0
GROWTH_MEGABYTES_MOST = 5.0


def test_the_import_is_quick() -> None:
    assert import_seconds("import oneflow_ai", RUNS) <= IMPORT_SECONDS_MOST


def test_a_second_start_is_quick_and_small(tmp_path: Path) -> None:
    with bench(tmp_path) as at:
        with at.oneflow().running():
            pass
        starts = []
        for _ in range(STARTS):
            with at.oneflow().running() as running:
                starts.append(running.ready_seconds)
                # The last one's counts.
                time.sleep(IDLE_SECONDS if len(starts) == STARTS else 0.0)
                idle = memory(running.child.pid)
        # The best of them: the others tell what else the machine did.
        assert min(starts) <= READY_SECONDS_MOST, starts
        assert idle.proportional_megabytes <= IDLE_MEGABYTES_MOST


def test_memory_does_not_grow_with_requests(tmp_path: Path) -> None:
    with bench(tmp_path) as at:
        found = growth(at, lambda _: None)
    assert found.errors == 0
    assert found.last.proportional_megabytes - found.first.proportional_megabytes <= GROWTH_MEGABYTES_MOST
