"""A file that arrives with a request: in memory while it is small, on the disk beyond that."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

KEPT_BYTES_MOST = 256 << 10
"""So much of a file is kept in memory: the whole of a small one, else what is written next."""
PIECE_BYTES = 64 << 10
FREE_BYTES_LEAST = 256 << 20
"""So much of the disk is left free: the database is on it too."""


def _free_bytes(file: int) -> int:
    disk = os.fstatvfs(file)
    return disk.f_bavail * disk.f_frsize


class Spool:
    """Implements `Upload`. What is on the disk has no name there: it is gone with the process, however that ends.

    `write` and `free_bytes` are the disk's: they take an open file's number, and the first gives how much it wrote.
    """

    def __init__(
        self,
        folder: Path | None,
        name: str,
        media_type: str,
        write: Callable[[int, memoryview], int] = os.write,
        free_bytes: Callable[[int], int] = _free_bytes,
    ) -> None:
        self._folder = folder
        self._write_some = write
        self._free_bytes = free_bytes
        self._file: int | None = None
        self._kept = bytearray()
        self._written_bytes = 0
        self._lock = Lock()
        self._open = True
        self._writing = False
        self.name = name
        self.media_type = media_type

    @property
    def size_bytes(self) -> int:
        """How much has arrived."""
        return self._written_bytes + len(self._kept)

    @property
    def kept_bytes(self) -> int:
        """How much of it is in memory."""
        return len(self._kept)

    def add(self, piece: bytes) -> None:
        """A piece arrived."""
        self._kept += piece

    async def relieve(self) -> None:
        """Write what is kept to the disk, if it is much; raises `OSError` when there is no room."""
        if len(self._kept) > KEPT_BYTES_MOST:
            kept, self._kept = self._kept, bytearray()
            await asyncio.to_thread(self._write, kept)
            self._written_bytes += len(kept)

    def pieces(self) -> Iterator[bytes]:
        """Its content, from the beginning. Just written, it is copied from the system's cache."""
        offset = 0
        while offset < self._written_bytes:
            if not self._open or self._file is None:
                raise OSError("the file is gone")
            piece = os.pread(self._file, min(PIECE_BYTES, self._written_bytes - offset), offset)
            if not piece:
                raise OSError("the file is cut")
            offset += len(piece)
            yield piece
        for start in range(0, len(self._kept), PIECE_BYTES):
            yield bytes(self._kept[start : start + PIECE_BYTES])

    def close(self) -> None:
        """Let go of it. Harmless if repeated."""
        self._kept = bytearray()
        with self._lock:
            self._open = False
            # Closed under a thread that writes, its number could be that of another file: that thread closes it.
            if not self._writing:
                self._close_file()

    def _write(self, content: bytearray) -> None:
        if not self._begin():
            return
        try:
            self._write_all(content)
        finally:
            self._end()

    def _begin(self) -> bool:
        with self._lock:
            self._writing = self._open
            return self._writing

    def _end(self) -> None:
        with self._lock:
            self._writing = False
            if not self._open:
                self._close_file()

    def _write_all(self, content: bytearray) -> None:
        file = self._file
        if file is None:
            with tempfile.TemporaryFile(dir=self._folder) as made:
                file = self._file = os.dup(made.fileno())
        if self._free_bytes(file) < len(content) + FREE_BYTES_LEAST:
            raise OSError(errno.ENOSPC, "the disk is almost full")
        view = memoryview(content)
        while view and self._open:
            view = view[self._write_some(file, view) :]

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            # Whatever of it the disk could not take, nobody needs any more.
            with contextlib.suppress(OSError):
                os.close(file)
