"""The database: jobs are done in order, whole and apart, by several processes at once, and never on the event loop."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection, text

from oneflow_ai.core.failure import STORAGE_UNAVAILABLE, Failure
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.driver import sqlite_module, version_warning
from oneflow_ai.stores.sqlite import Database, _limit_seconds
from oneflow_ai.stores.worker import JOBS_WAITING_MOST

MAKE = text("CREATE TABLE notes (words TEXT UNIQUE)")
ADD = text("INSERT INTO notes VALUES (:words)")
COUNT = text("SELECT count(*) FROM notes")


def add(words: str) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(ADD, {"words": words})

    return work


async def count(database: Database) -> int:
    return await database.read(lambda connection: connection.execute(COUNT).scalar_one())


class Gate:
    """A job that holds the writer until it is opened, and then tells what statements followed it."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self._held = threading.Event()
        self._shut = threading.Event()
        self.job: asyncio.Future[None] | None = None

    @classmethod
    async def hold(cls, database: Database) -> "Gate":
        gate = cls()
        gate.job = asyncio.ensure_future(database.write(gate._work))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(gate._held.wait, 10)
        return gate

    def _work(self, connection: Connection) -> None:
        driver = cast(Any, connection.connection.dbapi_connection)
        driver.set_trace_callback(self.statements.append)
        self._held.set()
        self._shut.wait(10)

    async def open(self) -> None:
        self._shut.set()
        if self.job is not None:
            await self.job


