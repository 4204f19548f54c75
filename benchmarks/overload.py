"""What OneFlow does with three times the calls that it can serve: `python -m benchmarks.overload`.

Calls come open loop, made by `arrivals.c`: they do not wait for those before them, as a closed loop's would.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self

from benchmarks.cells import Cell, Scale
from benchmarks.gateways import Running
from benchmarks.machine import machine, machine_line
from benchmarks.measure import Bench, bench
from benchmarks.processes import ROOT, Child, get
from benchmarks.questions import Question, request

TIMES_CAPACITY = 3.0
NORMAL_SHARE = 0.5
CONNECTIONS_MOST = 8_192
PEAK_CONNECTIONS = 256
# What P21 asks for.
GOODPUT_SHARE_LEAST = 0.9
OVERHEAD_TIMES_MOST = 2.0
REFUSAL_MILLISECONDS_MOST = 10.0
RETRY_AFTER_SECONDS = (1.0, 5.0)
RECOVERY_SECONDS_MOST = 5.0
_WAIT_MILLISECONDS = 20
_WARM_SECONDS = 2.0
_PROBE_SECONDS = 0.1
_END_SECONDS_MOST = 30.0
_SOURCE = ROOT / "benchmarks/arrivals.c"


@dataclass(frozen=True, slots=True)
class Times:
    """How many, and how long they took from the moment they were due."""

    count: int
    p50_milliseconds: float
    p99_milliseconds: float
    worst_milliseconds: float


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of calls at one rate. `missed` found no connection; `late` is how late the generator itself was.

    `last_refusal_seconds` is counted from the begin, its warm-up included; -1 for no refusal.
    """

    good: Times
    refused: Times
    late: Times
    sent: int
    missed: int
    broken: int
    other: int
    unanswered: int
    good_per_second: float
    retry_after_least_seconds: float
    retry_after_most_seconds: float
    last_refusal_seconds: float
    own_cpu_seconds: float

    @classmethod
    def read(cls, text: str) -> Self:
        """What the generator printed."""
        found: dict[str, Any] = json.loads(text)
        return cls(**found | {name: Times(**found[name]) for name in ("good", "refused", "late")})


@dataclass(frozen=True, slots=True)
class Probed:
    """How many probes of `/health/live` were sent meanwhile, how many were not answered in time, the slowest."""

    sent: int
    failed: int
    worst_milliseconds: float


@dataclass(frozen=True, slots=True)
class Overloaded:
    """The whole finding. `peak` is what it serves at most, in calls a second."""

    peak: float
    wait_milliseconds: int
    normal: Arrived
    overload: Arrived
    after: Arrived
    probes: Probed

    def verdicts(self) -> list[tuple[str, str, bool]]:
        """Each number of P21: in words, what was found, whether that holds."""
        usual = self.normal.good.p99_milliseconds - self.wait_milliseconds
        loaded = self.overload.good.p99_milliseconds - self.wait_milliseconds
        share = self.overload.good_per_second / self.peak
        refused, over = self.overload.refused, self.overload
        least, most = over.retry_after_least_seconds, over.retry_after_most_seconds
        lost = over.missed + over.broken + over.other + over.unanswered
        recovered = max(self.after.last_refusal_seconds, 0.0)
        return [
            ("goodput, of the peak", f"{share:.2f}", share >= GOODPUT_SHARE_LEAST),
            (
                "p99 overhead of those served, to usual",
                f"{loaded:.1f} / {usual:.1f} ms",
                loaded <= OVERHEAD_TIMES_MOST * usual,
            ),
            ("p99 of refusals", f"{refused.p99_milliseconds:.1f} ms", _at_most(refused, REFUSAL_MILLISECONDS_MOST)),
            ("Retry-After", f"{least:.0f} to {most:.0f} s", _within(least, most)),
            ("calls without an answer of either kind", f"{lost} of {over.sent}", lost == 0),
            ("last refusal after the overload", f"{recovered:.1f} s", recovered <= RECOVERY_SECONDS_MOST),
            ("probes not answered", f"{self.probes.failed} of {self.probes.sent}", self.probes.failed == 0),
        ]


def _at_most(times: Times, milliseconds: float) -> bool:
    return times.count > 0 and times.p99_milliseconds <= milliseconds


def _within(least: float, most: float) -> bool:
    return RETRY_AFTER_SECONDS[0] <= least and most <= RETRY_AFTER_SECONDS[1]


