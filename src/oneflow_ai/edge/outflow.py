"""How fast a client must read what is written to it."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Any

READ_BYTES_LEAST = 64 << 10
"""What a client must read in each write limit while more than that waits for it."""


class Outflow:
    """One connection's writes: they pause while the client is slow, and the connection is cut when it has stalled."""

    __slots__ = ("_drain", "_loop", "_stall", "_transport", "_unread_bytes", "_until_seconds", "_write_seconds")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop, write_seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._write_seconds = write_seconds
        self._drain: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unread_bytes = 0
        self._until_seconds = math.inf

    def pause(self, until_seconds: float) -> None:
        """The client reads more slowly than we write: it has the write limit to read some, and until then for all."""
        self._drain = self._loop.create_future()
        self._until_seconds = until_seconds
        self._expect_some()

    def resume(self) -> None:
        """The client reads again."""
        self._stop()
        if self._drain is not None:
            drain, self._drain = self._drain, None
            if not drain.done():
                drain.set_result(None)

    async def drained(self) -> None:
        """Wait while the client reads more slowly than we write."""
        if self._drain is not None:
            await asyncio.shield(self._drain)

    def end(self) -> None:
        """Nothing more is written: what is unread is for whoever closes the connection to look at, from now on."""
        self._stop()
        self.mark()

    def mark(self) -> None:
        """Remember how many bytes the client has not taken."""
        self._unread_bytes = self._transport.get_write_buffer_size()

    def moves(self) -> bool:
        """Whether the client has taken enough since the mark."""
        return bool(self._transport.get_write_buffer_size() <= self._unread_bytes - READ_BYTES_LEAST)

    def _stop(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _expect_some(self) -> None:
        self.mark()
        until = min(self._loop.time() + self._write_seconds, self._until_seconds)
        self._stall = self._loop.call_at(until, self._look)

    def _look(self) -> None:
        """Go on with a client that is slow and steady, while its call has time; one that has stalled is cut."""
        if self._loop.time() < self._until_seconds and self.moves():
            self._expect_some()
        else:
            self._transport.abort()


def is_broken(transport: Any) -> bool:
    """Whether the other side has reset the connection."""
    found = transport.get_extra_info("socket")
    return found is not None and found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