async def test_what_is_written_is_read_by_another_that_opens_the_file(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    await database.write(add("one"))
    other = await Database.open(database.path)
    assert await count(other) == 1
    await other.close()


async def test_jobs_that_wait_share_a_commit_and_one_that_raises_is_undone_alone(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    gate = await Gate.hold(database)
    jobs = [asyncio.ensure_future(database.write(add(words))) for words in ("one", "two", "two", "three")]
    await asyncio.sleep(0)
    await gate.open()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["NoneType", "NoneType", "IntegrityError", "NoneType"]
    assert await count(database) == 3
    assert gate.statements.count("BEGIN IMMEDIATE") == 1


async def test_a_job_that_raises_is_undone_whole(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))

    def work(connection: Connection) -> None:
        add("one")(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(work)
    assert await count(database) == 0


async def test_a_job_given_up_while_it_waits_is_not_run(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    gate = await Gate.hold(database)
    job = asyncio.ensure_future(database.write(add("one")))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await gate.open()
    assert await count(database) == 0


async def test_more_jobs_than_may_wait_are_refused_at_once(database: Database) -> None:
    gate = await Gate.hold(database)
    jobs = [asyncio.ensure_future(database.write(lambda connection: 1)) for _ in range(JOBS_WAITING_MOST + 100)]
    await asyncio.sleep(0)
    await gate.open()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [result for result in results if isinstance(result, Failure)]
    assert {failure.kind for failure in refused} == {STORAGE_UNAVAILABLE}
    assert (results.count(1), len(refused)) == (JOBS_WAITING_MOST, 100)


async def test_close_does_what_was_asked_for_and_takes_no_more(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    jobs = [asyncio.ensure_future(database.write(add(str(number)))) for number in range(100)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*jobs)
    with pytest.raises(Failure, match="closed"):
        await count(database)
    again = await Database.open(database.path)
    assert await count(again) == 100
    await again.close()


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Failure, match="readonly"):
        await database.read(lambda connection: connection.execute(MAKE))


async def test_a_read_sees_one_moment_however_much_is_written_meanwhile(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    began, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> tuple[int, int]:
        first = connection.execute(COUNT).scalar_one()
        began.set()
        go_on.wait(10)
        return first, connection.execute(COUNT).scalar_one()

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(began.wait, 10)
    await database.write(add("one"))
    go_on.set()
    assert await reading == (0, 0)
    assert await count(database) == 1


async def test_a_read_that_takes_too_long_is_interrupted(database: Database) -> None:
    endless = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")

    def work(connection: Connection) -> object:
        _limit_seconds(connection, 0.0)
        return connection.execute(endless).scalar()

    with pytest.raises(Failure, match="interrupted"):
        await database.read(work)
    assert await database.read(lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1


async def test_a_database_locked_by_another_process_is_a_failure_of_storage_and_recovers(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))

    def hurry(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")

    await database.write(hurry)
    other = sqlite_module().connect(str(database.path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Failure, match="locked") as caught:
        await database.write(add("one"))
    assert caught.value.kind is STORAGE_UNAVAILABLE
    other.execute("COMMIT")
    other.close()
    await database.write(add("one"))
    assert await count(database) == 1


async def test_only_what_is_durable_is_flushed_at_every_commit(database: Database) -> None:
    def level(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    levels = [await database.write(level, durable=durable) for durable in (False, True, False)]
    assert levels == [1, 2, 1]


async def test_an_exception_of_the_database_does_not_hold_the_values(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    await database.write(add("canary-value"))
    with pytest.raises(Exception, match="UNIQUE") as caught:
        await database.write(add("canary-value"))
    assert "canary" not in str(caught.value)


async def test_its_files_are_for_their_owner_alone(database: Database) -> None:
    await database.write(lambda connection: connection.execute(MAKE))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in database.path.parent.iterdir()}
    assert modes == {"oneflow.db": 0o600, "oneflow.db-wal": 0o600, "oneflow.db-shm": 0o600}


def _text_file(path: Path) -> None:
    path.write_text("These are not the bytes of a database. " * 100)


def _foreign(path: Path) -> None:
    connection = sqlite_module().connect(str(path))
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


def _newer(path: Path) -> None:
    connection = sqlite_module().connect(str(path), isolation_level=None)
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_text_file, "not a database"),
        (_foreign, "tables that are not OneFlow's"),
        (_newer, "install the newer OneFlow"),
        (_folder, "Is a directory"),
    ],
)
async def test_a_file_that_is_not_ours_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "oneflow.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreRefused, match=words):
        await Database.open(path)
    after = path.read_bytes() if path.is_file() else b""
    # Bytes 18 and 19 of a database say that it has a write-ahead log: https://www.sqlite.org/fileformat.html
    assert after[100:] == before[100:]


@pytest.mark.parametrize(
    ("version", "warned"), [((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False), ((3, 53, 4), False)]
)
def test_a_sqlite_that_may_corrupt_is_warned_of(version: tuple[int, ...], warned: bool) -> None:
    module = SimpleNamespace(sqlite_version_info=version, sqlite_version=".".join(map(str, version)))
    assert (version_warning(cast(Any, module)) is not None) == warned


async def test_the_interpreters_own_sqlite_serves_too(tmp_path: Path) -> None:
    opened = await Database.open(tmp_path / "oneflow.db", sqlite3)
    await opened.write(lambda connection: connection.execute(MAKE))
    assert await count(opened) == 0
    await opened.close()


OPEN_AND_WRITE = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from oneflow_ai.stores.sqlite import Database

async def main(path, number):
    database = await Database.open(Path(path))
    assert "alembic" not in sys.modules, "a slow start"
    assert not {"_sqlite3", "pysqlite3"} <= sys.modules.keys(), "two SQLites"
    add = text("INSERT INTO api_keys (id, name, digest, prefix, created_at) VALUES (:id, '', :id, '', 0)")
    for each in range(100):
        await database.write(lambda connection: connection.execute(add, {"id": f"{number}-{each}"}))
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_make_the_file_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "oneflow.db"
    programs = [subprocess.Popen([sys.executable, "-c", OPEN_AND_WRITE, str(path), str(number)]) for number in range(3)]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    opened = await Database.open(path)
    count_keys = text("SELECT count(*) FROM api_keys")
    assert await opened.read(lambda connection: connection.execute(count_keys).scalar()) == 300
    await opened.close()


WRITE_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from oneflow_ai.stores.sqlite import Database

async def main(path):
    database = await Database.open(Path(path))
    add = text("INSERT INTO api_keys (id, name, digest, prefix, created_at) VALUES (:id, '', :id, '', 0)")
    for batch in range(10**9):
        rows = [{"id": f"{batch}-{each}"} for each in range(50)]
        await database.write(lambda connection: connection.execute(add, rows))
        print(batch, flush=True)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
async def test_a_killed_process_leaves_whole_batches_and_all_that_it_was_told_of(tmp_path: Path) -> None:
    path = tmp_path / "oneflow.db"
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if line.strip() == "20":
                break
        program.send_signal(signal.SIGKILL)
    opened = await Database.open(path)
    count_keys = text("SELECT count(*) FROM api_keys")
    check = text("PRAGMA integrity_check")
    kept = await opened.read(lambda connection: connection.execute(count_keys).scalar_one())
    assert await opened.read(lambda connection: connection.execute(check).scalar()) == "ok"
    assert kept % 50 == 0
    assert kept >= 21 * 50
    await opened.close()


async def test_whoever_gives_up_the_start_disturbs_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    for turns in range(4):
        task = asyncio.create_task(Database.open(tmp_path / f"{turns}.db"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not faults
