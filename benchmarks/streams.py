"""How much later a token comes through OneFlow while 500 streams are open: `python -m benchmarks.streams`."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

from benchmarks.gateways import Running
from benchmarks.machine import machine, machine_line
from benchmarks.measure import Bench, bench
from benchmarks.processes import Child, cpu_seconds, get, tree
from benchmarks.stream_clients import Delays, Streams

STREAMS = 500
TOKENS_PER_SECOND = 20
DELAY_MILLISECONDS_MOST = 20.0
LAG_SECONDS_MOST = 0.25
_WARM_SECONDS = 3.0
_END_SECONDS_MOST = 30.0
_LAG_CHECK_SECONDS = 5.0
_LAG = re.compile(rb"^oneflow_event_loop_lag_seconds (\S+)$", re.MULTILINE)
_CLIENTS = (sys.executable, "-m", "benchmarks.stream_clients")


@dataclass(frozen=True, slots=True)
class Streamed:
    """What was found: straight to the double, through OneFlow, how late its loop was at worst, in seconds.

    `cores` is the processor time that OneFlow used in each second: where it is far below one and tokens are late even
    so, other programs had the core.
    """

    direct: Delays
    through: Delays
    lag_seconds: float
    cores: float

    def verdicts(self) -> list[tuple[str, str, bool]]:
        """Each number that is asked for: in words, what was found, whether that holds."""
        added = self.through.p99_milliseconds - self.direct.p99_milliseconds
        broken = self.direct.broken + self.through.broken
        return [
            ("p99 delay added to a token", f"{added:.1f} ms", added <= DELAY_MILLISECONDS_MOST),
            ("event loop late at worst", f"{self.lag_seconds * 1000:.0f} ms", self.lag_seconds <= LAG_SECONDS_MOST),
            ("streams that broke", str(broken), broken == 0 and self.through.tokens > 0),
        ]


class LagWatch(threading.Thread):
    """Asks OneFlow how late its loop was, before what it remembers is over; keeps the worst."""

    def __init__(self, running: Running) -> None:
        super().__init__(daemon=True)
        self._port = running.port
        self._ended = threading.Event()
        self._worst_seconds = 0.0

    def run(self) -> None:
        """Watch."""
        while not self._ended.wait(_LAG_CHECK_SECONDS):
            # The next look sees the same again, or the last one fails for all to see.
            with contextlib.suppress(OSError):
                self._look()

    def end(self) -> float:
        """The worst, in seconds. Raises `RuntimeError` where OneFlow does not tell."""
        self._ended.set()
        self.join()
        self._look()
        return self._worst_seconds

    def _look(self) -> None:
        found = _LAG.search(get(self._port, "/metrics")[1])
        if found is None:
            raise RuntimeError("oneflow does not tell how late its event loop is")
        self._worst_seconds = max(self._worst_seconds, float(found[1]))


def measure(at: Bench, streams: int, seconds: float) -> Streamed:
    """Straight to the double, then through OneFlow. Raises `RuntimeError`."""
    direct = _run(at, at.provider_port, {}, streams, seconds)
    with at.oneflow().running() as running:
        watch = LagWatch(running)
        watch.start()
        pids, began = tree(running.child.pid), monotonic()
        used = cpu_seconds(pids)
        through = _run(at, running.port, running.headers, streams, seconds)
        cores = (cpu_seconds(pids) - used) / (monotonic() - began)
        return Streamed(direct, through, watch.end(), cores)


def _run(at: Bench, port: int, headers: Mapping[str, str], streams: int, seconds: float) -> Delays:
    asked = Streams(port, headers, streams, TOKENS_PER_SECOND, min(_WARM_SECONDS, seconds), seconds)
    with Child(_CLIENTS, core=at.load_core) as child:
        text = child.ask(json.dumps(asdict(asked)), asked.warm_seconds + seconds + _END_SECONDS_MOST)
    return Delays(**json.loads(text))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; give the exit status: 1 when a number does not hold or something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=STREAMS, help="how many at a time")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each way is measured, after a warm-up")
    asked = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="oneflow-bench-") as folder, bench(Path(folder)) as at:
            found = measure(at, asked.streams, asked.seconds)
    except (RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, delays in (("direct", found.direct), ("oneflow", found.through)):
        print(
            f"{name:8}{delays.tokens:9} tokens of {delays.streams} streams"
            f"  p50 {delays.p50_milliseconds:6.2f} ms  p99 {delays.p99_milliseconds:6.2f} ms"
            f"  worst {delays.worst_milliseconds:6.1f} ms"
        )
    print(f"oneflow used {found.cores:.2f} of a core")
    for words, value, holds in found.verdicts():
        print(f"{'holds ' if holds else 'FAILS '}{words}: {value}")
    print(machine_line(machine()))
    return 0 if all(holds for _, _, holds in found.verdicts()) else 1


if __name__ == "__main__":
    sys.exit(main())
