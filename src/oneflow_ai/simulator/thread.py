"""A simulator on a thread of its own, for callers that have no event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from oneflow_ai.simulator.options import SimulatorOptions
from oneflow_ai.simulator.server import Simulator

_Result = TypeVar("_Result")
START_SECONDS_MOST = 10.0


class ThreadedSimulator:
    """A running simulator on another thread: ask it by `do`, which runs a function there and gives its result."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
        self.base_url = simulator.base_url
        self.origin = simulator.origin
        self.port = simulator.port
        self.control_port = simulator.control_port
        self._simulator = simulator
        self._loop = loop
        self._over = over

    def do(self, ask: Callable[[Simulator], _Result]) -> _Result:
        """Run a function on the simulator's thread and give what it returns."""
        return asyncio.run_coroutine_threadsafe(self._asked(ask), self._loop).result()

    async def _asked(self, ask: Callable[[Simulator], _Result]) -> _Result:
        return ask(self._simulator)

    def stop(self) -> None:
        """Let it end."""
        self._loop.call_soon_threadsafe(self._over.set)


@contextmanager
def run_in_thread(
    options: SimulatorOptions | None = None, port: int = 0, control_port: int | None = None
) -> Iterator[ThreadedSimulator]:
    """Run a simulator on a thread while the block lasts. Raises `OSError` when a port is taken."""
    started: Future[ThreadedSimulator] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        try:
            simulator = await Simulator(options).start(port=port, control_port=control_port)
        except OSError as error:
            started.set_exception(error)
            return
        async with simulator:
            started.set_result(ThreadedSimulator(simulator, asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="simulator", daemon=True)
    thread.start()
    try:
        running = started.result(START_SECONDS_MOST)
        try:
            yield running
        finally:
            running.stop()
    finally:
        thread.join(START_SECONDS_MOST)
