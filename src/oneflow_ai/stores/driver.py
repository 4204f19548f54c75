"""Which SQLite is used, and how one connection to it is opened; nothing here knows the tables."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from oneflow_ai.stores.private_file import make_folder

BUSY_SECONDS = 5.0
"""How long a connection waits for another process that is writing."""

SOUND_VERSION = (3, 51, 3)
"""The first SQLite without the WAL-reset race: https://www.sqlite.org/wal.html#walresetbug, checked 2026-11-24."""

_EVERY_CONNECTION = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = NORMAL")
_READING = ("PRAGMA query_only = ON",)
# Pages of 8 KiB (of a new file) and a log of 2,000 of them take a quarter less CPU for a row of history than SQLite's
# own 4 KiB and 1,000; after a burst the log is cut back to 64 MiB.
_WRITING = (
    "PRAGMA page_size = 8192",
    "PRAGMA journal_mode = WAL",
    "PRAGMA wal_autocheckpoint = 2000",
    "PRAGMA journal_size_limit = 67108864",
)


def sqlite_module() -> ModuleType:
    """The DB-API module of the SQLite in use: the one that `pysqlite3` carries on Linux, else the interpreter's own."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError):
            return importlib.import_module("pysqlite3.dbapi2")
    return importlib.import_module("sqlite3")


def version_warning(module: ModuleType) -> str | None:
    """One line when this SQLite may corrupt a database that several connections write, else None."""
    version: tuple[int, ...] = module.sqlite_version_info
    if version >= SOUND_VERSION:
        return None
    return (
        f"SQLite {module.sqlite_version} can, rarely, corrupt a database in use by several connections; "
        f"{'.'.join(map(str, SOUND_VERSION))} and newer cannot: on Linux `pip install pysqlite3` brings one"
    )


def make_private_file(path: Path) -> None:
    """Create the file and its folder for their owner alone, unless they exist; raises `OSError`, `StoreRefused`."""
    make_folder(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def connect(module: ModuleType, path: Path, *, read_only: bool) -> Any:
    """Open a DB-API connection that begins no transaction by itself, for use in the calling thread."""
    connection = module.connect(str(path), timeout=BUSY_SECONDS, isolation_level=None)
    try:
        for statement in (*_EVERY_CONNECTION, *(_READING if read_only else _WRITING)):
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection
