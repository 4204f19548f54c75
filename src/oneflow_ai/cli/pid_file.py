"""`server.pid` in the home: which process serves from it, held by a lock that ends with the process."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from oneflow_ai.cli.held_file import is_at, lock

FILE_NAME = "server.pid"
BYTES_MOST = 16 * 1024
_TRIES_MOST = 10
_TRY_AGAIN_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs: its process, its address, and the configuration file it reads, if it reads one."""

    pid: int
    url: str
    config: str | None


class PidFile:
    """The file of one home. Only its holder writes or removes it; whoever finds it unlocked knows that nobody serves.

    Where there are no such locks (Windows) nobody ever holds it.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FILE_NAME
        self._descriptor: int | None = None

    def take(self, serving: Serving) -> bool:
        """Write who serves and hold the file until `release`; False when another process holds it. Raises `OSError`."""
        for _ in range(_TRIES_MOST):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            if not lock(descriptor):
                # A server holds it for long, a reader for a moment only.
                os.close(descriptor)
                time.sleep(_TRY_AGAIN_SECONDS)
                continue
            if is_at(descriptor, self.path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(asdict(serving)).encode() + b"\n", 0)
                self._descriptor = descriptor
                return True
            # Its last holder removed the file between our opening it and our locking it.
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Remove the file and let it go. Harmless if repeated, and where another process holds it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(descriptor)

    def holder(self) -> Serving | None:
        """Who serves now; None when nobody does."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return None
        try:
            if lock(descriptor, shared=True):
                return None
            return Serving(**json.loads(os.read(descriptor, BYTES_MOST)))
        except (ValueError, TypeError):
            return None
        finally:
            os.close(descriptor)
