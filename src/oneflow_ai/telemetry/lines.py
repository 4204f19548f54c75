"""Lines on their way to a stream, written by a thread: a reader that stalls stops the lines, not the program."""

from __future__ import annotations

import threading
from collections import deque
from typing import IO

LINES_WAITING_MOST = 10_000
LINE_BYTES_MOST = 4_096
GATHER_SECONDS = 0.02
"""How long lines are gathered before they are written together."""

_LINES_TOGETHER_MOST = 500


class LineWriter:
    """Writes whole lines to a binary stream, in order. Lines for which there is no room are dropped and counted."""

    def __init__(self, stream: IO[bytes], lines_most: int = LINES_WAITING_MOST) -> None:
        self._stream = stream
        self._most = lines_most
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._broken = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.dropped = 0

    def write(self, line: bytes) -> None:
        """Queue one line, given without its newline; it is cut at 4 KiB. From any thread; never waits, never raises."""
        if len(self._lines) >= self._most or self._broken:
            self.dropped += 1
            return
        self._lines.append(line[:LINE_BYTES_MOST])
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                # A reader that stalls for ever must not keep the program alive.
                self._thread = threading.Thread(target=self._run, name="oneflow-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._lines):
            self._wake.wait()
            self._closing.wait(GATHER_SECONDS)
            self._wake.clear()
            while self._lines:
                self._write_some()

    def _write_some(self) -> None:
        count = min(len(self._lines), _LINES_TOGETHER_MOST)
        lines = [self._lines.popleft() for _ in range(count)]
        text = b"\n".join((*lines, b""))
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True
            self.dropped += count

    def close(self, within_seconds: float = 2.0) -> None:
        """Write what waits, for so long at most. Harmless if repeated."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(within_seconds)
