"""Money as whole nano-USD: reading dollars exactly, and writing them plainly."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TypeAlias

NANOS_PER_USD = 1_000_000_000
PER_MILLION = 1_000_000
# Below it, nine decimals of the quotient are exact: 15 digits survive a float.
_FLOAT_NANOS_MOST = 10**15
DIGITS_MOST = 40
"""The longest number that is read as dollars: more digits are no price, and exact arithmetic on them costs time."""

Dollars: TypeAlias = Decimal | float | int | str


def decimal_usd(value: Dollars) -> Decimal:
    """The exact dollars that someone wrote; a float counts as its shortest decimal text, which is what the file held.

    Raises `ValueError` for what is no finite number.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int | str):
        raise ValueError(f"{value!r} is not an amount of dollars")
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount of dollars") from None
    if not amount.is_finite() or abs(amount.adjusted()) + len(amount.as_tuple().digits) > DIGITS_MOST:
        raise ValueError(f"{value!r} is not an amount of dollars")
    return amount


def nanos_from_usd(value: Dollars) -> int:
    """Dollars as nano-USD, exactly. Raises `ValueError` for what is no number or finer than a nano-dollar."""
    amount = decimal_usd(value)
    numerator, denominator = amount.as_integer_ratio()
    nanos, rest = divmod(numerator * NANOS_PER_USD, denominator)
    if rest:
        raise ValueError(f"{value!r} is finer than a nano-dollar: at most 9 decimals")
    return nanos


def usd_text(nanos: int) -> str:
    """Nano-USD as plain decimal dollars, without exponent and without idle zeros: `"0.000123"`, `"12"`."""
    if 0 <= nanos < _FLOAT_NANOS_MOST:
        return f"{nanos / NANOS_PER_USD:.9f}".rstrip("0").rstrip(".")
    sign = "-" if nanos < 0 else ""
    whole, part = divmod(abs(nanos), NANOS_PER_USD)
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


def unit_usd_text(nanos_per_million: int) -> str:
    """A price in nano-USD per million units as plain decimal dollars for one unit: `"0.00000025"`."""
    return format((Decimal(nanos_per_million) / (NANOS_PER_USD * PER_MILLION)).normalize(), "f")


def usd_float(nanos: int) -> float:
    """Nano-USD as the nearest float of dollars, for JSON numbers; never to be calculated with."""
    return nanos / NANOS_PER_USD
