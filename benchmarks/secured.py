"""What TLS towards the provider costs: `python -m benchmarks.secured`. The certificates are made for the run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cells import CELLS, FULL, QUICK, Scale
from benchmarks.load import Result
from benchmarks.machine import machine, machine_line
from benchmarks.measure import Bench, bench
from tests.certificates import Authority

MORE_MOST = 0.40
CELLS_MEASURED = ("c64", "big16", "burst64")


@dataclass(frozen=True, slots=True)
class Secured:
    """CPU of a request in one cell, in µs, without TLS and with it; medians over the rounds."""

    cell: str
    plain_microseconds: float
    secured_microseconds: float

    @property
    def more(self) -> float:
        """How much more it takes with TLS, as a share."""
        return self.secured_microseconds / self.plain_microseconds - 1


def measure(at: Bench, ca_file: Path, cells: Sequence[str], scale: Scale) -> list[Secured]:
    """Each cell in turn without and with TLS, for as many rounds as asked. Raises `RuntimeError`."""
    found: dict[tuple[str, bool], list[float]] = {}
    with at.oneflow().running() as plain, at.secured(ca_file).running() as secured:
        for _ in range(scale.rounds):
            for cell in cells:
                for running in (plain, secured):
                    result = at.load(running, CELLS[cell], scale)
                    found.setdefault((cell, running is secured), []).append(_cpu(result))
    return [Secured(cell, median(found[cell, False]), median(found[cell, True])) for cell in cells]


def _cpu(result: Result) -> float:
    if result.errors or not result.requests:
        raise RuntimeError(f"{result.errors} errors: {result.first_error or 'no answer in time'}")
    return result.cpu_microseconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; give the exit status: 1 when it costs more than it may, or something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.secured", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: whether it works, not what it costs")
    scale = QUICK if parser.parse_args(arguments).quick else FULL
    try:
        with tempfile.TemporaryDirectory(prefix="oneflow-bench-") as name:
            folder = Path(name)
            authority = Authority(folder, "authority")
            authority.server()
            with bench(folder, certificate=folder / "server-1.pem") as at:
                found = measure(at, authority.file, CELLS_MEASURED, scale)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    for each in found:
        words = f"{CELLS[each.cell].words:40}{each.plain_microseconds:8.1f} µs plain"
        verdict = "holds" if each.more <= MORE_MOST else "FAILS"
        print(f"{words}{each.secured_microseconds:8.1f} µs over TLS  {each.more:+.0%}  {verdict}")
    print(machine_line(machine()))
    return 0 if all(each.more <= MORE_MOST for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
