"""How well each place has done lately: successes and times with a half-life, and the score made of them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

HALF_LIFE_SECONDS = 1_800.0
SUCCESS_WEIGHT = 0.7
SPEED_WEIGHT = 0.3
PRIOR_SUCCESSES = 4.5
PRIOR_CALLS = 5.0
# Below this what is left of a place's calls says nothing any more.
KNOWN_CALLS_LEAST = 0.5
PLACES_MOST = 4_096


@dataclass(slots=True)
class Tally:
    """Calls, successes and their seconds of one place, each worth half after `HALF_LIFE_SECONDS`."""

    calls: float = 0.0
    successes: float = 0.0
    seconds: float = 0.0
    at_seconds: float = 0.0

    def fade(self, now_seconds: float) -> None:
        """Let what is old count for less."""
        fading = 0.5 ** ((now_seconds - self.at_seconds) / HALF_LIFE_SECONDS)
        self.calls, self.successes, self.seconds = self.calls * fading, self.successes * fading, self.seconds * fading
        self.at_seconds = now_seconds

    @property
    def mean_seconds(self) -> float | None:
        """The mean time of a success, or None before the first."""
        return self.seconds / self.successes if self.successes > 1e-6 else None


class ScoreBook:
    """The tallies of all places, at most `PLACES_MOST`; the one without a call for the longest is forgotten first."""

    __slots__ = ("_tallies",)

    def __init__(self) -> None:
        self._tallies: OrderedDict[str, Tally] = OrderedDict()

    def add(self, place: str, succeeded: bool, seconds: float, now_seconds: float) -> None:
        """Take one attempt's outcome; only a success says how fast the place is."""
        tally = self._tallies.get(place)
        if tally is None:
            tally = self._tallies[place] = Tally(at_seconds=now_seconds)
            if len(self._tallies) > PLACES_MOST:
                self._tallies.popitem(last=False)
        else:
            self._tallies.move_to_end(place)
        tally.fade(now_seconds)
        tally.calls += 1
        if succeeded:
            tally.successes += 1
            tally.seconds += seconds

    def scores(self, places: Sequence[str], now_seconds: float) -> list[float]:
        """0.7·(s + 4.5)/(n + 5) + 0.3·(fastest/own) of each place: s of n calls succeeded; higher is better."""
        tallies = [self.tally(place, now_seconds) for place in places]
        times = [tally.mean_seconds for tally in tallies]
        fastest = min((time for time in times if time is not None), default=0.0)
        return [
            SUCCESS_WEIGHT * (tally.successes + PRIOR_SUCCESSES) / (tally.calls + PRIOR_CALLS)
            + SPEED_WEIGHT * (fastest / time if time else 1.0)
            for tally, time in zip(tallies, times, strict=True)
        ]

    def mean_seconds(self, places: Sequence[str], now_seconds: float) -> list[float]:
        """The time to expect of each place: 0.0 where it is not known (yet, or any more), inf where all failed."""
        return [_expected_seconds(self.tally(place, now_seconds)) for place in places]

    def tally(self, place: str, now_seconds: float) -> Tally:
        """What is left of a place's calls by now."""
        tally = self._tallies.get(place)
        if tally is None:
            return Tally(at_seconds=now_seconds)
        tally.fade(now_seconds)
        return tally


def _expected_seconds(tally: Tally) -> float:
    if tally.calls < KNOWN_CALLS_LEAST:
        return 0.0
    mean_seconds = tally.mean_seconds
    return math.inf if mean_seconds is None else mean_seconds
