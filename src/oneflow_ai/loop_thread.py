"""One event loop on a thread of its own, shared by all who need one in this process and ended after the last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import CancelledError, Future, wait
from typing import Any, TypeVar

CLOSE_SECONDS_MOST = 15.0
AFTER_ITS_END = "OneFlow was called after its end: make another"

T = TypeVar("T")


class Ended(RuntimeError):
    """The loop has ended, be it in the middle of what it was asked to do."""


class LoopThread:
    """Lends its loop to any number of borrowers; the first starts the thread, the last to give it back ends it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._borrowers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._leaving: set[Future[None]] = set()

    def borrow(self) -> None:
        """Have the loop run until it is given back."""
        with self._lock:
            self._borrowers += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()

    def give_back(self) -> None:
        """One borrower less."""
        with self._lock:
            self._borrowers -= 1
            if self._borrowers or self._loop is None or self._thread is None:
                return
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS_MOST)

    def leave(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Give the loop back for a borrower that is gone, after a last coroutine; waits for neither.

        May be called from any thread at any moment, as collectors of garbage do.
        """
        loop = self._loop
        if loop is None:
            return
        left: Future[None] = Future()
        self._leaving.add(left)
        try:
            loop.call_soon_threadsafe(self._begin_last, last, left)
        except RuntimeError:
            self._leaving.discard(left)

    def settle(self) -> None:
        """Wait until those who were leaving have left; `CLOSE_SECONDS_MOST` at most."""
        wait(list(self._leaving), CLOSE_SECONDS_MOST)

    def _begin_last(self, last: Callable[[], Coroutine[Any, Any, None]], left: Future[None]) -> None:
        task = asyncio.get_running_loop().create_task(last())
        task.add_done_callback(lambda _: self._left(left))

    def _left(self, left: Future[None]) -> None:
        self._leaving.discard(left)
        left.set_result(None)
        self.give_back()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and give what it gives; a caller that is interrupted cancels it.

        Raises `Ended`, and `RuntimeError` on the loop's own thread, where waiting would never end.
        """
        loop = self._loop
        if loop is None:
            work.close()
            raise Ended(AFTER_ITS_END)
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("OneFlow was called from its own loop thread; use AsyncOneFlow there")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except CancelledError:
            raise Ended("OneFlow was closed before this was done") from None
        except BaseException:
            future.cancel()
            raise


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        _give_up(loop)
        loop.close()


def _give_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is still under way: others wait for it."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(_over(left))


async def _over(tasks: Iterable[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
