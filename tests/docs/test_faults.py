"""The page of faults has every fault of the catalogue, says what its test says, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from oneflow_ai.core.failure import KINDS
from oneflow_ai.simulator.faults.table import FAULTS
from tests.app.test_faults import CASES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/faults.md"
ROW = re.compile(r"^\| ([FCP]\d+) \| (.+) \| (.+) \| (\*long\* )?`(tests/[\w/.]+)::(\w+)` \|$", re.MULTILINE)
CODE = re.compile(r"`([a-z_]+)`")
ROWS = ROW.findall(PAGE.read_text())
CONNECTIONS = [f"C{number}" for number in (*range(27, 38), 51, 52)]
OF_THE_PROVIDER = {"model_not_found", "context_length_exceeded"}


def test_every_fault_has_a_row_in_the_catalogues_order() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [FCP]\d", line)]
    assert len(lines) == len(ROWS)
    named = list(dict.fromkeys(name for name, *_ in ROWS))
    assert named == [*FAULTS, *CONNECTIONS, "P35"]


def test_each_fault_is_described_as_the_simulator_describes_it() -> None:
    told = {name: words for name, words, *_ in ROWS if name.startswith("F")}
    assert told == {name: row.line for name, row in FAULTS.items()}


def test_every_code_is_one_that_clients_can_be_told() -> None:
    for name, _, told, *_ in ROWS:
        assert set(CODE.findall(told)) <= {*KINDS, *OF_THE_PROVIDER}, name


def test_what_is_told_is_what_the_test_of_the_whole_gateway_expects() -> None:
    for name, _, told, _, file, _ in ROWS:
        cases = [case for case in CASES if re.split("[;@]", case.fault)[0] == name]
        if cases and file == "tests/app/test_faults.py":
            assert set(CODE.findall(told)) == {case.code for case in cases} - {None}, name
            assert ("the answer" in told) == any(case.code is None for case in cases), name


def test_every_row_names_a_test_that_is_there() -> None:
    for name, _, _, long, file, test in ROWS:
        source = (ROOT / file).read_text()
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), f"{name}: {file}::{test}"
        assert not long or "pytest.mark.prove" in source, name
