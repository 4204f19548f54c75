"""A thread with one database connection, and the bounded queue of jobs before it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection

JOBS_WAITING_MOST = 1_000
JOBS_TOGETHER_MOST = 64
"""Most jobs that a writer runs in one transaction."""


@dataclass(slots=True)
class Job:
    """One piece of work: a function of a connection, and the future that its value or its exception goes to."""

    function: Callable[[Connection], Any]
    durable: bool = False
    future: Future[Any] = field(default_factory=Future)


Act: TypeAlias = Callable[[Connection, list[Job]], None]
Jobs: TypeAlias = "queue.SimpleQueue[Job | None]"


class Worker:
    """A thread that opens a connection and then acts on what `jobs` brings, until it brings `None`.

    Several workers may share one queue; each passes the `None` on. `act` must finish every job that it is given.
    `ended` is set, with the exception if there was one, when the thread is through.
    """

    def __init__(self, name: str, jobs: Jobs, open_connection: Callable[[], Connection], act: Act, most: int) -> None:
        self._jobs = jobs
        self._open = open_connection
        self._act = act
        self._most = most
        self.ready: Future[None] = Future()
        self.ended: Future[None] = Future()
        for told in (self.ready, self.ended):
            # Whoever gives up waiting for it does not cancel what the thread tells.
            told.set_running_or_notify_cancel()
        # A thread that waits for work must not keep the program alive; a transaction cut by its end is rolled back.
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            connection = self._open()
        except BaseException as problem:  # noqa: BLE001 - the thread's outermost edge: see below
            # Nothing is above this thread to raise it to, and Ctrl-C goes to the first: whoever opens gets whatever it
            # is, and waits for ever where it is not told.
            self.ready.set_exception(problem)
            self.ended.set_result(None)
            return
        self.ready.set_result(None)
        try:
            with connection:
                self._work(connection)
        finally:
            self.ended.set_result(None)

    def _work(self, connection: Connection) -> None:
        open_still = True
        while open_still:
            batch, open_still = self._take()
            batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if batch:
                self._act(connection, batch)
        self._jobs.put(None)

    def _take(self) -> tuple[list[Job], bool]:
        """Wait for a job; give it with those that wait behind it, and whether more may come."""
        batch: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == self._most:
                return batch, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False
