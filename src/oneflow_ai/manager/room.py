"""An engine for objects that nobody closes: it ends with the last of them, or with the program, its history written."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar
from weakref import WeakSet, finalize

from oneflow_ai.app.keys import look_into_vault
from oneflow_ai.app.runtime import CALLS_END_SECONDS, Runtime
from oneflow_ai.client import THREAD, shared_quota
from oneflow_ai.core.call import Task
from oneflow_ai.loop_thread import Ended
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, RouteSettings, load

T = TypeVar("T")


class Closed(RuntimeError):
    """What was asked of an object needs its engine, which was closed."""


class Room:
    """One runtime on the library's loop thread. `simulated`: True for demo mode, False for never, None as set up."""

    def __init__(self, loaded: Loaded, *, simulated: bool | None) -> None:
        self.loaded = loaded
        THREAD.borrow()
        try:
            self.runtime = THREAD.run(_opened(loaded, simulated))
        except BaseException:
            THREAD.give_back()
            raise
        runtime = self.runtime
        self._end = finalize(self, THREAD.leave, lambda: _closed(runtime))
        # At the program's end it is closed by `_close_all`, which waits.
        self._end.atexit = False
        _open_rooms().add(self)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._end.alive

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop thread and give what it gives; raises `Closed`."""
        if self.closed:
            work.close()
            raise Closed("this object was closed: make another")
        try:
            return THREAD.run(work)
        except Ended as ended:
            raise Closed(str(ended)) from None

    def look(self, what: Callable[[], T]) -> T:
        """Give what this gives, on the loop thread while that changes what is looked at."""
        return what() if self.closed else self.run(_called(what))

    def end_calls(self) -> None:
        """End the calls under way, and take no more. Harmless if repeated, or after the end."""
        with contextlib.suppress(Closed):
            self.run(self.runtime.engine.end(CALLS_END_SECONDS))

    def close(self) -> None:
        """End the calls under way, write the history and close every connection. Harmless if repeated."""
        if self._end.detach() is not None:
            try:
                THREAD.run(_closed(self.runtime))
            finally:
                THREAD.give_back()


def settings_for(simulated: bool) -> Loaded:
    """The configuration as the first edition uses it: waits of exactly 1, 2, 4 s, and successors of retired models.

    `simulated`: the four providers that everybody has, whatever is configured, and the simulator at every chain's end.
    Raises `SettingsError` naming every mistake.
    """
    loaded = load(kinds=TABLE, vault=look_into_vault)
    settings = loaded.settings
    changed: dict[str, Any] = {
        "retry": settings.retry.model_copy(update={"jitter": False}),
        "models": settings.models.model_copy(update={"follow_successors": True}),
    }
    if simulated:
        routes = {task.value: RouteSettings(task=task, simulate_last=True) for task in _SIMULATED_TASKS}
        changed |= {"providers": {}, "routes": routes, "prices": {}}
    return replace(loaded, settings=settings.model_copy(update=changed))


_SIMULATED_TASKS = (Task.TEXT, Task.IMAGE, Task.SPEECH, Task.TRANSCRIPTION)


async def _called(what: Callable[[], T]) -> T:
    return what()


async def _opened(loaded: Loaded, simulated: bool | None) -> Runtime:
    runtime = Runtime(
        loaded,
        demo_asked=simulated is True,
        real_only=simulated is False,
        in_process=True,
        quota=shared_quota(),
    )
    return await runtime.__aenter__()


async def _closed(runtime: Runtime) -> None:
    await runtime.__aexit__(None, None, None)


@cache
def _open_rooms() -> WeakSet[Room]:
    """The rooms that are open; whatever is still open at the program's end is closed then."""
    atexit.register(_close_all)
    return WeakSet()


def _close_all() -> None:
    for room in list(_open_rooms()):
        # One that cannot be closed must not keep the others from it.
        with contextlib.suppress(Exception):
            room.close()
    THREAD.settle()
