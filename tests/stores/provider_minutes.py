"""Providers that count what reaches them, for tests of limits: to the letter, or by a bucket that fills steadily."""

from collections import deque


class StrictMinute:
    """Refuses an arrival when as many as the limit came in the 60 s before it."""

    def __init__(self, limit: int) -> None:
        self.arrived = 0
        self.refused = 0
        self._limit = limit
        self._arrivals: deque[float] = deque()

    def arrive(self, now_seconds: float) -> None:
        """One request arrives."""
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= now_seconds - 60.0:
            arrivals.popleft()
        self.arrived += 1
        self.refused += len(arrivals) >= self._limit
        arrivals.append(now_seconds)


class Bucket:
    """Holds a minute's worth, fills steadily, and refuses what it does not hold."""

    def __init__(self, per_minute: int) -> None:
        self.arrived = 0
        self.refused = 0
        self._per_minute = per_minute
        self._level = float(per_minute)
        self._seconds = 0.0

    def arrive(self, now_seconds: float, cost: int = 1) -> None:
        """A request of that cost arrives."""
        filled = self._level + (now_seconds - self._seconds) * self._per_minute / 60
        self._level = min(filled, float(self._per_minute))
        self._seconds = now_seconds
        self.arrived += 1
        if self._level < cost:
            self.refused += 1
        else:
            self._level -= cost
