"""Accepting connections: many in one turn of the event loop, for a turn of a busy loop is long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from oneflow_ai.core.exhausted import EXHAUSTED

ACCEPTED_A_TURN = 512
PAUSE_SECONDS = 0.5
ROOM_SECONDS = 0.05
# Connections that were gone before they were accepted.
_GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class Acceptor:
    """Takes what comes to a listening socket, which must not block, from `open` until `close`.

    An event loop's own server takes one connection a turn (uvloop 0.23.0, tried 2026-11-27): when turns take a tenth of
    a second, neither clients nor those who ask whether the gateway lives would get in. `connect` makes the protocol of
    a connection; `failed` is told why none can be accepted for a while. `room` tells how many more may be open;
    `make_room` has some closed, and tells whether there were any to close.
    """

    def __init__(
        self,
        listener: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        failed: Callable[[Exception], None],
        room: Callable[[], int],
        make_room: Callable[[], bool],
    ) -> None:
        self._listener = listener
        self._connect = connect
        self._failed = failed
        self._room = room
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._pause: asyncio.Handle | None = None

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
        room = self._room() - len(self._opening)
        if room <= 0:
            self._rest(None)
        for _ in range(min(room, ACCEPTED_A_TURN)):
            try:
                accepted, _address = self._listener.accept()
            except _GONE:
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._rest(error)
                return
            self._take(accepted)

    def _rest(self, error: OSError | None) -> None:
        """Accept none for a while, and have room made: in a later turn, for who asks in this one is not to leave."""
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_soon(self._clear, error)

    def _clear(self, error: OSError | None) -> None:
        seconds = ROOM_SECONDS
        if not self._make_room() and error is not None:
            seconds = PAUSE_SECONDS
            self._failed(error)
        self._pause = self._loop.call_later(seconds, self.open)

    def _take(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            # Some systems say so of one that is gone already.
            accepted.close()
            return
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._connect, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error if isinstance(error, Exception) else RuntimeError(str(error)))
