"""What a system says to a process that has no file, or no memory, left for another socket."""

from __future__ import annotations

import errno

EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""Numbers of errors (accept(2), socket(2), 2026-11-28): some must close before another may open."""
