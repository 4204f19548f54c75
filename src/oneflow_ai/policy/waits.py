"""When those come back who are turned away: never sooner than it helps, and not all at the same moment. Pure.

`lot` is a number from 0 up to, not including, 1.
"""

from __future__ import annotations

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure, Kind

TURNED_AWAY_SECONDS = (1.0, 5.0)
SPREAD = 0.1


# Refused for want of a place that another's end makes free: when that will be is not always known.
_FOR_A_PLACE = (kinds.QUEUE_TIMEOUT, kinds.CONCURRENCY_LIMIT_EXCEEDED, kinds.OVERLOADED)


def turned_away(kind: Kind, words: str, lot: float) -> Failure:
    """The failure of a call for which there is no place at this moment."""
    return Failure(kind, words, retry_after_seconds=_unforeseen_seconds(lot))


def told(failure: Failure, lot: float) -> float | None:
    """The wait that a client is told of its failure, in seconds; None for none.

    Of a refusal of ours it is a tenth more at most than what is foreseen, so that many who wait for the same thing do
    not come back together; where nothing could be foreseen of when a place is free, a moment.
    """
    wait_seconds = failure.retry_after_seconds
    if wait_seconds is None:
        return _unforeseen_seconds(lot) if failure.kind in _FOR_A_PLACE else None
    return apart(wait_seconds, lot) if failure.kind.cause == "policy" else wait_seconds


def apart(wait_seconds: float, lot: float) -> float:
    """The wait that one of many is told who wait for the same thing: a tenth more at most."""
    return wait_seconds * (1.0 + SPREAD * lot)


def _unforeseen_seconds(lot: float) -> float:
    least, most = TURNED_AWAY_SECONDS
    return least + (most - least) * lot
