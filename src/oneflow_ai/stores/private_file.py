"""Files that only their owner may read: made whole or not at all, and refused when others could read them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from oneflow_ai.stores import StoreRefused

BYTES_MOST = 4_096
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, unless it is there; raises `StoreRefused` where it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        words = f"the folder {path} cannot be made: {problem.strerror or problem}"
        raise StoreRefused(f"{words}: set ONEFLOW_HOME to one that can") from None


def make(path: Path, content: bytes) -> bool:
    """Write a new file of mode 0600, flushed to the disk; give False, and change nothing, when the path exists.

    Of several processes that make the same file at once one wins, and none ever sees half of it. Raises `OSError`.
    """
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    try:
        _write(draft, content)
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as problem:
        if problem.errno not in _NO_LINKS:
            raise
        return _make_without_links(path, content)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    _flush_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in place of what is there, flushed to the disk: whoever reads sees one or the other.

    Where the path is a link, what it leads to is replaced. Raises `OSError`.
    """
    path = path.resolve()
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    try:
        _write(draft, content)
        draft.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    _flush_folder(path.parent)


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for one's turn among the processes that change files of a folder, and have it; raises `OSError`.

    Where there are no such locks (Windows) everybody has it at once.
    """
    make_folder(folder)
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - where there is one

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_without_links(path: Path, content: bytes) -> bool:
    """For file systems without hard links: another process may see the file before its few bytes are in it."""
    try:
        _write(path, content)
    except FileExistsError:
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while content:
            content = content[os.write(file, content) :]
        os.fsync(file)
    finally:
        os.close(file)


def _flush_folder(folder: Path) -> None:
    # Windows cannot open a folder, and needs no flush of it.
    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def read(path: Path) -> bytes:
    """The content of a private file, at most `BYTES_MOST`.

    Raises `FileNotFoundError`, and `StoreRefused` for what is no plain file or open to others than its owner.
    """
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise StoreRefused(f"cannot read {path}: {problem.strerror}") from None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise StoreRefused(f"{path} is not a plain file")
        if os.name == "posix" and status.st_mode & 0o077:
            raise StoreRefused(
                f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): run `chmod 600 {path}`, "
                "and replace what is in it if others may have read it"
            )
        return os.read(file, BYTES_MOST)
    finally:
        os.close(file)
