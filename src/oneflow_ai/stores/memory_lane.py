"""A lane: one throttle, the calls that wait for it in a fair queue, and the one timer that wakes them."""

from __future__ import annotations

import asyncio
import heapq
import math

from oneflow_ai.core.failure import QUEUE_TIMEOUT, Failure
from oneflow_ai.core.ports import Clock
from oneflow_ai.policy.fair import Arrivals, FairQueue, Turn
from oneflow_ai.policy.throttle import Hold, Throttle

# Event loops round timers: none is set for less than this, so that one which rings early does not spin.
TIMER_SECONDS_LEAST = 0.001

_STALE_MOST = 64


class Waiter(Turn):
    """A call that waits for `wanted_tokens`: its turn resolves the future with what it took."""

    __slots__ = ("deadline_seconds", "future", "wanted_tokens")

    def __init__(self, turn: Turn, deadline_seconds: float, wanted_tokens: int, future: asyncio.Future[Hold]) -> None:
        super().__init__(turn.key, turn.tokens, turn.cost)
        self.deadline_seconds = deadline_seconds
        self.wanted_tokens = wanted_tokens
        self.future = future


class Lane:
    """Takes of its throttle at once where there is room and nobody waits, else in fair turn. Belongs to one event loop.

    Timers are set by difference, so the loop's clock need not share its zero with `clock`, only its speed.
    """

    __slots__ = (
        "_arrivals", "_clock", "_deadlines", "_loop", "_sequence", "_timer", "_timer_seconds",
        "name", "queue", "throttle",
    )  # fmt: skip

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.throttle = Throttle()
        self.queue: FairQueue[Waiter] = FairQueue()
        self._clock = clock
        self._arrivals = Arrivals()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._sequence = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_seconds = math.inf

    def take(self, key: str, tokens: int, now_seconds: float) -> Hold | None:
        """Take at once, or None when others wait or there is no room."""
        throttle = self.throttle
        if throttle.requests.limit or throttle.tokens.limit:
            self._arrivals.note(key, now_seconds)
        return None if self.queue.length else throttle.take(now_seconds, tokens)

    async def wait(self, key: str, tokens: int, deadline_seconds: float) -> Hold:
        """Wait for a turn; raises `Failure` (`queue_timeout`) when none can be had before the deadline."""
        now = self._clock.monotonic()
        self._refuse_hopeless(key, tokens, now, deadline_seconds)
        loop = self._loop = asyncio.get_running_loop()
        waiter = Waiter(self._turn(key, tokens), deadline_seconds, tokens, loop.create_future())
        self.queue.push(waiter)
        self._note_deadline(waiter)
        if self._timer is None or deadline_seconds < self._timer_seconds or self.queue.peek() is waiter:
            self.pump(now)
        try:
            hold = await waiter.future
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise
        # A busy loop may take a turn up late.
        self.throttle.restart(hold, self._clock.monotonic())
        return hold

    def pump(self, now_seconds: float) -> None:
        """Give turns to those who wait as far as there is room, and set the timer for the next."""
        queue, throttle = self.queue, self.throttle
        while (waiter := queue.peek()) is not None:
            if waiter.future.done():
                queue.remove(waiter)
                continue
            hold = throttle.take(now_seconds, waiter.wanted_tokens)
            if hold is None:
                break
            queue.pop()
            waiter.future.set_result(hold)
        self._set_timer(now_seconds)

    def settle(self, hold: Hold, now_seconds: float, tokens: int) -> None:
        """A call ended, having used so many tokens: what it did not need is for whoever is next."""
        self.throttle.settle(hold, now_seconds, tokens)
        if self.queue.length:
            self.pump(now_seconds)

    def void(self, hold: Hold) -> None:
        """Give back what a call took that was never sent, to whoever is next."""
        self.throttle.void(hold)
        if self.queue.length:
            self.pump(self._clock.monotonic())

    def expected_seconds(self, key: str, tokens: int, now_seconds: float) -> float:
        """When a newcomer's turn will come: now, or after those who wait and those of other keys yet to come."""
        rates = self._arrivals.per_second(now_seconds)
        schedule = self.throttle.schedule(now_seconds)
        return self.queue.expected_seconds(self._turn(key, tokens), now_seconds, schedule, rates)

    def give_up_before(self, seconds: float) -> None:
        """Nothing goes until then: whoever cannot wait so long is told at once."""
        deadlines = self._deadlines
        given_up: list[Waiter] = []
        while deadlines and (deadlines[0][0] <= seconds or deadlines[0][2].future.done()):
            waiter = heapq.heappop(deadlines)[2]
            if not waiter.future.done():
                self.queue.remove(waiter)
                given_up.append(waiter)
        # Those of one key come back behind the same others.
        waits: dict[str, float | None] = {}
        for waiter in given_up:
            if waiter.key not in waits:
                waits[waiter.key] = self._wait_seconds(waiter.key, waiter.wanted_tokens, self._clock.monotonic())
            words = f"no turn at {self.name} came, or can come, before the deadline"
            waiter.future.set_exception(Failure(QUEUE_TIMEOUT, words, retry_after_seconds=waits[waiter.key]))

    def idle(self, now_seconds: float) -> bool:
        """Whether nothing would be lost with it."""
        return not self.queue.length and self.throttle.idle(now_seconds)

    def _refuse_hopeless(self, key: str, tokens: int, now_seconds: float, deadline_seconds: float) -> None:
        left_seconds = max(deadline_seconds - now_seconds, 0.0)
        if self.queue.full(key):
            words = f"{self.name} is at its limit and its queue is full; ask again later"
            wait = self._wait_seconds(key, tokens, now_seconds)
            raise Failure(QUEUE_TIMEOUT, words, retry_after_seconds=wait)
        wait_seconds = max(self.expected_seconds(key, tokens, now_seconds) - now_seconds, 0.0)
        if wait_seconds > left_seconds or not left_seconds:
            words = f"a turn at {self.name} is {wait_seconds:.1f} s away, the call has {left_seconds:.1f} s left"
            known = wait_seconds if wait_seconds < math.inf else None
            raise Failure(QUEUE_TIMEOUT, words, retry_after_seconds=known)

    def _wait_seconds(self, key: str, tokens: int, now_seconds: float) -> float | None:
        """How long until a newcomer's turn comes; None where nothing tells, as before any call has ended."""
        wait_seconds = self.expected_seconds(key, tokens, now_seconds) - now_seconds
        return wait_seconds if 0.0 < wait_seconds < math.inf else None

    def _turn(self, key: str, tokens: int) -> Turn:
        limit = self.throttle.tokens.limit
        counted = min(tokens, limit) if limit else tokens
        return Turn(key, counted, self.throttle.cost(counted))

    def _note_deadline(self, waiter: Waiter) -> None:
        self._sequence += 1
        heapq.heappush(self._deadlines, (waiter.deadline_seconds, self._sequence, waiter))
        if len(self._deadlines) > 2 * self.queue.length + _STALE_MOST:
            self._deadlines = [item for item in self._deadlines if not item[2].future.done()]
            heapq.heapify(self._deadlines)

    def _give_up(self, waiter: Waiter) -> None:
        """The waiting call was cancelled: perhaps just as its turn had come."""
        now = self._clock.monotonic()
        self.queue.remove(waiter)
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            self.throttle.void(future.result())
        self.pump(now)

    def _set_timer(self, now_seconds: float) -> None:
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].future.done():
            heapq.heappop(deadlines)
        waiter = self.queue.peek()
        when = math.inf
        if waiter is not None:
            when = min(self.throttle.ready_seconds(now_seconds, waiter.wanted_tokens), deadlines[0][0])
        if self._timer is not None:
            if self._timer_seconds == when:
                return
            self._timer.cancel()
            self._timer = None
        self._timer_seconds = when
        if when < math.inf and self._loop is not None:
            after_seconds = max(when - now_seconds, TIMER_SECONDS_LEAST)
            self._timer = self._loop.call_at(self._loop.time() + after_seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        self.give_up_before(now)
        self.pump(now)
