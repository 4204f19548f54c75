"""The database in one SQLite file: one thread that writes, two that read, no event loop that waits for a disk."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from oneflow_ai.core.failure import STORAGE_UNAVAILABLE, Failure
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.driver import BUSY_SECONDS, connect, make_private_file, sqlite_module
from oneflow_ai.stores.schema import settle_schema
from oneflow_ai.stores.worker import JOBS_TOGETHER_MOST, JOBS_WAITING_MOST, Job, Jobs, Worker

READERS = 2
READ_SECONDS_MOST = 30.0
CLOSE_SECONDS_MOST = 10.0
_OPEN_AGAIN_SECONDS = 0.02
_STEPS_BETWEEN_LOOKS = 100_000

T = TypeVar("T")


class Database:
    """A SQLite file with OneFlow's tables, used from one event loop. Several processes may have it open at once."""

    def __init__(self, path: Path, module: ModuleType) -> None:
        self.path = path
        self.module = module
        self._writes: Jobs = queue.SimpleQueue()
        self._reads: Jobs = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._closed = False

    @classmethod
    async def open(cls, path: Path, module: ModuleType | None = None) -> Database:
        """Open the file, or make it, with the tables of this version; `module` is the DB-API module to use.

        Raises `StoreRefused` for a file that cannot be opened, is no database, or belongs to a newer OneFlow.
        """
        database = cls(path, module or sqlite_module())
        try:
            await database._start()
        except BaseException:
            await database.close()
            raise
        return database

    async def _start(self) -> None:
        writer = Worker("oneflow-writer", self._writes, self._open_to_write, _write_together, JOBS_TOGETHER_MOST)
        self._workers.append(writer)
        await asyncio.wrap_future(writer.ready)
        readers = [
            Worker(f"oneflow-reader-{n}", self._reads, self._open_to_read, _read_each, 1) for n in range(READERS)
        ]
        self._workers += readers
        for reader in readers:
            await asyncio.wrap_future(reader.ready)

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run `function` in a reading thread, on one consistent view of the database; give what it gives.

        Raises `Failure` (`storage_unavailable`) when the database cannot answer, and what `function` raises.
        """
        return cast(T, await self._ask(self._reads, Job(function)))

    async def write(self, function: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run `function` in the writing thread; give what it gives, once it is committed.

        Jobs that wait behind each other share one commit; one that raises is undone alone. What is `durable` survives
        a power cut, the rest only the end of the process. One whose caller gives up is done all the same once it has
        begun. Raises `Failure` (`storage_unavailable`) when the database cannot take it, and what `function` raises.
        """
        return cast(T, await self._ask(self._writes, Job(function, durable)))

    async def _ask(self, jobs: Jobs, job: Job) -> Any:
        if self._closed:
            raise Failure(STORAGE_UNAVAILABLE, "the database is closed")
        if jobs.qsize() >= JOBS_WAITING_MOST:
            raise Failure(STORAGE_UNAVAILABLE, f"the database is {JOBS_WAITING_MOST} jobs behind")
        jobs.put(job)
        return await asyncio.wrap_future(job.future)

    async def close(self) -> None:
        """Finish what was asked for, then close, waiting at most `CLOSE_SECONDS_MOST`. Harmless if repeated."""
        self._closed = True
        self._writes.put(None)
        self._reads.put(None)
        if self._workers:
            await asyncio.wait([asyncio.wrap_future(each.ended) for each in self._workers], timeout=CLOSE_SECONDS_MOST)

    def _open_to_write(self) -> Connection:
        try:
            make_private_file(self.path)
            connection = self._connect_in_turn()
        except OSError as problem:
            raise StoreRefused(f"cannot open the database {self.path}: {problem.strerror}") from None
        except DBAPIError as problem:
            raise StoreRefused(f"cannot open the database {self.path}: {problem.orig}") from None
        try:
            with connection.begin():
                settle_schema(connection)
        except DBAPIError as problem:
            connection.close()
            raise StoreRefused(f"cannot use the database {self.path}: {problem.orig}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_in_turn(self) -> Connection:
        """Connect, waiting for a process that is making the file right now: SQLite does not wait by itself there."""
        engine = _engine(self.path, self.module, read_only=False)
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return engine.connect()
            except OperationalError as problem:
                if "locked" not in str(problem.orig) or time.monotonic() > until:
                    raise
                time.sleep(_OPEN_AGAIN_SECONDS)

    def _open_to_read(self) -> Connection:
        return _engine(self.path, self.module, read_only=True).connect()


def look(path: Path, function: Callable[[Connection], T]) -> T:
    """Run `function` on one view of the file that is there, in this thread; nothing is made, migrated or written.

    Raises `StoreRefused` for a file that cannot be read.
    """
    try:
        with _engine(path, sqlite_module(), read_only=True).connect() as connection, connection.begin():
            return function(connection)
    except DBAPIError as problem:
        raise StoreRefused(f"cannot read the database {path}: {problem.orig}") from None


def _engine(path: Path, module: ModuleType, *, read_only: bool) -> Engine:
    engine = create_engine(
        "sqlite://",
        module=module,
        creator=lambda: connect(module, path, read_only=read_only),
        poolclass=NullPool,
        hide_parameters=True,
        json_deserializer=orjson.loads,
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _read_each(connection: Connection, jobs: list[Job]) -> None:
    for job in jobs:
        _limit_seconds(connection, READ_SECONDS_MOST)
        try:
            with connection.begin():
                value = job.function(connection)
        except Exception as problem:  # noqa: BLE001 - the thread's outermost edge: whoever asked is told
            job.future.set_exception(_as_told(problem))
        else:
            job.future.set_result(value)


def _limit_seconds(connection: Connection, seconds: float) -> None:
    """Interrupt what runs on the connection after so many seconds."""
    until = time.monotonic() + seconds
    _driver(connection).set_progress_handler(lambda: time.monotonic() > until, _STEPS_BETWEEN_LOOKS)


def _write_together(connection: Connection, jobs: list[Job]) -> None:
    durable = any(job.durable for job in jobs)
    try:
        if durable:
            _driver(connection).execute("PRAGMA synchronous = FULL")
        with connection.begin():
            results = _results(connection, jobs)
    except Exception as problem:  # noqa: BLE001 - the thread's outermost edge: whoever asked is told
        for job in jobs:
            job.future.set_exception(_as_told(problem))
        return
    finally:
        if durable:
            _driver(connection).execute("PRAGMA synchronous = NORMAL")
    for job, (value, refusal) in zip(jobs, results, strict=True):
        if refusal is None:
            job.future.set_result(value)
        else:
            job.future.set_exception(_as_told(refusal))


def _results(connection: Connection, jobs: list[Job]) -> list[tuple[Any, Exception | None]]:
    if len(jobs) == 1:
        return [(jobs[0].function(connection), None)]
    return [_write_one(connection, job) for job in jobs]


def _write_one(connection: Connection, job: Job) -> tuple[Any, Exception | None]:
    """Run one job of a shared transaction; its own exception undoes it alone."""
    savepoint = connection.begin_nested()
    try:
        value = job.function(connection)
    except Exception as problem:  # noqa: BLE001 - carried to whoever asked
        savepoint.rollback()
        return None, problem
    savepoint.commit()
    return value, None


def _as_told(problem: Exception) -> Exception:
    """The exception for whoever asked: what the disk or a lock did is a failure of storage, the rest is their own."""
    if isinstance(problem, OperationalError) or type(problem) is DatabaseError:
        return Failure(STORAGE_UNAVAILABLE, f"the database did not answer: {problem.orig}")
    return problem


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
