"""One event loop on a thread of its own, shared by all who need one in this process and ended after the last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

CLOSE_SECONDS_MOST = 15.0

T = TypeVar("T")


class LoopThread:
    """Lends its loop to any number of borrowers; the first starts the thread, the last to give it back ends it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._borrowers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def borrow(self) -> None:
        """Have the loop run until it is given back."""
        with self._lock:
            self._borrowers += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()

    def give_back(self) -> None:
        """One borrower less."""
        with self._lock:
            self._borrowers -= 1
            if self._borrowers or self._loop is None or self._thread is None:
                return
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS_MOST)
        if not thread.is_alive():
            loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and give what it gives; a caller that is interrupted cancels it.

        Raises `RuntimeError` on the loop's own thread, where waiting would never end.
        """
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("OneFlow was called from its own loop thread, or after its end; use AsyncOneFlow there")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
