"""Runs the work of a verb so that SIGTERM ends it as Ctrl-C does: what is under way is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
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


async def _until(terminated: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)

    def terminate() -> None:
        terminated.set()
        task.cancel()

    # Not on Windows, nor on another thread than the first: there the interpreter's own way is left.
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    return await task
