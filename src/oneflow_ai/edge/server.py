"""Hosting by uvicorn, which listens and drains; connections are our own, and swept for what is overdue."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import uvicorn

from oneflow_ai.edge.accepting import Acceptor
from oneflow_ai.edge.connection import Connection
from oneflow_ai.edge.served import ConnectionLimits, Served

SWEEP_SECONDS = 0.5
LAST_WORDS_SECONDS = 0.5
BACKLOG = 4_096
LEAVING_SHARE, LEAVING_MOST = 16, 256
"""Where as many are connected as may be, one of so many that ask nothing makes room, and no more at a time."""
UNUSED_SECONDS_LEAST = 0.5
"""Who has connected or sent something since then may be about to ask."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What is called once it listens, when its end begins, and as the calls that are left then are cancelled."""

    ready: Callable[[], None]
    drain: Callable[[], None]
    cut: Callable[[], None]


class _Server(uvicorn.Server):
    """uvicorn's server, which accepts by itself, tells when it is ready and when it drains, and sweeps connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        served: Served,
        listener: socket.socket,
        limits: ConnectionLimits,
        stages: Stages,
        until: asyncio.Event | None,
    ) -> None:
        super().__init__(config)
        self._served = served
        self._limits = limits
        self._acceptor = Acceptor(listener, self._connection, served.failed, self._room, self._make_room)
        self._ready = stages.ready
        self._drain = stages.drain
        self._cut = stages.cut
        self._until = until
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup([])
        self._acceptor.open()
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._sweep()))
        if self._until is not None:
            self._tasks.append(loop.create_task(self._wait(self._until)))
        if not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let calls finish for as long as the configuration says, then cut them."""
        # Before uvicorn does: who is cut is to be told why.
        self._acceptor.close()
        over = asyncio.get_running_loop().call_later(self.config.timeout_graceful_shutdown or 0, self._cut_calls)
        await super().shutdown(sockets)
        over.cancel()
        # A second SIGINT waits for nobody.
        self._cut_calls()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=LAST_WORDS_SECONDS)
        for task in self._tasks:
            task.cancel()

    def _cut_calls(self) -> None:
        self._cut()
        for connection in self._connections():
            connection.cut()
        # In the next turn: a task that has yet to begin would tell nobody that it was cut.
        asyncio.get_running_loop().call_soon(self._cancel_calls)

    def _cancel_calls(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT begin the drain; a second SIGINT ends at once. A drained server exits with status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the drain."""
        self._drain()
        super().handle_exit(sig, frame)

    async def _wait(self, until: asyncio.Event) -> None:
        await until.wait()
        self._drain()
        self.should_exit = True

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._sweep_all(loop.time())

    def _sweep_all(self, now_seconds: float) -> None:
        for connection in self._connections():
            self._sweep_one(connection, now_seconds)

    def _connections(self) -> list[Connection]:
        connections: list[object] = list(self.server_state.connections)
        return [connection for connection in connections if isinstance(connection, Connection)]

    def _connection(self) -> Connection:
        return Connection(self._served, self._limits, self.server_state, asyncio.get_running_loop())

    def _room(self) -> int:
        """How many more may connect."""
        return self._limits.open_most - len(self.server_state.connections)

    def _make_room(self) -> bool:
        """Disconnect some that ask nothing: who never did first, then who has not for longest; none who only just came.

        Gives whether any are leaving.
        """
        latest, leaving = asyncio.get_running_loop().time() - UNUSED_SECONDS_LEAST, 0
        unused: list[tuple[tuple[bool, float], int, Connection]] = []
        for place, connection in enumerate(self._connections()):
            leaving += connection.ending
            found = connection.unused
            if found is not None and found[1] <= latest:
                unused.append((found, place, connection))
        more = min(1 + len(unused) // LEAVING_SHARE, LEAVING_MOST) - leaving
        for _, _, connection in heapq.nsmallest(more, unused):
            connection.shutdown()
        return bool(unused) or leaving > 0

    def _sweep_one(self, connection: Connection, now_seconds: float) -> None:
        try:
            connection.sweep(now_seconds)
        except Exception as error:  # noqa: BLE001 - one connection's fault must not end the time limits of all others
            self._served.failed(error)
            connection.abort()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `OSError` when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


async def serve(
    served: Served,
    listener: socket.socket,
    *,
    limits: ConnectionLimits,
    drain_seconds: float,
    stages: Stages,
    until: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `until`."""

    config = uvicorn.Config(
        served,  # type: ignore[arg-type] # it is never called: our connections bring it their requests themselves
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
    )
    await _Server(config, served, listener, limits, stages, until).serve(sockets=[listener])
