"""What a system says to a process that has no file, or no memory, left for another socket."""

from __future__ import annotations

import errno

from oneflow_ai.core.failure import OVERLOADED, Failure

EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""Numbers of errors (accept(2), socket(2), 2026-11-28): some must close before another may open."""


def crowded(error: BaseException) -> Failure | None:
    """Why there is no connection to a provider, where this error says that it is for want of files or memory.

    No provider is to blame for that. None for any other error.
    """
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        return no_room()
    return None


def no_room() -> Failure:
    """No connection to a provider, for want of files or memory."""
    return Failure(OVERLOADED, "the gateway has no room for another connection to a provider; try again")
