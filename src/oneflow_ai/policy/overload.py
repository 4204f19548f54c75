"""When to turn new calls away so that those under way get through: a loop that lags, memory that runs out. Pure."""

from __future__ import annotations

import math

LAG_SECONDS_MOST = 0.1
LAGGING_SECONDS_LEAST = 1.0
"""A loop that lags for less was held up once, by one large body perhaps. Half the lag does not end it: it swings."""
BUSY_LEAST = 0.5
"""A loop that has a processor for less of the time waits for others: its lesser lags say nothing of its own load."""
AIM_SECONDS = 0.005
"""Once calls are turned away, the loop is to be this late: it is never idle then, and nobody waits for long."""
FIRST = 64
LEAST = 4
"""So many calls may be at work at first, and in the end: no fewer would leave the loop with more to do."""
FALL, RISE = 0.7, 1.12
"""What becomes of that with each step, at the most."""
CALM_STEPS = 10
"""Steps in which nobody was turned away and the loop was not late: there is room again."""
MEMORY_SHARE_MOST = 0.85
BODIES_MEMORY_SHARE = 0.25
"""The part of the memory that the bodies of calls under way may take."""
CALLS_LEAST = 16
"""So many calls at once are served even when the memory is nearly used up: it may never be given back."""


class Overload:
    """How many calls may be at work before new ones are turned away, by what the process feels of itself.

    How long providers take says nothing of it: a model that thinks for a minute costs nothing meanwhile, and a call
    that waits for it is not at work. Only a loop that lags for long has too much to do. From then on as many calls are
    let in as it works off while it lags a little: the backlog is bounded from call to call, whatever comes, and the
    bound follows the lag. So many as `least` are never too many: to turn them away would not help, and nobody would
    notice that there is room. Lags of a machine that others keep busy count only where they are long: turning calls
    away does not make those less. `share` is the part of the calls of the last step that were turned away.
    """

    __slots__ = (
        "_asked", "_calm_steps", "_lagging_since_seconds", "_least", "_memory_full", "_refused", "most", "share",
    )  # fmt: skip

    def __init__(self, least: int = LEAST) -> None:
        self._least = least
        self._lagging_since_seconds: float | None = None
        self._asked = self._refused = self._calm_steps = 0
        self._memory_full = False
        self.most = math.inf
        self.share = 0.0

    def note_lag(self, now_seconds: float, lag_seconds: float, busy_share: float = 1.0) -> None:
        """The loop ran something so late just now, and was at work for this share of the time before."""
        if busy_share < BUSY_LEAST and lag_seconds <= LAG_SECONDS_MOST:
            lag_seconds = 0.0
        if self.most < math.inf:
            self._steer(lag_seconds)
        elif self._lagging_since_seconds is None:
            if lag_seconds > LAG_SECONDS_MOST:
                self._lagging_since_seconds = now_seconds - lag_seconds
        elif lag_seconds <= LAG_SECONDS_MOST / 2:
            self._lagging_since_seconds = None
        elif now_seconds - self._lagging_since_seconds >= LAGGING_SECONDS_LEAST:
            self._lagging_since_seconds, self.most = None, FIRST
            self._asked = self._refused = 0

    def _steer(self, lag_seconds: float) -> None:
        late = self._refused or lag_seconds > LAG_SECONDS_MOST / 2
        self._calm_steps = 0 if late else self._calm_steps + 1
        self.share = self._refused / max(self._asked, 1)
        self._asked = self._refused = 0
        if self._calm_steps == CALM_STEPS:
            self.most, self._calm_steps = math.inf, 0
            return
        # A call waits for those before it, so its wait grows as they do; half of the way at a time, for waits swing.
        change = math.sqrt(AIM_SECONDS / lag_seconds) if lag_seconds else RISE
        self.most = max(max(self.most, 1.0) * min(max(change, FALL), RISE), self._least)

    def note_memory(self, used_share: float) -> None:
        """So much of the memory that the process may have is in use, from 0 to 1."""
        self._memory_full = used_share > MEMORY_SHARE_MOST

    @property
    def calm(self) -> bool:
        """Whether every call is let in."""
        return self.most == math.inf and not self._memory_full

    def refuses(self, calls_open: int, at_work: int) -> str | None:
        """Why the next call is turned away, or None; so many are open, and so many of them wait for nothing else."""
        if self._memory_full and calls_open >= CALLS_LEAST:
            return "the gateway is short of memory; try again"
        self._asked += 1
        if at_work + 1 <= self.most:
            return None
        self._refused += 1
        return "the gateway is busy; try again"
