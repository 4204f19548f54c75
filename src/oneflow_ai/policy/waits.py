"""When those come back who are turned away: never sooner than it helps, and not all at the same moment. Pure.

`lot` is a number from 0 up to, not including, 1.
"""

from __future__ import annotations

from oneflow_ai.core.failure import Failure, Kind

TURNED_AWAY_SECONDS = (1.0, 5.0)
SPREAD = 0.1


def turned_away(kind: Kind, words: str, lot: float) -> Failure:
    """The failure of a call for which there is no place at this moment."""
    least, most = TURNED_AWAY_SECONDS
    return Failure(kind, words, retry_after_seconds=least + (most - least) * lot)


def apart(wait_seconds: float, lot: float) -> float:
    """The wait that one of many is told who wait for the same thing: a tenth more at most."""
    return wait_seconds * (1.0 + SPREAD * lot)
