"""What look-ups of names found, kept for a while: as an answer while fresh, as the last good one for longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Place: TypeAlias = tuple[str, int]
"""A host and a port."""

FRESH_SECONDS = 30.0
LAST_SECONDS = 600.0
NAMES_MOST = 1_024


class KeptNames:
    """The addresses found last for each place, and when."""

    __slots__ = ("_doubted", "_found", "_fresh_seconds", "_last_seconds")

    def __init__(self, fresh_seconds: float = FRESH_SECONDS, last_seconds: float = LAST_SECONDS) -> None:
        self._fresh_seconds = fresh_seconds
        self._last_seconds = last_seconds
        # The one found first is first.
        self._found: dict[Place, tuple[float, Sequence[str]]] = {}
        self._doubted: set[Place] = set()

    def keep(self, place: Place, addresses: Sequence[str], now_seconds: float) -> None:
        """A look-up found these."""
        self._found.pop(place, None)
        self._doubted.discard(place)
        self._found[place] = (now_seconds, addresses)
        if len(self._found) > NAMES_MOST:
            oldest = next(iter(self._found))
            del self._found[oldest]
            self._doubted.discard(oldest)

    def doubt(self, place: Place) -> None:
        """Nobody answers there: it is no longer fresh, though still the last good answer should no look-up succeed."""
        if place in self._found:
            self._doubted.add(place)

    def fresh(self, place: Place, now_seconds: float) -> Sequence[str] | None:
        """What may be used without another look-up."""
        return None if place in self._doubted else self._within(self._fresh_seconds, place, now_seconds)

    def last(self, place: Place, now_seconds: float) -> Sequence[str] | None:
        """What may be used while another look-up is slow, or when it failed."""
        return self._within(self._last_seconds, place, now_seconds)

    def _within(self, seconds: float, place: Place, now_seconds: float) -> Sequence[str] | None:
        found = self._found.get(place)
        return found[1] if found is not None and now_seconds - found[0] <= seconds else None
