"""The machine's own resolver, in threads of ours: a name that hangs holds up no other and is asked for once."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from oneflow_ai.upstream.kept_names import KeptNames, Place

Lookup: TypeAlias = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host for a port, and blocks meanwhile; raises `OSError` or `ValueError`."""

SLOW_SECONDS = 0.25
THREADS_MOST = 32


def system_lookup(host: str, port: int) -> Sequence[str]:
    """Ask the machine's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(place[4][0]) for place in found))


class SystemNames:
    """A `Resolver` for one event loop.

    The loop's own look-ups share few threads with each other. Here each has one of its own, at most `THREADS_MOST`; the
    others wait for a turn. What was found serves again as long as it is fresh. The last good answer serves while a
    look-up takes longer than `slow_seconds`, and when it fails.
    """

    def __init__(
        self, look_up: Lookup = system_lookup, kept: KeptNames | None = None, slow_seconds: float = SLOW_SECONDS
    ) -> None:
        self._look_up = look_up
        self._kept = kept or KeptNames()
        self._slow_seconds = slow_seconds
        self._under_way: dict[Place, _Asked] = {}
        self._queue: deque[_Asked] = deque()
        self._threads = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host; raises `OSError` or `ValueError`. Who leaves ends the look-up for nobody."""
        now_seconds = asyncio.get_running_loop().time()
        place = (host, port)
        fresh = self._kept.fresh(place, now_seconds)
        if fresh is not None:
            return fresh
        asked = self._under_way.get(place) or self._ask(place, now_seconds)
        last = self._kept.last(place, now_seconds)
        slow_in_seconds = max(0.0, asked.since_seconds + self._slow_seconds - now_seconds)
        # Unlike awaiting it, this never cancels what others wait for too.
        await asyncio.wait((asked.outcome,), timeout=None if last is None else slow_in_seconds)
        outcome = asked.outcome.result() if asked.outcome.done() else ()
        if last is not None and (isinstance(outcome, Exception) or not outcome):
            return last
        if isinstance(outcome, Exception):
            raise OSError(getattr(outcome, "errno", None), str(outcome)) from outcome
        return outcome

    def doubt(self, host: str, port: int) -> None:
        """Nobody accepts a connection at what was found: the next call looks anew."""
        self._kept.doubt((host, port))

    def _ask(self, place: Place, now_seconds: float) -> _Asked:
        asked = _Asked(place, now_seconds, asyncio.get_running_loop().create_future())
        self._under_way[place] = asked
        if self._threads < THREADS_MOST:
            self._begin(asked)
        else:
            self._queue.append(asked)
        return asked

    def _begin(self, asked: _Asked) -> None:
        self._threads += 1
        # The process may end whatever becomes of it.
        thread = threading.Thread(target=self._run, args=(asked,), name="look-up", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            error = OSError("there is no thread left for a look-up")
            asked.outcome.get_loop().call_soon(self._ended, asked, error)

    def _run(self, asked: _Asked) -> None:
        """In a thread of its own."""
        outcome: Sequence[str] | Exception = OSError("the look-up broke off")
        try:
            outcome = tuple(self._look_up(*asked.place))
        except (OSError, ValueError) as error:
            outcome = error
        finally:
            # The loop may be closed by now.
            with suppress(RuntimeError):
                asked.outcome.get_loop().call_soon_threadsafe(self._ended, asked, outcome)

    def _ended(self, asked: _Asked, outcome: Sequence[str] | Exception) -> None:
        self._threads -= 1
        del self._under_way[asked.place]
        if outcome and not isinstance(outcome, Exception):
            self._kept.keep(asked.place, outcome, asked.outcome.get_loop().time())
        asked.outcome.set_result(outcome)
        if self._queue:
            self._begin(self._queue.popleft())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A look-up under way, or waiting for its turn; its outcome is never an exception of the future's own."""

    place: Place
    since_seconds: float
    outcome: asyncio.Future[Sequence[str] | Exception]
