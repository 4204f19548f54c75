"""How many files, connections among them, this process may have open."""

from __future__ import annotations

import contextlib
import sys

FILES_MOST = 1 << 20
# What macOS takes where it says that there is no limit (OPEN_MAX; setrlimit(2), 2026-11-28).
_FILES_FEWER = 10_240


def open_files_most() -> int:
    """Let this process have as many files as it may have, `FILES_MOST` at the most; gives how many those are.

    Systems begin with a low limit, 1,024 as a rule, for programs that could not do with more, and leave it to others to
    raise it (systemd.exec, LimitNOFILE=, 2026-11-28).
    """
    if sys.platform == "win32":
        # There each kind has a limit of its own, and sockets none that could be asked for.
        return FILES_MOST
    import resource  # noqa: PLC0415 - Windows has none

    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MOST if allowed == resource.RLIM_INFINITY else min(allowed, FILES_MOST)
    if most != resource.RLIM_INFINITY and most < wanted:
        for number in (wanted, _FILES_FEWER):
            if not most < number <= wanted:
                continue
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (number, allowed))
                break
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return FILES_MOST if most == resource.RLIM_INFINITY else most
