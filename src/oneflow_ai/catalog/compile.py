"""From rows of the catalogue to prices: dates, bands and service tiers laid out so that arithmetic needs no choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from oneflow_ai.catalog.snapshot import ModelRow
from oneflow_ai.core.price import Band, Period, Price, price_of, rates_of
from oneflow_ai.policy.tariff import rates_from

Rate: TypeAlias = int | list[int]
"""Nano-USD per million units, or `[base, above_tokens, rate, …]`."""

ROW_KEYS = frozenset({"provider", "models", "above", "times", "source", "checked", "note"})
TOKEN_KINDS = frozenset(
    {
        "input",
        "output",
        "cached",
        "cache_write",
        "cache_write_1h",
        "reasoning",
        "input_audio",
        "output_audio",
        "cached_audio",
        "input_image",
        "output_image",
        "cached_image",
    }
)


class _Part(msgspec.Struct, array_like=True, frozen=True):
    """Rates with their time: from a UTC day on, within seconds of the UTC day."""

    rates: dict[str, Rate]
    start: date | None = None
    day_seconds: tuple[int, int] | None = None


def row_price(row: ModelRow, *, tiers: bool) -> Price | None:
    """The price of a snapshot row, with or without its service tiers; None where the row has none."""
    parts = msgspec.json.decode(row.periods, type=list[_Part])
    if not parts:
        return None
    overrides = msgspec.json.decode(row.tiers, type=dict[str, list[_Part]]) if tiers else {}
    return price_of(
        [Period(_bands(part.rates), part.start, part.day_seconds) for part in parts],
        {name: list(_overlaid(parts, found)) for name, found in overrides.items()},
        row.audio_least_milliseconds,
    )


def supplement_price(row: Mapping[str, Any]) -> Price:
    """The price of a supplement row. Raises `ValueError` that names the models for what is wrong with it."""
    try:
        rates: dict[str, Rate] = dict(rates_from({key: value for key, value in row.items() if key not in ROW_KEYS}))
        if not rates:
            raise ValueError("no price")
        if above := dict(row.get("above", {})):
            tokens = above.pop("tokens")
            rates |= {kind: [_base(rates[kind]), tokens, rate] for kind, rate in rates_from(above).items()}
        times = {name: Decimal(str(factor)) for name, factor in row.get("times", {}).items()}
    except (KeyError, ValueError) as error:
        raise ValueError(f"supplement.toml, {row.get('models')}: {error}") from error
    tiers = {name: [Period(_bands(_multiplied(rates, factor)))] for name, factor in sorted(times.items())}
    return price_of([Period(_bands(rates))], tiers)


def _bands(rates: Mapping[str, Rate]) -> tuple[Band, ...]:
    thresholds = sorted({above for rate in rates.values() if isinstance(rate, list) for above in rate[1::2]})
    return tuple(
        Band(above, rates_of({kind: _above(rate, above) for kind, rate in rates.items()}))
        for above in [-1, *thresholds]
    )


def _above(rate: Rate, above_tokens: int) -> int:
    if isinstance(rate, int):
        return rate
    steps = zip(rate[1::2], rate[2::2], strict=True)
    return [rate[0], *(step for threshold, step in steps if threshold <= above_tokens)][-1]


def _overlaid(parts: Sequence[_Part], overrides: Sequence[_Part]) -> Iterator[Period]:
    """Each standard period under each state of the overrides, in order: the last that holds is then the right one."""
    days = sorted({part.start for part in overrides if part.start is not None})
    for part in parts:
        for day in [None, *days]:
            active = [found for found in overrides if found.start is None or (day is not None and found.start <= day)]
            merged: dict[str, Rate] = dict(part.rates)
            for found in reversed(active):
                merged |= found.rates
            start = max(filter(None, (part.start, day)), default=None)
            yield Period(_bands(merged), start, part.day_seconds)


def _multiplied(rates: Mapping[str, Rate], factor: Decimal) -> dict[str, Rate]:
    numerator, denominator = factor.as_integer_ratio()

    def times(rate: int) -> int:
        return -(-rate * numerator // denominator)

    multiplied: dict[str, Rate] = {}
    for kind, rate in rates.items():
        if kind not in TOKEN_KINDS:
            multiplied[kind] = rate
        elif isinstance(rate, int):
            multiplied[kind] = times(rate)
        else:
            multiplied[kind] = [value if place % 2 else times(value) for place, value in enumerate(rate)]
    return multiplied


def _base(rate: Rate) -> int:
    return rate if isinstance(rate, int) else rate[0]
