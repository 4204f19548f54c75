"""What a few measurements tell: their mean and how far it may be off, and how sure a share of successes is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

# Student's t for a two-sided interval of 95 %, by degrees of freedom from 1 on; a test integrates the density to each.
# Beyond the table the next lower row's is taken, which is the wider one.
_T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_T_95_BEYOND = ((100, 1.984), (60, 2.000), (40, 2.021), (30, 2.042))
_Z_95 = 1.960


@dataclass(frozen=True, slots=True)
class Sample:
    """The mean of some values, and the half width of its 95 % confidence interval; none of a single value."""

    count: int
    mean: float
    margin: float | None


def sample(values: Sequence[float]) -> Sample:
    """What these values tell, by Student's t; raises `ValueError` where there are none."""
    if not values:
        raise ValueError("there is nothing to take the mean of")
    count = len(values)
    margin = None if count == 1 else _t(count - 1) * stdev(values) / math.sqrt(count)
    return Sample(count, mean(values), margin)


def success_interval(successes: int, tries: int) -> tuple[float, float]:
    """The 95 % interval of a share of successes, after Wilson (1927): it holds for few tries and at both ends."""
    share, square = successes / tries, _Z_95**2
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = _Z_95 / (1 + square / tries) * math.sqrt(share * (1 - share) / tries + square / (4 * tries**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _t(degrees: int) -> float:
    if degrees <= len(_T_95):
        return _T_95[degrees - 1]
    return next(value for least, value in _T_95_BEYOND if degrees >= least)
