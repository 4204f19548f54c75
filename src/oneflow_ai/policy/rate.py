"""Limits as arithmetic: what a minute has room for. Time comes in as an argument, in monotonic seconds."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable

# A minute at the provider, and half a second for requests that the network delays unequally.
WINDOW_SECONDS = 60.5
# A log keeps about this many entries; sends closer together than window ÷ this share one, with the later time.
SLOTS_MOST = 1_000

_ROUNDING = 1e-6
_SLOTS_STALE = 2 * SLOTS_MOST
_MINUTE_NANOS = 60_000_000_000
_WAIT_STEP_NANOS = 1_000


class Slot:
    """A place in a log: how much was sent there, when first and when last."""

    __slots__ = ("amount", "first_seconds", "last_seconds", "live")

    def __init__(self, now_seconds: float, amount: int) -> None:
        self.first_seconds = now_seconds
        self.last_seconds = now_seconds
        self.amount = amount
        self.live = True


class SlidingLog:
    """What was sent in the last window; `limit` is the most that a window may hold, 0 for none.

    What is sent takes its place at that moment and leaves it `window_seconds` later, so no window ever holds more.
    `used` is our own amount in the window as of the last question, `others` what the provider counts beyond it.
    """

    __slots__ = (
        "_coarse", "_grain_seconds", "_others_until_seconds", "_slots", "_unchanged_until_seconds", "limit", "others",
        "used", "window_seconds",
    )  # fmt: skip

    def __init__(self, limit: int, window_seconds: float = WINDOW_SECONDS, *, coarse: bool = False) -> None:
        self.window_seconds = window_seconds
        self.used = 0
        self.others = 0
        self._others_until_seconds = 0.0
        self._slots: deque[Slot] = deque()
        # Nothing leaves the window before.
        self._unchanged_until_seconds = math.inf
        self._coarse = coarse
        self.resize(limit)

    def __len__(self) -> int:
        return len(self._slots)

    def resize(self, limit: int) -> None:
        """Another limit from now on; what was sent stays in the window."""
        self.limit = limit
        exact = 0 < limit <= SLOTS_MOST and not self._coarse
        self._grain_seconds = 0.0 if exact else self.window_seconds / SLOTS_MOST

    def expire(self, now_seconds: float) -> None:
        """Drop what has left the window."""
        if now_seconds < self._unchanged_until_seconds:
            return
        slots = self._slots
        while slots and slots[0].last_seconds + self.window_seconds <= now_seconds:
            slot = slots.popleft()
            slot.live = False
            self.used -= slot.amount
        if self.others and self._others_until_seconds <= now_seconds:
            self.others = 0
        self._unchanged_until_seconds = min(
            slots[0].last_seconds + self.window_seconds if slots else math.inf,
            self._others_until_seconds if self.others else math.inf,
        )

    def room(self, now_seconds: float, amount: int = 1) -> bool:
        """Whether so much may be sent now."""
        self.expire(now_seconds)
        return not self.limit or self.used + self.others + amount <= self.limit

    def take(self, now_seconds: float, amount: int = 1) -> Slot:
        """So much is sent now, room or not; the slot is for `give_back`.

        What is told late, of a moment before the last send, counts from that send.
        """
        slots = self._slots
        self.used += amount
        if slots:
            slot = slots[-1]
            late = now_seconds <= slot.last_seconds
            if late or now_seconds - slot.first_seconds <= self._grain_seconds:
                if not late:
                    slot.last_seconds = now_seconds
                slot.amount += amount
                return slot
            if now_seconds >= self._unchanged_until_seconds:
                self.expire(now_seconds)
            if len(slots) > _SLOTS_STALE:
                self._slots = slots = deque(slot for slot in slots if slot.amount)
        if not slots:
            self._unchanged_until_seconds = min(self._unchanged_until_seconds, now_seconds + self.window_seconds)
        slot = Slot(now_seconds, amount)
        slots.append(slot)
        return slot

    def give_back(self, slot: Slot, amount: int = 1) -> None:
        """So much of what was taken was never sent."""
        if slot.live:
            slot.amount -= amount
            self.used -= amount

    def true_up(self, now_seconds: float, used: int, until_seconds: float) -> None:
        """The provider counts `used`: what is beyond our own count is taken by others, until then or the next word."""
        self.expire(now_seconds)
        self.others = max(used - self.used, 0)
        self._others_until_seconds = until_seconds
        self._unchanged_until_seconds = min(self._unchanged_until_seconds, until_seconds)

    def next_free_seconds(self, now_seconds: float, amount: int = 1) -> float:
        """When so much may be sent, if nothing else is; infinity for more than the limit."""
        self.expire(now_seconds)
        if not self.limit:
            return now_seconds
        if amount > self.limit:
            return math.inf
        need = self.used + amount - self.limit
        if not self.others:
            return self._left_seconds(now_seconds, need)
        alone_seconds = max(self._left_seconds(now_seconds, need), self._others_until_seconds)
        return min(self._left_seconds(now_seconds, need + self.others), alone_seconds)

    def schedule(self, now_seconds: float, start_seconds: float, weight: float = 1.0) -> Callable[[int], float]:
        """Gives a function that tells when the last of so much will have been sent, if it is sent as places fall free.

        Nothing is sent before `start_seconds`. More than the limit takes whole windows: a place that falls free is
        taken at once, and is free again a window later. `weight` is the part of what is in the window that will count.
        """
        limit, window_seconds = self.limit, self.window_seconds
        if not limit:
            return lambda amount: start_seconds
        self.expire(now_seconds)
        free, others = limit - self.used * weight, self.others
        # Read as far as is asked for: most who ask stand near the front.
        slots = iter(self._slots)
        left: list[float] = [0.0]
        left_seconds = [start_seconds]

        def freed_seconds(need: float) -> float:
            while left[-1] < need - _ROUNDING:
                slot = next(slots, None)
                if slot is None:
                    return math.inf
                left.append(left[-1] + slot.amount * weight)
                left_seconds.append(slot.last_seconds + window_seconds)
            return left_seconds[bisect_left(left, need - _ROUNDING)]

        def served_seconds(amount: int) -> float:
            if amount <= 0:
                return start_seconds
            rounds, rest = divmod(amount - 1, limit)
            need = rest + 1 - free
            when = freed_seconds(need)
            if others:
                when = min(freed_seconds(need + others), max(when, self._others_until_seconds))
            return max(when, start_seconds) + rounds * window_seconds

        return served_seconds

    def _left_seconds(self, now_seconds: float, amount: int) -> float:
        """When so much of what is in the window will have left it."""
        if amount <= 0:
            return now_seconds
        for slot in self._slots:
            amount -= slot.amount
            if amount <= 0:
                return slot.last_seconds + self.window_seconds
        return math.inf


class TokenReservations(SlidingLog):
    """Tokens in the last window, by estimate until a call settles; one above the limit runs when nothing else does."""

    __slots__ = ()

    def __init__(self, limit: int, window_seconds: float = WINDOW_SECONDS) -> None:
        super().__init__(limit, window_seconds, coarse=True)

    def room(self, now_seconds: float, amount: int = 1) -> bool:
        """Whether a call of so many tokens may be sent now."""
        return super().room(now_seconds, amount) or (amount > self.limit and not self.used)

    def next_free_seconds(self, now_seconds: float, amount: int = 1) -> float:
        """When a call of so many tokens may be sent, if nothing else is."""
        if 0 < self.limit < amount:
            self.expire(now_seconds)
            return self._left_seconds(now_seconds, self.used)
        return super().next_free_seconds(now_seconds, amount)

    def correct(self, slot: Slot, now_seconds: float, reserved_tokens: int, used_tokens: int) -> None:
        """The call used this many: what is too much falls free, what was missing is counted from now."""
        if used_tokens > reserved_tokens:
            self.take(now_seconds, used_tokens - reserved_tokens)
        elif slot.live:
            slot.amount -= reserved_tokens - used_tokens
            self.used -= reserved_tokens - used_tokens


class Concurrency:
    """How many calls are under way; `limit` is the most, 0 for none. `mean_seconds` is how long they last of late."""

    __slots__ = ("in_flight", "limit", "mean_seconds")

    WEIGHT = 0.1

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.mean_seconds = 0.0

    def room(self) -> bool:
        """Whether one more may start."""
        return not self.limit or self.in_flight < self.limit

    def end(self, lasted_seconds: float) -> None:
        """One that started has ended."""
        self.in_flight -= 1
        weight = self.WEIGHT if self.mean_seconds else 1.0
        self.mean_seconds += (lasted_seconds - self.mean_seconds) * weight

    def served_seconds(self, calls: int, start_seconds: float) -> float:
        """When the last of so many more will have started, by how long calls last."""
        need = self.in_flight + calls - self.limit
        if not self.limit or need <= 0:
            return start_seconds
        return start_seconds + self.mean_seconds * need / self.limit


class Gcra:
    """The limit of one of our own clients: in t minutes at most rate · t + burst, in any stretch of time.

    Exact, in whole nanoseconds times the rate. A refund counts from when it is made and never fills above the burst.
    """

    __slots__ = ("_full", "burst", "rate_per_minute")

    def __init__(self, rate_per_minute: int, burst: int) -> None:
        self.rate_per_minute = rate_per_minute
        self.burst = burst
        self._full = 0

    def wait_seconds(self, now_seconds: float, cost: int = 1) -> float | None:
        """How long until so much may be taken: 0.0 for now, None for never (more than the burst)."""
        if cost > self.burst:
            return None
        now = self._scaled(now_seconds)
        excess = max(self._full, now) - now - (self.burst - cost) * _MINUTE_NANOS
        if excess <= 0:
            return 0.0
        # A step up, so that whoever waits exactly this long is never a rounding error too early.
        steps = excess // (self.rate_per_minute * _WAIT_STEP_NANOS) + 1
        return steps * _WAIT_STEP_NANOS / 1e9

    def take_if_there(self, now_seconds: float, cost: int = 1) -> bool:
        """Take so much if it is there; gives whether it was. A refund at the same moment leaves no trace of it."""
        now = int(now_seconds * 1e9) * self.rate_per_minute
        full = max(self._full, now)
        if full - now > (self.burst - cost) * _MINUTE_NANOS:
            return False
        self._full = full + cost * _MINUTE_NANOS
        return True

    def take(self, now_seconds: float, cost: int = 1) -> None:
        """Take so much, whether there or not: what is not there is owed."""
        now = int(now_seconds * 1e9) * self.rate_per_minute
        self._full = (max(now, self._full)) + cost * _MINUTE_NANOS

    def refund(self, cost: int) -> None:
        """So much of what was taken was not used."""
        self._full -= cost * _MINUTE_NANOS

    def standing(self, now_seconds: float) -> tuple[int, int, float]:
        """The rate, how much may be taken now, and how long until the burst is whole: 0.0 when nothing is missing."""
        owed = self._full - int(now_seconds * 1e9) * self.rate_per_minute
        if owed <= 0:
            return self.rate_per_minute, self.burst, 0.0
        there = self.burst - -(-owed // _MINUTE_NANOS)
        return self.rate_per_minute, max(there, 0), owed / self.rate_per_minute / 1e9

    def resize(self, now_seconds: float, rate_per_minute: int, burst: int) -> None:
        """Another limit from now on; what was taken and is not yet made up stays taken."""
        owed = max(self._full - self._scaled(now_seconds), 0)
        self.rate_per_minute = rate_per_minute
        self.burst = burst
        self._full = self._scaled(now_seconds) + owed

    def _scaled(self, now_seconds: float) -> int:
        return int(now_seconds * 1e9) * self.rate_per_minute
