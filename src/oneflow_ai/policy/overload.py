"""When to turn new calls away so that those under way get through: a loop that lags, memory that runs out. Pure."""

from __future__ import annotations

LAG_SECONDS_MOST = 0.1
LAGGING_SECONDS_LEAST = 1.0
"""A loop that lags for less was held up once, by one large body perhaps. Half the lag does not end it: it swings."""
BUSY_LEAST = 0.5
"""A loop that has a processor for less of the time waits for others: its lesser lags say nothing of its own load."""
FIRST_SHARE = 0.15
AIM_SECONDS = 0.01
"""Once calls are turned away, the loop is to be this late: it is never idle then, and nobody waits for long."""
SETTLED_SECONDS = 0.003
"""A loop that is no later has room."""
BY_LAG, BY_CHANGE = 1.5, 5.0
"""How much of what is let in is turned away, or let in again, for each second of lag beyond the aim and of its growth.

Both are parts of what is let in: the more comes, the less of it a step may change, or the load would swing.
"""
FALL, FALL_MOST = 0.005, 0.1
"""A loop with room lets in so much more at first, with each step more."""
SHARE_MOST = 0.95
MEMORY_SHARE_MOST = 0.85
BODIES_MEMORY_SHARE = 0.25
"""The part of the memory that the bodies of calls under way may take."""
CALLS_LEAST = 16
"""So many calls at once are served even when the memory is nearly used up: it may never be given back."""


class Overload:
    """What share of new calls is turned away, by what the process feels of itself.

    How long providers take says nothing of it: a model that thinks for a minute costs nothing meanwhile. Only a loop
    that lags for long has too much to do. From then on the share follows much smaller lags, so that the load settles
    where the loop just keeps up and those who are let in are served as fast as ever. It falls slowly at first, and
    faster the longer the loop is calm. It never reaches all, or nobody would notice that it has become calm. Lags of a
    machine that others keep busy count only where they are long: turning calls away does not make those less.
    """

    __slots__ = ("_calm_steps", "_lag_seconds", "_lagging_since_seconds", "_memory_full", "share")

    def __init__(self) -> None:
        self._lagging_since_seconds: float | None = None
        self._lag_seconds = 0.0
        self._calm_steps = 0
        self._memory_full = False
        self.share = 0.0

    def note_lag(self, now_seconds: float, lag_seconds: float, busy_share: float = 1.0) -> None:
        """The loop ran something so late just now, and was at work for this share of the time before."""
        if busy_share < BUSY_LEAST and lag_seconds <= LAG_SECONDS_MOST:
            lag_seconds = 0.0
        if self.share:
            self._steer(lag_seconds)
        elif self._lagging_since_seconds is None:
            if lag_seconds > LAG_SECONDS_MOST:
                self._lagging_since_seconds = now_seconds - lag_seconds
        elif lag_seconds <= LAG_SECONDS_MOST / 2:
            self._lagging_since_seconds = None
        elif now_seconds - self._lagging_since_seconds >= LAGGING_SECONDS_LEAST:
            self._lagging_since_seconds, self._calm_steps = None, 0
            self._lag_seconds, self.share = lag_seconds, FIRST_SHARE

    def _steer(self, lag_seconds: float) -> None:
        growth, self._lag_seconds = lag_seconds - self._lag_seconds, lag_seconds
        change = (1.0 - self.share) * (BY_LAG * (lag_seconds - AIM_SECONDS) + BY_CHANGE * growth)
        # A backlog that is worked off says that the share was enough, not that none is needed.
        share = max(self.share + change, self.share / 2)
        self._calm_steps = self._calm_steps + 1 if lag_seconds <= SETTLED_SECONDS else 0
        share -= min(FALL * self._calm_steps, FALL_MOST)
        self.share = min(max(share, 0.0), SHARE_MOST)

    def note_memory(self, used_share: float) -> None:
        """So much of the memory that the process may have is in use, from 0 to 1."""
        self._memory_full = used_share > MEMORY_SHARE_MOST

    @property
    def calm(self) -> bool:
        """Whether every call is let in."""
        return not (self.share or self._memory_full)

    def refuses(self, calls_open: int, chance: float) -> str | None:
        """Why the next call is turned away, or None; `chance` (0 up to 1) decides which are."""
        if self._memory_full and calls_open >= CALLS_LEAST:
            return "the gateway is short of memory; try again"
        return "the gateway is busy; try again" if chance < self.share else None
