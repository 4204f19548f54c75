"""What a benchmark found: samples and their medians, as tables for a terminal or for a page, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.cells import CELLS
from benchmarks.load import Result
from benchmarks.processes import Memory

NOISE_CORES = 0.15
# Of open files after clients hung up, beyond those before.
FILES_MORE_MOST = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One cell of one gateway in one round."""

    gateway: str
    cell: str
    round: int
    result: Result


@dataclass(frozen=True, slots=True)
class Footprint:
    """One gateway at rest: what its first and its second start took, in seconds; memory when idle and after load."""

    gateway: str
    first_start_seconds: float
    second_start_seconds: float
    second_start_cpu_seconds: float
    idle: Memory
    after: Memory


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory after some requests, and after many more, in megabytes."""

    first_requests: int
    last_requests: int
    first: Memory
    last: Memory
    errors: int


@dataclass(frozen=True, slots=True)
class Churn:
    """What hang-ups left: calls busy at the provider and how long they took to end, files open before and after.

    `reached` of the hang-ups were calls that the provider had begun, `unanswered` those that waited for a first event
    in vain; `in_flight` is OneFlow's own word (None: it does not say). `clean` of `asked` calls after it all were well.
    """

    hang_ups: int
    unanswered: int
    reached: int
    busy: int
    in_flight: int | None
    quiet_seconds: float
    files_before: int
    files_after: int
    asked: int
    clean: int


@dataclass(slots=True)
class Report:
    """All of one run. `history_rows` are the calls that OneFlow recorded, of `asked_oneflow` that it was asked."""

    machine: dict[str, str]
    samples: list[Sample] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    import_seconds: dict[str, float] = field(default_factory=dict)
    asked_oneflow: int = 0
    history_rows: int = 0
    growth: Growth | None = None
    churn: Churn | None = None

    def results(self, gateway: str, cell: str) -> list[Result]:
        """The results of one cell, round by round."""
        return [sample.result for sample in self.samples if (sample.gateway, sample.cell) == (gateway, cell)]

    def median(self, gateway: str, cell: str, of: Callable[[Result], float]) -> float | None:
        """The median over the rounds; None where nothing was measured."""
        found = [of(result) for result in self.results(gateway, cell) if result.requests]
        return median(found) if found else None

    def faults(self) -> list[str]:
        """What is wrong: errors, requests that do not add up, calls and files that were left open."""
        found = []
        for sample in self.samples:
            result, place = sample.result, f"{sample.gateway}, {sample.cell}, round {sample.round}"
            if result.errors:
                found.append(f"{place}: {result.errors} errors, the first: {result.first_error}")
            if not result.requests:
                found.append(f"{place}: no answer within the measured time")
            if not result.errors and not result.asked == result.answered == result.reached:
                counts = f"{result.asked} asked, {result.answered} answered, {result.reached} at the provider"
                found.append(f"{place}: {counts}")
        found += _endurance_faults(self.growth, self.churn)
        if self.history_rows != self.asked_oneflow:
            found.append(f"oneflow: {self.asked_oneflow} requests asked, {self.history_rows} in its history")
        return found

    def elsewhere_cores(self) -> float:
        """What other programs used of the machine: the median over all samples."""
        return median([sample.result.elsewhere_cores for sample in self.samples] or [0.0])


Rows = list[list[str]]


def _endurance_faults(growth: Growth | None, churn: Churn | None) -> list[str]:
    found = []
    if growth is not None and growth.errors:
        found.append(f"growth: {growth.errors} errors")
    if churn is not None:
        if churn.busy or churn.in_flight:
            found.append(f"churn: {churn.busy} calls left at the provider, {churn.in_flight or 0} in OneFlow")
        if churn.files_after > churn.files_before + FILES_MORE_MOST:
            found.append(f"churn: {churn.files_before} files open before, {churn.files_after} after")
        if churn.unanswered or churn.clean < churn.asked:
            found.append(f"churn: {churn.unanswered + churn.asked - churn.clean} calls without an answer")
    return found


def tables(report: Report) -> list[tuple[str, Rows]]:
    """Titles and rows, the first row of each being the heads."""
    found = []
    if report.samples:
        found.append(("CPU of a request, throughput and latency", _cells(report)))
    if report.footprints:
        found.append(("Start and memory", _footprints(report)))
    if report.growth is not None:
        found.append(("Memory, request by request", _growth(report.growth)))
    if report.churn is not None:
        found.append(("After clients hung up", _churn(report.churn)))
    return found


def as_text(rows: Rows) -> str:
    """A table for a terminal: the first column to the left, figures to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_markdown(rows: Rows) -> str:
    """A table for a page."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- |" + " ---: |" * (len(rows[0]) - 1), *lines[1:]])


def notes(report: Report) -> list[str]:
    """What a reader must know of the figures, a sentence each."""
    found = [f"Fault: {fault}" for fault in report.faults()]
    cores = report.elsewhere_cores()
    if cores > NOISE_CORES:
        found.append(f"Other programs used {cores:.1f} cores meanwhile: take the figures as rough.")
    if report.asked_oneflow and not report.faults():
        count = f"{report.asked_oneflow:,}"
        found.append(f"All {count} requests to OneFlow were answered, seen by the provider and kept in the history.")
    return found


def _cells(report: Report) -> Rows:
    names = _gateways(report)
    heads = ["", *(f"{name} CPU µs" for name in names)]
    heads += ["ratio"] if len(names) == 2 else []
    heads += [*(f"{name} requests/s" for name in names), *(f"{name} p50 / p99 ms" for name in names)]
    rows = [heads]
    for cell in dict.fromkeys(sample.cell for sample in report.samples):
        cpu = [report.median(name, cell, lambda result: result.cpu_microseconds) for name in names]
        rate = [report.median(name, cell, lambda result: result.requests_per_second) for name in names]
        row = [CELLS[cell].words, *(_figure(each, 1) for each in cpu)]
        row += [_ratio(cpu)] if len(names) == 2 else []
        row += [*(_figure(each, 0) for each in rate), *(_latency(report, name, cell) for name in names)]
        rows.append(row)
    return rows


def _latency(report: Report, name: str, cell: str) -> str:
    p50 = report.median(name, cell, lambda result: result.p50_milliseconds)
    p99 = report.median(name, cell, lambda result: result.p99_milliseconds)
    return f"{_figure(p50, 2)} / {_figure(p99, 2)}"


def _footprints(report: Report) -> Rows:
    rows = [["", *(footprint.gateway for footprint in report.footprints)]]
    kinds: Sequence[tuple[str, Callable[[Footprint], float], int]] = (
        ("first start, s", lambda one: one.first_start_seconds, 2),
        ("second start, s", lambda one: one.second_start_seconds, 2),
        ("CPU of the second start, s", lambda one: one.second_start_cpu_seconds, 2),
        ("idle, proportional (PSS), MB", lambda one: one.idle.proportional_megabytes, 1),
        ("idle, resident (RSS), MB", lambda one: one.idle.resident_megabytes, 1),
        ("after the load, proportional, MB", lambda one: one.after.proportional_megabytes, 1),
        ("after the load, resident, MB", lambda one: one.after.resident_megabytes, 1),
    )
    for words, of, digits in kinds:
        rows.append([words, *(_figure(of(footprint), digits) for footprint in report.footprints)])
    for statement, seconds in report.import_seconds.items():
        rows.append([f"`{statement}`, s", _figure(seconds, 3), *("–" for _ in report.footprints[1:])])
    return rows


def _growth(growth: Growth) -> Rows:
    first, last = growth.first, growth.last
    grown = last.proportional_megabytes - first.proportional_megabytes
    resident = last.resident_megabytes - first.resident_megabytes
    return [
        ["requests served", "proportional (PSS), MB", "resident (RSS), MB"],
        [f"{growth.first_requests:,}", _figure(first.proportional_megabytes, 1), _figure(first.resident_megabytes, 1)],
        [f"{growth.last_requests:,}", _figure(last.proportional_megabytes, 1), _figure(last.resident_megabytes, 1)],
        ["growth", f"{grown:+.1f}", f"{resident:+.1f}"],
    ]


def _churn(churn: Churn) -> Rows:
    return [
        ["", "oneflow"],
        ["clients that hung up", f"{churn.hang_ups:,}"],
        ["of these, while the provider was answering", f"{churn.reached:,}"],
        ["calls left open at the provider", str(churn.busy)],
        ["calls left open in OneFlow", "–" if churn.in_flight is None else str(churn.in_flight)],
        ["seconds from the last hang-up until none was", _figure(churn.quiet_seconds, 3)],
        ["open files before", str(churn.files_before)],
        ["open files after", str(churn.files_after)],
        ["clients that waited for a first event in vain", f"{churn.unanswered:,}"],
        ["calls afterwards, well", f"{churn.clean} of {churn.asked}"],
    ]


def _gateways(report: Report) -> list[str]:
    return list(dict.fromkeys(sample.gateway for sample in report.samples))


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _ratio(pair: list[float | None]) -> str:
    ours, other = pair
    return f"{ours / other:.1f} ×" if ours is not None and other else "–"
