"""Accepting connections: many in one turn of the event loop, for a turn of a busy loop is long."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

ACCEPTED_A_TURN = 512
PAUSE_SECONDS = 0.5
# Connections that were gone before they were accepted.
_GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)
# Neither files nor memory for another connection: those that there are must end first.
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Takes what comes to a listening socket, which must not block, from `open` until `close`.

    An event loop's own server takes one connection a turn (uvloop 0.23.0, tried 2026-11-27): when turns take a tenth of
    a second, neither clients nor those who ask whether the gateway lives would get in. `connect` makes the protocol of
    a connection; `failed` is told why none can be accepted for a while.
    """

    def __init__(
        self, listener: socket.socket, connect: Callable[[], asyncio.Protocol], failed: Callable[[Exception], None]
    ) -> None:
        self._listener = listener
        self._connect = connect
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Accept from now on."""
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept no more; connections that are open stay so."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_A_TURN):
            try:
                accepted, _address = self._listener.accept()
            except _GONE:
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self.open)
                self._failed(error)
                return
            self._take(accepted)

    def _take(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._connect, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error if isinstance(error, Exception) else RuntimeError(str(error)))
