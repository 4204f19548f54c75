"""The reference page tells of every fault, every choice and every control route."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneflow_ai.simulator import FAULTS, FaultRow
from oneflow_ai.simulator.control import ROUTES
from oneflow_ai.simulator.faults.table import COMMON

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "simulator.md"


def _row(fault: str) -> str:
    (line,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {fault} |")]
    return line


@pytest.mark.parametrize("row", FAULTS.values(), ids=lambda row: row.id)
def test_a_fault_is_documented_with_its_parameters(row: FaultRow) -> None:
    told = _row(row.id)
    assert row.line in told
    assert row.note in told
    for name, parameter in row.parameters.items():
        for word in (name, *(parameter.choices or (parameter.default or "none",))):
            assert word in told, word


def test_common_parameters_and_control_routes_are_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in COMMON:
        assert f"`{name}=" in text
    for method, name in ROUTES:
        assert f"{method} {name}" in text
