"""One run: the double, OneFlow and nginx started, each cell measured in turn A B A B, memory and start times read."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cells import CELLS, Cell, Scale
from benchmarks.gateways import COMMAND, Gateway, Nginx, OneFlow, Running, nginx_path
from benchmarks.load import DRAIN_SECONDS_MOST, Order, Result, order_text, result_of
from benchmarks.machine import machine
from benchmarks.processes import Child, Memory, cores, memory, tree
from benchmarks.report import Footprint, Report, Sample

IMPORTS = ("import oneflow_ai", "from oneflow_ai import OneFlow")
_PROVIDER = (sys.executable, "-m", "benchmarks.provider")
_LOAD = (sys.executable, "-m", "benchmarks.load")
_START_SECONDS_MOST = 10.0
# No gateway worth measuring answers fewer a second; it bounds a run that is told a number of requests.
_REQUESTS_PER_SECOND_LEAST = 100

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run happens: its folder for files, the double's port and process, the generator's core."""

    folder: Path
    provider_port: int
    provider_pid: int
    load_core: int | None
    target_core: int | None
    command: Sequence[str]
    tls_port: int | None = None

    def oneflow(self, name: str = "oneflow") -> OneFlow:
        """OneFlow, in a folder of that name."""
        return OneFlow(self.folder / name, self.provider_port, self.target_core, self.command)

    def secured(self, ca_file: Path) -> OneFlow:
        """OneFlow that asks the double over TLS, and trusts whom that file names."""
        assert self.tls_port is not None
        folder = self.folder / "secured"
        return OneFlow(folder, self.tls_port, self.target_core, self.command, "over TLS", ca_file)

    def nginx(self) -> Nginx:
        """The proxy to compare with."""
        return Nginx(self.folder / "nginx", self.provider_port, self.target_core)

    def load(self, running: Running, cell: Cell, scale: Scale) -> Result:
        """Measure one cell once. Raises `RuntimeError` when the generator fails."""
        order = Order(
            port=running.port,
            headers=running.headers,
            question=cell.question,
            connections=cell.connections,
            warm_seconds=scale.warm_seconds,
            seconds=scale.seconds,
            requests_most=scale.requests_most,
            target_pids=tuple(tree(running.child.pid)),
            provider_port=self.provider_port,
            provider_pid=self.provider_pid,
        )
        most_seconds = scale.warm_seconds + scale.seconds + DRAIN_SECONDS_MOST + _START_SECONDS_MOST
        with Child(_LOAD, core=self.load_core) as child:
            return result_of(child.ask(order_text(order), most_seconds))


@contextlib.contextmanager
def bench(folder: Path, command: Sequence[str] = COMMAND, certificate: Path | None = None) -> Iterator[Bench]:
    """The double, running on the generator's core; `command` is how OneFlow is called.

    With a certificate and its key in one file, the double has a port for TLS too.
    """
    load_core, target_core = cores()
    with Child([*_PROVIDER, *([] if certificate is None else [str(certificate)])], core=load_core) as provider:
        port = int(provider.line())
        tls_port = None if certificate is None else int(provider.line())
        yield Bench(folder, port, provider.pid, load_core, target_core, command, tls_port)


def measure(at: Bench, cells: Sequence[str], scale: Scale, say: Say) -> Report:
    """The whole of a run but growth and churn. Raises `RuntimeError` when something cannot be started."""
    report = Report(machine())
    say("Import time")
    report.import_seconds = {statement: import_seconds(statement, scale.import_runs) for statement in IMPORTS}
    oneflow = at.oneflow()
    gateways: list[Gateway] = [oneflow]
    if nginx_path() is not None:
        gateways.append(at.nginx())
    else:
        say("nginx is not installed: OneFlow is measured alone")
    say("First start")
    first_seconds = {gateway.name: _start_seconds(gateway) for gateway in gateways}
    with contextlib.ExitStack() as stack:
        say(f"Second start, then {scale.idle_seconds:.0f} s of rest")
        running = [stack.enter_context(gateway.running()) for gateway in gateways]
        time.sleep(scale.idle_seconds)
        idle = {each.name: memory(each.child.pid) for each in running}
        _rounds(at, running, cells, scale, report, say)
        report.footprints = [_footprint(each, first_seconds[each.name], idle[each.name]) for each in running]
    report.asked_oneflow = sum(each.result.asked for each in report.samples if each.gateway == oneflow.name)
    report.history_rows = oneflow.rows()
    return report


def import_seconds(statement: str, runs: int) -> float:
    """The median time of an import in a new interpreter."""
    code = f"from time import perf_counter as clock; began = clock(); {statement}; print(clock() - began)"
    command = [sys.executable, "-c", code]
    outputs = [subprocess.run(command, capture_output=True, check=True, text=True).stdout for _ in range(runs)]
    return median(map(float, outputs))


def count_scale(requests: int) -> Scale:
    """As many requests as fast as can be, without a warm-up."""
    return Scale(warm_seconds=0.0, seconds=10.0 + requests / _REQUESTS_PER_SECOND_LEAST, requests_most=requests)


def short_cell(connections: int) -> Cell:
    """The plainest request over so many connections."""
    return Cell("", CELLS["c64"].question, connections)


def _rounds(
    at: Bench, running: Sequence[Running], cells: Sequence[str], scale: Scale, report: Report, say: Say
) -> None:
    for number in range(1, scale.rounds + 1):
        for name in cells:
            for target in running:
                result = at.load(target, CELLS[name], scale)
                report.samples.append(Sample(target.name, name, number, result))
                say(_progress(number, scale.rounds, name, target.name, result))
                time.sleep(scale.rest_seconds)


def _progress(number: int, rounds: int, cell: str, gateway: str, result: Result) -> str:
    figures = f"{result.cpu_microseconds:9.1f} µs {result.requests_per_second:9.0f}/s {result.errors} errors"
    return f"round {number} of {rounds}  {cell:8} {gateway:8}{figures}"


def _start_seconds(gateway: Gateway) -> float:
    with gateway.running() as running:
        return running.ready_seconds


def _footprint(running: Running, first_start_seconds: float, idle: Memory) -> Footprint:
    return Footprint(
        gateway=running.name,
        first_start_seconds=first_start_seconds,
        second_start_seconds=running.ready_seconds,
        second_start_cpu_seconds=running.ready_cpu_seconds,
        idle=idle,
        after=memory(running.child.pid),
    )
