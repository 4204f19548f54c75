"""The benchmark's command: `python -m benchmarks.run`, or `make bench`; docs/benchmarks.md tells how to read it."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

from benchmarks.cells import CELLS, FULL, QUICK, Scale
from benchmarks.endurance import churn, growth
from benchmarks.gateways import COMMAND
from benchmarks.machine import machine, machine_line
from benchmarks.measure import Bench, Say, bench, measure
from benchmarks.report import Report, as_markdown, as_text, notes, tables

ROUNDS_MOST = 100


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read; ends the program for what it does not understand."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Measure OneFlow with everything on, beside nginx as a plain proxy, on this machine's loopback.",
    )
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works, not how fast")
    parser.add_argument("--cells", type=_cells, default=tuple(CELLS), help=f"some of {','.join(CELLS)}")
    parser.add_argument("--rounds", type=_rounds, help="how often each cell is measured; the median counts")
    parser.add_argument("--growth", action="store_true", help="also: memory from request 20,000 to 120,000")
    parser.add_argument("--churn", action="store_true", help="also: what is left after 100,000 hang-ups")
    parser.add_argument("--only", action="store_true", help="with --growth or --churn: nothing else")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file")
    parser.add_argument("--markdown", action="store_true", help="print the tables for a page")
    parser.add_argument(
        "--command", type=_command, default=COMMAND, help="how oneflow is called, to measure another build"
    )
    asked = parser.parse_args(arguments)
    if asked.only and not (asked.growth or asked.churn):
        parser.error("--only leaves nothing to do without --growth or --churn")
    return asked


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write; give the exit status: 1 when something failed or does not add up."""
    asked = options(arguments)
    signal.signal(signal.SIGTERM, _end)
    if not Path("/proc/self/smaps_rollup").exists():
        print("The benchmark reads CPU and memory from /proc: it needs Linux.", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="oneflow-bench-") as folder, bench(Path(folder), asked.command) as at:
            report = run(at, asked, _say)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    show(report, markdown=asked.markdown)
    if asked.json is not None:
        asked.json.write_text(json.dumps(asdict(report), indent=1) + "\n")
    return 1 if report.faults() else 0


def run(at: Bench, asked: argparse.Namespace, say: Say) -> Report:
    """All that was asked for. Raises `RuntimeError`."""
    report = Report(machine()) if asked.only else measure(at, asked.cells, _scale(asked), say)
    if asked.growth:
        report.growth = growth(at, say)
    if asked.churn:
        report.churn = churn(at, say)
    return report


def show(report: Report, *, markdown: bool) -> None:
    """Print the tables, what must be known of them, and the machine."""
    for title, rows in tables(report):
        print(f"\n### {title}\n\n{as_markdown(rows)}" if markdown else f"\n{title}\n{as_text(rows)}")
    print()
    for note in notes(report):
        print(note)
    print(machine_line(report.machine))


def _scale(asked: argparse.Namespace) -> Scale:
    scale = QUICK if asked.quick else FULL
    return scale if asked.rounds is None else replace(scale, rounds=asked.rounds)


def _cells(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    unknown = [name for name in names if name not in CELLS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'}: choose of {', '.join(CELLS)}")
    return names


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= ROUNDS_MOST:
        raise argparse.ArgumentTypeError(f"1 to {ROUNDS_MOST}")
    return int(text)


def _command(text: str) -> tuple[str, ...]:
    words = shlex.split(text)
    if not words:
        raise argparse.ArgumentTypeError("a command, and its first words")
    # It is called from another folder.
    return str(Path(words[0]).absolute()) if "/" in words[0] else words[0], *words[1:]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _end(_number: int, _frame: FrameType | None) -> None:
    # As an exception, so that every process that was started is ended.
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
