"""The whole benchmark on a few requests: it starts what it measures, adds up, and leaves nothing behind. Not timed."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import hot, run
from benchmarks.load import Result
from benchmarks.measure import bench, measure
from benchmarks.processes import Memory, tree
from benchmarks.report import Churn, Footprint, Growth, Report, Sample, as_markdown, as_text, notes, tables
from tests.benchmarks.bench_parts import FEW

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the benchmark needs Linux")

CELLS = ("c1", "burst64")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    before = tree(os.getpid())
    with bench(tmp_path_factory.mktemp("bench")) as at:
        found = measure(at, CELLS, replace(FEW, requests_most=20), lambda what: None)
    yield found
    assert set(tree(os.getpid())) <= set(before), "a process was left running"


def test_all_that_oneflow_was_asked_is_answered_and_in_its_history(report: Report) -> None:
    assert report.faults() == []
    assert report.asked_oneflow == report.history_rows == 20 * len(CELLS)
    assert {(sample.gateway, sample.cell) for sample in report.samples} >= {("oneflow", cell) for cell in CELLS}


def test_processes_and_imports_are_measured(report: Report) -> None:
    oneflow = report.footprints[0]
    assert oneflow.gateway == "oneflow"
    assert oneflow.second_start_cpu_seconds > 0
    assert oneflow.idle.resident_megabytes >= oneflow.idle.proportional_megabytes > 1
    assert all(seconds > 0 for seconds in report.import_seconds.values())


def test_every_figure_of_a_report_can_be_shown(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    run.show(report, markdown=True)
    shown = capsys.readouterr().out
    assert "| 1 KB prompt, 1 connection |" in shown
    assert "CPython" in shown
    assert json.loads(json.dumps(asdict(report)))["samples"][0]["result"]["errors"] == 0


def test_the_steps_of_a_call_are_all_measured() -> None:
    found = hot.measure(calls=3, repeats=1)
    assert len(found) > 10
    assert all(len(figures) == len(hot.shapes()) and min(figures) > 0 for figures in found.values())


def test_the_steps_of_a_call_are_measured_without_sockets(tmp_path: Path) -> None:
    assert hot._settings(tmp_path).settings.models.refresh_hours == 0


def result(cpu_milliseconds: float, **fields: object) -> Result:
    made = Result(100, 2.0, cpu_milliseconds / 10, 0.0, 0.0, 0.0, 1.5, 9.0, 1.0, 100, 100, 100, 0, 0, "")
    return replace(made, **fields)  # type: ignore[arg-type] # fields of the table below


def sampled(*samples: tuple[str, float]) -> Report:
    report = Report({})
    for number, (gateway, cpu_milliseconds) in enumerate(samples):
        report.samples.append(Sample(gateway, "c64", number // 2 + 1, result(cpu_milliseconds)))
    return report


def test_medians_over_the_rounds_are_compared() -> None:
    report = sampled(
        ("oneflow", 0.2), ("nginx", 0.02), ("oneflow", 9.0), ("nginx", 0.01), ("oneflow", 0.3), ("nginx", 0.9)
    )
    ((_, (heads, row)),) = tables(report)
    shown = dict(zip(heads, row, strict=True))
    assert shown["oneflow CPU µs"] == "300.0"
    assert shown["nginx CPU µs"] == "20.0"
    assert shown["ratio"] == "15.0 ×"
    assert shown["oneflow requests/s"] == "50"
    assert shown["nginx p50 / p99 ms"] == "1.50 / 9.00"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"errors": 2, "first_error": "500: no"}, "2 errors, the first: 500: no"),
        ({"reached": 99}, "100 asked, 100 answered, 99 at the provider"),
        ({"requests": 0}, "no answer within the measured time"),
    ],
)
def test_figures_that_do_not_add_up_are_told(fields: dict[str, object], told: str) -> None:
    report = Report({}, samples=[Sample("nginx", "c1", 1, result(1.0, **fields))])
    assert report.faults() == [f"nginx, c1, round 1: {told}"]
    assert notes(report)[0] == f"Fault: nginx, c1, round 1: {told}"


WELL = Churn(10, 0, 6, 0, 0, 0.01, 21, 22, 5, 5)


@pytest.mark.parametrize(
    ("churn", "told"),
    [
        (WELL, []),
        (replace(WELL, busy=1), ["churn: 1 calls left at the provider, 0 in OneFlow"]),
        (replace(WELL, in_flight=2), ["churn: 0 calls left at the provider, 2 in OneFlow"]),
        (replace(WELL, files_after=24), ["churn: 21 files open before, 24 after"]),
        (replace(WELL, unanswered=1, clean=4), ["churn: 2 calls without an answer"]),
    ],
)
def test_what_hang_ups_leave_open_is_a_fault(churn: Churn, told: list[str]) -> None:
    assert Report({}, churn=churn).faults() == told


def test_tables_are_drawn_for_a_terminal_and_for_a_page() -> None:
    memory = Memory(90.0, 80.0)
    report = Report({}, growth=Growth(20_000, 120_000, memory, Memory(91.0, 80.5), 0), churn=WELL)
    report.footprints = [Footprint("oneflow", 1.0, 0.5, 0.4, memory, memory)]
    titles = [title for title, _ in tables(report)]
    assert titles == ["Start and memory", "Memory, request by request", "After clients hung up"]
    (_, growth) = tables(report)[1]
    assert as_text(growth).splitlines()[-1].split() == ["growth", "+0.5", "+1.0"]
    assert as_markdown(growth).splitlines()[1] == "| --- | ---: | ---: |"


@pytest.mark.parametrize(
    "words", ["--cells c64,c63", "--cells ,", "--rounds 0", "--rounds many", "--command ''", "--only"]
)
def test_what_the_command_does_not_understand_ends_it(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.options(words.replace("''", " ").split(" ", 1))
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
