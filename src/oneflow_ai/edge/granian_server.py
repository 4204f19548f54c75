"""granian as the server, in our own event loop: it owns the connections, the edge what is asked over them.

What it cannot do that our own connections can, `docs/design/servers.md` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined] # it is what its own servers use
from granian.server.embed import Server

from oneflow_ai.edge.guest import Guests
from oneflow_ai.edge.head import HEAD_BYTES_MOST
from oneflow_ai.edge.served import ConnectionLimits, Served
from oneflow_ai.edge.server import BACKLOG, LAST_WORDS_SECONDS, Stages

STOP_SECONDS_MOST = 1.0
# Its own way would close every handler of the process; this one sets levels alone.
_LOGGING = {
    "incremental": True,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"level": "ERROR"}, "granian.access": {"level": "CRITICAL"}},
}


class _Granian(Server):
    """granian's embedded server on a socket that listens already."""

    def __init__(self, guests: Guests, listener: socket.socket, limits: ConnectionLimits, ready: Callable[[], None]):
        super().__init__(
            guests,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            backpressure=limits.open_most,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(limits.head_seconds * 1000), max_buffer_size=HEAD_BYTES_MOST
            ),
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
        )
        self._listener = listener
        self._ready = ready

    def _init_shared_socket(self) -> None:
        # granian closes what it is given, at a time of its own.
        self._sfd: Any = self._listener.dup().detach()
        self._shd: Any = SocketHolder(self._sfd, False, BACKLOG)  # type: ignore[call-arg] # its stub forgets them

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Listen."""
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call] # granian tells no types here
        self._ready()


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
    _cut_stalled(listener, limits.write_seconds)
    guests, stop, now = Guests(served, limits), until or asyncio.Event(), asyncio.Event()
    server = _Granian(guests, listener, limits, stages.ready)
    serving = asyncio.ensure_future(server.serve())
    stopping = asyncio.ensure_future(stop.wait())
    with _signals(stop, now):
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        stages.drain()
        server.stop()  # type: ignore[no-untyped-call] # nor here
        listener.close()
        await _drain(guests, now, drain_seconds)
        stages.cut()
        guests.cut()
        await guests.ended(LAST_WORDS_SECONDS)
        # Whoever does not read its answer is not waited for.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving, STOP_SECONDS_MOST)


async def _drain(guests: Guests, now: asyncio.Event, seconds: float) -> None:
    """Let requests finish, for as long as they may and nobody is in a hurry."""
    ended = asyncio.ensure_future(guests.ended(seconds))
    hurry = asyncio.ensure_future(now.wait())
    await asyncio.wait((ended, hurry), return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    hurry.cancel()


def _cut_stalled(listener: socket.socket, seconds: float) -> None:
    """Have the system cut the connections of clients that do not read: granian has no limit for that (Linux only)."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(int(seconds * 1000), 1))


@contextlib.contextmanager
def _signals(stop: asyncio.Event, now: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT begin the drain; a second SIGINT ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if stop.is_set():
            now.set()
        stop.set()

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
