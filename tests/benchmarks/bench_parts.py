"""What the tests of the benchmark stand on: the double as if it were a gateway, and a scale of a few requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cells import Scale
from benchmarks.gateways import Running
from benchmarks.measure import Bench, bench
from benchmarks.processes import Child

FEW = Scale(
    rounds=1, warm_seconds=0.0, seconds=20.0, requests_most=70, rest_seconds=0.0, idle_seconds=0.0, import_runs=1
)


class NoChild(Child):
    """A stand-in for the process of a gateway that is not there."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @property
    def pid(self) -> int:
        return self._pid


@contextmanager
def double(folder: Path) -> Iterator[tuple[Bench, Running]]:
    """The double, and itself as what is measured."""
    with bench(folder) as at:
        yield at, Running("double", NoChild(at.provider_pid), at.provider_port, {}, 0.0, 0.0)
