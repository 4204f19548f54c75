"""A file that arrives with a request: in memory while it is small, on the disk beyond that."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

KEPT_BYTES_MOST = 256 << 10
"""So much of a file is kept in memory: the whole of a small one, else what is written next."""
PIECE_BYTES = 64 << 10


class Spool:
    """Implements `Upload`. What is on the disk has no name there: it is gone with the process, however that ends."""

    def __init__(self, folder: Path | None, name: str, media_type: str) -> None:
        self._folder = folder
        self._file: int | None = None
        self._kept = bytearray()
        self._written_bytes = 0
        self._open = True
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
        self._open = False
        self._kept = bytearray()
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def _write(self, content: bytearray) -> None:
        if self._file is None:
            with tempfile.TemporaryFile(dir=self._folder) as made:
                file = os.dup(made.fileno())
            if not self._open:
                os.close(file)
                return
            self._file = file
        view = memoryview(content)
        while view:
            view = view[os.write(self._file, view) :]
