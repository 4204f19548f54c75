"""A process that has no file left, for as long as a test wants it so."""

from __future__ import annotations

import errno
import gc
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def no_file_left() -> Iterator[None]:
    """Every number of a file below the limit is taken (Linux only)."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What goes on closing would make room.
    gc.collect()
    with ExitStack() as taken:
        top = max(map(int, os.listdir("/proc/self/fd"))) + 16
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, allowed))
        taken.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (most, allowed))
        error = 0
        while not error:
            try:
                taken.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            except OSError as found:
                error = found.errno or errno.EIO
        assert error == errno.EMFILE
        yield
