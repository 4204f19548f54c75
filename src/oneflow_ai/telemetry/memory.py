"""How much memory this process uses, and how much it may."""

from __future__ import annotations

import os
from pathlib import Path

_STATM = Path("/proc/self/statm")
# The limits of a container: control groups in version 2, then in version 1 (kernel.org, admin-guide/cgroup-v2 and
# cgroup-v1/memory; 2026-11-26).
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def resident_bytes() -> int:
    """The memory that this process holds now; 0 where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def memory_most_bytes(limits: tuple[Path, ...] = _LIMITS) -> int:
    """The memory that this process may use: the machine's, or its container's where that is less."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in limits:
        try:
            limit = int(file.read_text())
        except (OSError, ValueError):
            # No such file, or `max`: no limit.
            continue
        most = min(most, limit) if limit > 0 else most
    return most