def built(folder: Path) -> Path:
    """The generator, compiled into that folder; raises `RuntimeError` where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError("this benchmark needs a C compiler: install gcc")
    program = folder / "arrivals"
    done = subprocess.run(
        [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(_SOURCE), "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{_SOURCE.name} does not compile:\n{done.stderr}")
    return program


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Calls at a rate, of one gateway, by the generator that was compiled."""

    program: Path
    core: int | None
    running: Running
    question: Question

    def at(self, calls_per_second: float, warm_seconds: float, seconds: float) -> Arrived:
        """Send them, and give what came of it. Raises `RuntimeError` when the generator fails."""
        words = [f"{calls_per_second:.3f}", str(warm_seconds), str(seconds), str(CONNECTIONS_MOST), "1"]
        asked = request(self.running.port, self.running.headers, self.question).decode()
        with Child([str(self.program), str(self.running.port), *words], core=self.core) as child:
            return Arrived.read(child.ask(asked, warm_seconds + seconds + _END_SECONDS_MOST))


class Prober(threading.Thread):
    """Asks whether the server lives, again and again, until it is told to end."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._ended = threading.Event()
        self._sent = self._failed = 0
        self._worst_seconds = 0.0

    def run(self) -> None:
        """Probe."""
        while not self._ended.wait(_PROBE_SECONDS):
            began = monotonic()
            self._sent += 1
            try:
                self._failed += get(self._port, "/health/live")[0] != 200
            except OSError:
                self._failed += 1
            self._worst_seconds = max(self._worst_seconds, monotonic() - began)

    def end(self) -> Probed:
        """What was found."""
        self._ended.set()
        self.join()
        return Probed(self._sent, self._failed, self._worst_seconds * 1000)


def measure(at: Bench, running: Running, program: Path, seconds: float, wait_milliseconds: int) -> Overloaded:
    """Peak, half of it, three times it, half of it again. Raises `RuntimeError`."""
    question = Question(1_000, wait_milliseconds=wait_milliseconds)
    warm_seconds = min(_WARM_SECONDS, seconds)
    peak = at.load(running, Cell("", question, PEAK_CONNECTIONS), Scale(warm_seconds=warm_seconds, seconds=seconds))
    if peak.errors or not peak.requests:
        raise RuntimeError(f"the peak could not be measured: {peak.first_error or 'no answer'}")
    rate = peak.requests_per_second
    arrivals = Arrivals(program, at.load_core, running, question)
    normal = arrivals.at(rate * NORMAL_SHARE, warm_seconds, seconds)
    prober = Prober(running.port)
    prober.start()
    overload = arrivals.at(rate * TIMES_CAPACITY, warm_seconds, seconds)
    probes = prober.end()
    after = arrivals.at(rate * NORMAL_SHARE, 0.0, max(seconds, 2 * RECOVERY_SECONDS_MOST))
    return Overloaded(rate, wait_milliseconds, normal, overload, after, probes)


def show(found: Overloaded) -> None:
    """Print what was found, and whether it holds."""
    print(f"peak {found.peak:.0f} calls a second, the provider takes {found.wait_milliseconds} ms")
    for name, arrived in (("half", found.normal), ("three times", found.overload), ("half again", found.after)):
        good, refused = arrived.good, arrived.refused
        print(
            f"{name:12}{arrived.sent:8} calls  {arrived.good_per_second:7.0f} served/s"
            f"  p50 {good.p50_milliseconds:7.1f} ms  p99 {good.p99_milliseconds:7.1f} ms"
            f"  {refused.count:7} refused, p50 {refused.p50_milliseconds:5.1f} p99 {refused.p99_milliseconds:5.1f} ms"
            f"  generator late p99 {arrived.late.p99_milliseconds:.1f} ms"
        )
    for words, value, holds in found.verdicts():
        print(f"{'holds ' if holds else 'FAILS '}{words}: {value}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; give the exit status: 1 when a number does not hold or something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each rate is measured, after a warm-up")
    parser.add_argument("--wait", type=int, default=_WAIT_MILLISECONDS, help="milliseconds that the provider takes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to a file")
    asked = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="oneflow-bench-") as folder, bench(Path(folder)) as at:
            program = built(Path(folder))
            with at.oneflow().running() as running:
                found = measure(at, running, program, asked.seconds, asked.wait)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    if asked.json is not None:
        asked.json.write_text(json.dumps(asdict(found), indent=1) + "\n")
    show(found)
    print(machine_line(machine()))
    return 0 if all(holds for _, _, holds in found.verdicts()) else 1


if __name__ == "__main__":
    sys.exit(main())
