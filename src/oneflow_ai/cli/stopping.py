"""What a verb does of a signal: SIGTERM ends its work as Ctrl-C does, and what is under way is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from oneflow_ai.cli.failures import TERMINATED, Refused

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Give what `asyncio.run` gives; raises `Refused`, without a word, at SIGTERM."""
    terminated = asyncio.Event()
    try:
        return asyncio.run(_until(terminated, work))
    except asyncio.CancelledError:
        if terminated.is_set():
            raise Refused(status=TERMINATED) from None
        raise


@contextlib.contextmanager
def acting_on(signals: Iterable[signal.Signals], act: Callable[[], None]) -> Iterator[None]:
    """Let the running loop act on signals instead of dying of them."""
    loop = asyncio.get_running_loop()
    taken = []
    for one in signals:
        # Not on Windows, nor on another thread than the first: there the interpreter's own way is left.
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(one, act)
            taken.append(one)
    try:
        yield
    finally:
        for one in taken:
            loop.remove_signal_handler(one)


async def _until(terminated: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)

    def terminate() -> None:
        terminated.set()
        task.cancel()

    with acting_on((signal.SIGTERM,), terminate):
        return await task
