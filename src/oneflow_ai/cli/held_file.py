"""Files of which one process at a time is the holder, by a lock that ends with the process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file unless another process has it locked. Without such locks (Windows) only shared ones are had."""
    if sys.platform == "win32":
        return shared
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
