"""Prices as people write them, in dollars: the operator's own tables and the rows of the supplement."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oneflow_ai.core.money import NANOS_PER_USD, PER_MILLION, Dollars, decimal_usd
from oneflow_ai.core.price import Price, flat_price

KEYS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "input_usd_per_million_tokens": ("input", 1),
        "output_usd_per_million_tokens": ("output", 1),
        "cached_usd_per_million_tokens": ("cached", 1),
        "cache_write_usd_per_million_tokens": ("cache_write", 1),
        "cache_write_1h_usd_per_million_tokens": ("cache_write_1h", 1),
        "reasoning_usd_per_million_tokens": ("reasoning", 1),
        "input_audio_usd_per_million_tokens": ("input_audio", 1),
        "output_audio_usd_per_million_tokens": ("output_audio", 1),
        "cached_audio_usd_per_million_tokens": ("cached_audio", 1),
        "input_image_usd_per_million_tokens": ("input_image", 1),
        "output_image_usd_per_million_tokens": ("output_image", 1),
        "cached_image_usd_per_million_tokens": ("cached_image", 1),
        "usd_per_million_characters": ("characters", 1),
        "usd_per_image": ("images", PER_MILLION),
        "usd_per_request": ("requests", PER_MILLION),
        "usd_per_thousand_web_searches": ("web_searches", PER_MILLION // 1000),
        "usd_per_audio_minute": ("audio_hours", 60 * PER_MILLION),
        "usd_per_audio_hour": ("audio_hours", PER_MILLION),
    }
)
"""What may stand in a price table: the kind of usage, and how many dollars per million units one written dollar is."""

USD_MOST = 1_000_000
"""No unit of any kind costs a million dollars: such a number is a slip of the pen."""


def rates_from(table: Mapping[str, Dollars]) -> dict[str, int]:
    """Nano-USD per million units of each kind that the table prices; finer parts of a nano-dollar are rounded up.

    Raises `ValueError` that names the key: unknown, negative, no number, absurdly large, or two for one kind.
    """
    rates: dict[str, int] = {}
    for key, value in table.items():
        if key not in KEYS:
            raise ValueError(f"{key} is no price; known are {', '.join(KEYS)}")
        kind, times = KEYS[key]
        try:
            dollars = decimal_usd(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        if not 0 <= dollars < USD_MOST:
            raise ValueError(f"{key}: {value} is not from 0 to {USD_MOST} dollars; 0 means free")
        if kind in rates:
            raise ValueError(f"{key}: the same thing has a price already")
        numerator, denominator = dollars.as_integer_ratio()
        rates[kind] = -(-numerator * times * NANOS_PER_USD // denominator)
    return rates


def price_from(table: Mapping[str, Dollars]) -> Price:
    """The price that an operator's table `[prices."provider/model"]` sets; an explicit zero makes that kind free.

    Raises `ValueError` as `rates_from` does, and for a table without any price.
    """
    rates = rates_from(table)
    if not rates:
        raise ValueError("a price table sets at least one price")
    return flat_price(rates)


def configured_price(prices: Mapping[str, Price], place: str) -> Price | None:
    """The operator's price of a place (`provider/model`): its own, else that of the longest name ending in `*`."""
    found = prices.get(place)
    if found is not None:
        return found
    patterns = [name for name in prices if name.endswith("*") and place.startswith(name[:-1])]
    return prices[max(patterns, key=len)] if patterns else None
