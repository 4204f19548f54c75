"""A gateway as `oneflow serve` puts it together, in this process, its log and its connections open to inspection."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from oneflow_ai.app.runtime import Runtime
from oneflow_ai.control import ControlPorts, control_plane
from oneflow_ai.core.call import Account
from oneflow_ai.edge import Edge, EdgeLimits, EdgePorts
from oneflow_ai.edge.door import Door, loopback_hosts
from oneflow_ai.edge.engines import Serve, engine
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.edge.server import Stages, listen
from oneflow_ai.policy.overload import Overload
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.stores.history import Filters
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys
from oneflow_ai.telemetry.log import NoLog
from tests.app.gateway import KEY
from tests.canaries import PROVIDER_KEY

BODY_BYTES_MOST = 64 << 10
SETTLE_SECONDS_MOST = 10.0
SMALL_BUFFER_BYTES = 4 << 10
_CONFIGURATION = """
[providers.sim]
kind = "openai"
base_url = "%s"
api_key = "env:SIM_KEY"
[prices."sim/*"]
input_usd_per_million_tokens = 1
output_usd_per_million_tokens = 2
"""


class KeptLog(NoLog):
    """A log that keeps what an operator would have to look at."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, event: str, /, **fields: object) -> None:
        """One more."""
        self.errors.append(f"{event} {fields}")


class _Libraries(logging.Handler):
    def __init__(self, log: KeptLog) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.error(record.getMessage(), error=record.exc_info and record.exc_info[1])


@dataclass(frozen=True, slots=True)
class Front:
    """The running gateway, its simulator, its socket, its log, and what stops it; `overload` no lag is told to."""

    runtime: Runtime
    overload: Overload
    edge: Edge
    simulator: Simulator
    listener: socket.socket
    log: KeptLog
    stop: asyncio.Event

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def calls(self) -> int:
        """How many requests reached the provider."""
        return self.simulator.record.counts.requests

    def small_buffers(self) -> int:
        """Give the connections to come the smallest buffers that the system has; gives about their size in bytes."""
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.listener.setsockopt(socket.SOL_SOCKET, option, SMALL_BUFFER_BYTES)
        return SMALL_BUFFER_BYTES

    def connections_open(self) -> int:
        """How many connections the gateway still holds: those of this process's sockets that are at its port.

        The system's own table is no place to look often: it lists what other tests have closed a minute ago too.
        """
        return sum(_is_connection(int(name), self.port) for name in os.listdir("/proc/self/fd"))

    async def settled(self) -> None:
        """Wait until no call is open and no connection to the provider is in use."""
        counts = self.simulator.record.counts
        await _until(lambda: not self.edge.at_hand and not counts.in_flight)
        assert not self.runtime.engine.at_work

    async def empty(self) -> None:
        """Wait until the gateway holds no connection."""
        await _until(lambda: self.connections_open() == 0)

    async def outcomes(self) -> list[str]:
        """How every recorded call ended, the latest first."""
        await self.settled()
        await _until(lambda: not self.runtime.recorder.waiting)
        return [record.outcome for record in (await self.runtime.history.page(Filters(), limit=500)).records]


def _is_connection(number: int, port: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return False
        with socket.socket(fileno=os.dup(number)) as found:
            listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return found.family == socket.AF_INET and not listens and found.getsockname()[1] == port
    except OSError:
        # Closed meanwhile.
        return False


async def _until(true_of: Callable[[], bool]) -> None:
    ends_seconds = asyncio.get_running_loop().time() + SETTLE_SECONDS_MOST
    while not true_of():
        assert asyncio.get_running_loop().time() < ends_seconds, "it did not come to that in time"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def fronting(
    home: Path,
    *,
    connection: ConnectionLimits | None = None,
    options: SimulatorOptions | None = None,
    body_bytes_most: int = BODY_BYTES_MOST,
    server: str = "uvicorn",
) -> AsyncIterator[Front]:
    """A gateway on a port of its own, with one provider that is a simulator; `server` is the engine by its name."""
    async with Simulator(options or SimulatorOptions(pace=FAST)) as simulator:
        file = home / "oneflow.toml"
        file.write_text(_CONFIGURATION % simulator.base_url)
        # The calls that reach the provider are counted: none but the tests' own.
        variables = {"SIM_KEY": PROVIDER_KEY, "ONEFLOW_HOME": str(home), "ONEFLOW_MODELS__REFRESH_HOURS": "0"}
        loaded = load(file, variables, home, kinds=TABLE)
        log = KeptLog()
        with _library_errors(log):
            async with Runtime(loaded, log=log) as runtime:
                listener = listen("127.0.0.1", 0)
                # Gateway, provider and clients share a loop here: its lag is not the gateway's.
                # Even a gateway with nothing to do turns calls away, if a test says so.
                overload = Overload(least=0)
                edge = _edge(runtime, EdgeLimits(body_bytes_most), overload)
                async with _served(engine(server), edge, listener, connection, runtime.engine.stop) as stop:
                    yield Front(runtime, overload, edge, simulator, listener, log, stop)


@contextmanager
def _library_errors(log: KeptLog) -> Iterator[None]:
    handler = _Libraries(log)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _edge(runtime: Runtime, limits: EdgeLimits, overload: Overload) -> Edge:
    digest = KeyDigest(b"pepper of the tests")
    door = Door(digest, keys_needed=True, hosts=loopback_hosts(()))
    runtime.admit({digest(KEY.encode()): Account("key_test")})
    keys = Keys(runtime.database, digest, runtime.clock)
    ports = EdgePorts(
        desk=runtime.desk,
        engine=runtime.engine,
        door=door,
        control=control_plane(
            ControlPorts(runtime, keys, lambda headers, query: door.account(headers, runtime.desk.snapshot, query))
        ),
        limits=limits,
        overload=overload,
        clock=runtime.clock,
        chance=runtime.chance,
        log=runtime.log,
        refused=runtime.metrics.refused,
        standing=runtime.limits.standing,
        spool=runtime.loaded.home,
    )
    return Edge(ports)


@asynccontextmanager
async def _served(
    serve: Serve,
    edge: Edge,
    listener: socket.socket,
    connection: ConnectionLimits | None,
    cut: Callable[[], None],
) -> AsyncIterator[asyncio.Event]:
    ready, stop = asyncio.Event(), asyncio.Event()

    def on_ready() -> None:
        edge.ready = True
        ready.set()

    def on_drain() -> None:
        edge.draining = True

    limits = connection or ConnectionLimits()
    work = serve(edge, listener, limits=limits, drain_seconds=2, stages=Stages(on_ready, on_drain, cut), until=stop)
    serving = asyncio.ensure_future(work)
    await ready.wait()
    try:
        yield stop
    finally:
        stop.set()
        await serving
