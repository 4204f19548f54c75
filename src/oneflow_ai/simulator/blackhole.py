"""A port that never answers a connection attempt, as behind a firewall that drops packets (fault F4)."""

from __future__ import annotations

import errno
import socket
from types import TracebackType

_FILLERS_MOST = 64


class Blackhole:
    """A listening socket whose queue is full, so that the system drops further attempts (on Linux).

    Use it as a context manager; `port` is where connecting takes for ever.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._sockets: list[socket.socket] = []
        self.port = 0

    def __enter__(self) -> Blackhole:
        listener = socket.socket()
        self._sockets.append(listener)
        listener.bind((self._host, 0))
        listener.listen(0)
        self.port = int(listener.getsockname()[1])
        for _ in range(_FILLERS_MOST):
            if not self._fill():
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._sockets:
            each.close()
        self._sockets.clear()

    def _fill(self) -> bool:
        """Take one more place of the queue; whether there was one."""
        filler = socket.socket()
        self._sockets.append(filler)
        filler.settimeout(0.05)
        try:
            filler.connect((self._host, self.port))
        except (TimeoutError, BlockingIOError):
            return False
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINPROGRESS):
                raise
            return False
        return True
