"""Shipped doubles: clocks, a loop in virtual time, a provider that follows a script, and a client that listens."""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

from oneflow_ai.core.events import End, Event
from oneflow_ai.core.failure import UPSTREAM_TIMEOUT, Failure
from oneflow_ai.core.ports import Clock, Head, HttpAnswer, HttpRequest, Mark, Upstream
from oneflow_ai.core.record import Exchange

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# A delay that no deadline outlasts: what never comes.
NEVER = math.inf


class _WallClock:
    """A wall clock that runs with the monotonic one, until it is set."""

    _epoch = EPOCH

    def monotonic(self) -> float:
        """Seconds that never go back."""
        raise NotImplementedError

    def utc(self) -> datetime:
        """The wall clock, aware, UTC."""
        return self._epoch + timedelta(seconds=self.monotonic())

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock alone forward, or back, as an administrator might."""
        self._epoch += timedelta(seconds=seconds)


class StepClock(_WallClock):
    """A clock that moves only when told: by `step`, or with `steps_itself` by whoever sleeps.

    `slept_seconds` lists what was slept for.
    """

    def __init__(self, now_seconds: float = 0.0, *, steps_itself: bool = False) -> None:
        self.now_seconds = now_seconds
        self.slept_seconds: list[float] = []
        self._steps_itself = steps_itself
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.now_seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was stepped so far."""
        self.slept_seconds.append(seconds)
        if self._steps_itself:
            self.step(max(seconds, 0.0))
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_seconds + seconds, len(self.slept_seconds), future))
        await future

    def step(self, seconds: float) -> None:
        """Let so much time pass: those whose sleep is over go on, in the order in which it ended."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.now_seconds += seconds
        while self._sleepers and self._sleepers[0][0] <= self.now_seconds:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)


class _NoSelector(selectors.BaseSelector):
    """Waits for no file: an idle loop's time moves on to its next timer instead."""

    def __init__(self) -> None:
        self.idle: Callable[[float | None], None] = lambda timeout: None
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, -1, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.idle(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time costs nothing: when nothing is ready it is at once the time of the next timer.

    No files, sockets or threads: what would wait for one raises `RuntimeError`, as does waiting for nothing at all.
    `faults` lists what was raised where nobody could catch it.
    """

    def __init__(self, start_seconds: float = 0.0) -> None:
        selector = _NoSelector()
        super().__init__(selector)
        selector.idle = self._idle
        self._now_seconds = start_seconds
        self.faults: list[BaseException] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_seconds

    def _idle(self, timeout: float | None) -> None:
        if timeout is None:
            raise RuntimeError("every task waits for something that can never come")
        self._now_seconds += max(timeout, 0.0)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(context.get("exception") or RuntimeError(context["message"]))


class VirtualClock(_WallClock):
    """The clock of a loop: its time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """The loop's time."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait, in the loop's time."""
        await asyncio.sleep(seconds)


class SeededChance(Random):
    """Randomness that its seed repeats."""


def run_virtual(coroutine_function: Callable[[VirtualClock, SeededChance], Awaitable[T]], *, seed: int = 0) -> T:
    """Run `coroutine_function(clock, chance)` in virtual time and give what it returns.

    The same seed gives the same run; an error carries the seed as a note. Raises `RuntimeError` when tasks are left
    running, and whatever was raised in a callback.
    """
    loop = VirtualLoop()

    async def main() -> T:
        return await coroutine_function(VirtualClock(loop), SeededChance(seed))

    try:
        result = loop.run_until_complete(main())
        left = [repr(task) for task in asyncio.all_tasks(loop)]
        if loop.faults:
            raise loop.faults[0]
        if left:
            raise RuntimeError(f"{len(left)} tasks are left running: {left[0]}")
        return result
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        _close(loop)


def _close(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer of a scripted provider.

    The request goes out after `connect_seconds`; its head, or `failure`, comes `wait_seconds` later (`NEVER`: never).
    `steps` follow: bytes arrive, a number is so many seconds of silence, a `Failure` is raised; then it is over.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[bytes | float | Failure, ...] = ()
    wait_seconds: float = 0.0
    failure: Failure | None = None
    connect_seconds: float = 0.0


Script = Callable[[HttpRequest], Scripted]


class ScriptedUpstream:
    """A `core.ports.Upstream` that answers by script: a list of answers in order, or a function of the request.

    `requests` lists what was sent, `open_answers` counts answers not yet closed, `closed` tells whether it was.
    """

    def __init__(self, script: Iterable[Scripted] | Script, clock: Clock) -> None:
        self.requests: list[HttpRequest] = []
        self.open_answers = 0
        self.closed = False
        self._clock = clock
        self._script = script if callable(script) else _in_order(script)

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        """Note the request and give its answer's head; raises what the script says, or `upstream_timeout`."""
        if self.closed:
            raise RuntimeError("the upstream is closed")
        self.requests.append(request)
        scripted = self._script(request)
        await _sleep_until(self._clock.monotonic() + scripted.connect_seconds, until_seconds, self._clock)
        if mark is not None:
            mark.sent = True
        head_seconds = self._clock.monotonic() + scripted.wait_seconds
        await _sleep_until(head_seconds, until_seconds, self._clock)
        if scripted.failure is not None:
            raise scripted.failure
        self.open_answers += 1
        return ScriptedAnswer(scripted, head_seconds, self, self._clock)

    async def close(self) -> None:
        """No more requests; answers still open are the test's to find."""
        self.closed = True


class ScriptedAnswer:
    """One answer under way. Bytes arrive when the script says, however late they are read."""

    def __init__(self, scripted: Scripted, head_seconds: float, upstream: ScriptedUpstream, clock: Clock) -> None:
        self.status = scripted.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in scripted.headers.items()}
        self.sent_seconds: float | None = None
        self.released = self.closed = False
        self._coming = deque(_arrivals(scripted.steps, head_seconds))
        self._upstream, self._clock = upstream, clock

    async def read(self, until_seconds: float) -> bytes:
        """Give the next chunk of the script, or nothing at its end; raises what it says, or `upstream_timeout`."""
        if self.closed:
            raise RuntimeError("the answer is closed")
        if not self._coming:
            return b""
        due_seconds, what = self._coming[0]
        await _sleep_until(due_seconds, until_seconds, self._clock)
        self._coming.popleft()
        if isinstance(what, Failure):
            raise what
        return what

    def release(self) -> None:
        """Give the connection back for another request."""
        self.released = True
        self.close()

    def close(self) -> None:
        """Close the connection; harmless if repeated."""
        if not self.closed:
            self.closed = True
            self._upstream.open_answers -= 1


def _arrivals(steps: Iterable[bytes | float | Failure], head_seconds: float) -> Iterator[tuple[float, bytes | Failure]]:
    due_seconds = head_seconds
    for step in steps:
        if isinstance(step, bytes | Failure):
            yield due_seconds, step
        else:
            due_seconds += step
    yield due_seconds, b""


def _in_order(script: Iterable[Scripted]) -> Script:
    answers = iter(script)

    def answer(request: HttpRequest) -> Scripted:
        scripted = next(answers, None)
        if scripted is None:
            raise AssertionError(f"the script has no answer left for {request.method} {request.url}")
        return scripted

    return answer


async def _sleep_until(due_seconds: float, until_seconds: float, clock: Clock) -> None:
    seconds = min(due_seconds, until_seconds) - clock.monotonic()
    if seconds > 0:
        await clock.sleep(seconds)
    if due_seconds > until_seconds:
        raise Failure(UPSTREAM_TIMEOUT, f"nothing came in {max(seconds, 0.0):.1f} s")


class ListeningClient:
    """A `core.ports.Client` that keeps what it is told: `head`, `events`, `end`, `failure`, `exchange`.

    `hang_up_after` n events it goes away: the task that serves it is cancelled, as a server does (0: as the answer
    begins). `wait_seconds` is how long it takes over each event.
    """

    def __init__(
        self, *, hang_up_after: int | None = None, wait_seconds: float = 0.0, clock: Clock | None = None
    ) -> None:
        if wait_seconds and clock is None:
            raise ValueError("a slow client needs a clock")
        self.head: Head | None = None
        self.events: list[Event] = []
        self.end: End | None = None
        self.failure: Failure | None = None
        self.exchange: Exchange | None = None
        self._hang_up_after, self._wait_seconds = hang_up_after, wait_seconds
        self._clock = clock

    @property
    def ended(self) -> bool:
        """Whether it was told how the call ended."""
        return self.exchange is not None

    async def begin(self, head: Head) -> None:
        """Keep the head."""
        assert self.head is None, "an answer begins once"
        await self._hang_up_in_time()
        self.head = head

    async def send(self, event: Event) -> None:
        """Keep the event, in its own time."""
        assert self.head is not None, "an answer begins before its events"
        assert not self.ended, "nothing comes after the end"
        if self._clock is not None and self._wait_seconds:
            await self._clock.sleep(self._wait_seconds)
        self.events.append(event)
        await self._hang_up_in_time()

    async def finish(self, end: End, exchange: Exchange) -> None:
        """Keep the end and the record."""
        assert not self.ended, "a call ends once"
        self.end = end
        self.exchange = exchange

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """Keep the failure and the record."""
        assert not self.ended, "a call ends once"
        self.failure = failure
        self.exchange = exchange

    async def _hang_up_in_time(self) -> None:
        if self._hang_up_after is not None and len(self.events) >= self._hang_up_after:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)


def loopback_only(url: str) -> None:
    """Refuse any address but this machine's own: what tests put before every real connection.

    Raises `RuntimeError` naming the host. Only `localhost` and literal loopback addresses pass; no name is resolved.
    """
    host = urlsplit(url).hostname or ""
    try:
        own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        raise RuntimeError(f"a test may not connect to {host or url!r}: only this machine's own addresses")


class NoRealProviders:
    """An `Upstream` around another that lets nothing through but to this machine."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        """Send a request to this machine; raises `RuntimeError` for any other."""
        loopback_only(request.url)
        return await self._upstream.send(request, until_seconds, mark)

    async def close(self) -> None:
        """Close every connection."""
        await self._upstream.close()
