"""A process without a file left for another connection: nobody else is to blame for that."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from tests.upstreams import KINDS, Kind, failure_of, request_to, soon, upstream_of, whole


@contextmanager
def _no_file_left() -> Iterator[None]:
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as taken:
        # Every number below the limit is taken.
        top = max(map(int, os.listdir("/proc/self/fd"))) + 16
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, allowed))
        taken.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (most, allowed))
        try:
            while True:
                taken.callback(os.close, os.dup(0))
        except OSError:
            yield


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
async def test_without_a_file_left_the_provider_is_not_to_blame(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, upstream_of(kind) as upstream:
        request = request_to(simulator.base_url)
        with _no_file_left():
            failure = await failure_of(lambda: upstream.send(request, soon()))
        assert failure.kind is kinds.OVERLOADED
        assert failure.kind.blame == "nobody"
        assert (await whole(upstream, request))[0] == 200
