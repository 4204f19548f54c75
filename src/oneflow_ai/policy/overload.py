"""When to turn new calls away so that those under way get through: a loop that lags, memory that runs out. Pure."""

from __future__ import annotations

LAG_SECONDS_MOST = 0.1
LAGGING_SECONDS_LEAST = 1.0
"""A loop that lags for less was held up once, by one large body perhaps."""
RISE, FALL = 0.15, 0.1
SHARE_MOST = 0.95
MEMORY_SHARE_MOST = 0.85
BODIES_MEMORY_SHARE = 0.25
"""The part of the memory that the bodies of calls under way may take."""
CALLS_LEAST = 16
"""So many calls at once are served even when the memory is nearly used up: it may never be given back."""


class Overload:
    """What share of new calls is turned away, by what the process feels of itself.

    How long providers take says nothing of it: a model that thinks for a minute costs nothing meanwhile. The share
    rises while the loop lags and falls when it does not, so that the load settles where the loop just keeps up; it
    never reaches all, or nobody would notice that it has become calm.
    """

    __slots__ = ("_lagging_since_seconds", "_memory_full", "share")

    def __init__(self) -> None:
        self._lagging_since_seconds: float | None = None
        self._memory_full = False
        self.share = 0.0

    def note_lag(self, now_seconds: float, lag_seconds: float) -> None:
        """The loop ran something so late just now."""
        if lag_seconds <= LAG_SECONDS_MOST:
            self._lagging_since_seconds = None
            self.share = max(self.share - FALL, 0.0)
            return
        if self._lagging_since_seconds is None:
            self._lagging_since_seconds = now_seconds - lag_seconds
        elif now_seconds - self._lagging_since_seconds >= LAGGING_SECONDS_LEAST:
            self.share = min(self.share + RISE, SHARE_MOST)

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
