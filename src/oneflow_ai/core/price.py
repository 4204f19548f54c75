"""The price of a model: rates by kind of usage, bands by size, periods by date and hour, and tiers of service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from hashlib import sha256
from operator import gt

VERSION_DIGITS = 12

_GENERAL = {
    "cached": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "input_audio": "input",
    "output_audio": "output",
    "cached_audio": "cached",
    "input_image": "input",
    "output_image": "output",
    "cached_image": "cached",
}


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in nano-USD per million units, every one filled in: a kind without its own price has that of its kin.

    Tokens: `input` to `cached_image`. `characters` are of text to be spoken, `images` are pictures made, `requests` is
    the fee of each call, `audio_hours` is per million hours. `kinds` names those that have a price of their own;
    `tops` are the dearest of all input and of all output tokens, `text_tops` those of text alone.
    """

    kinds: tuple[str, ...] = ()
    tops: tuple[int, int] = (0, 0)
    text_tops: tuple[int, int] = (0, 0)
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    cached_audio: int = 0
    input_image: int = 0
    output_image: int = 0
    cached_image: int = 0
    characters: int = 0
    images: int = 0
    requests: int = 0
    web_searches: int = 0
    audio_hours: int = 0


UNITS = tuple(field.name for field in fields(Rates))[3:]
_INPUTS = (
    "input",
    "cached",
    "cache_write",
    "cache_write_1h",
    "input_audio",
    "cached_audio",
    "input_image",
    "cached_image",
)
_OUTPUTS = ("output", "reasoning", "output_audio", "output_image")
_TEXT_INPUTS, _TEXT_OUTPUTS = _INPUTS[:4], _OUTPUTS[:2]


def rates_of(prices: Mapping[str, int]) -> Rates:
    """Rates of those kinds that have a price. Raises `ValueError` for an unknown kind or a negative price."""
    for kind, price in prices.items():
        if kind not in UNITS:
            raise ValueError(f"{kind} is no kind of usage")
        if price < 0:
            raise ValueError(f"{kind} has a negative price")
    filled = dict(prices)
    for kind, general in _GENERAL.items():
        filled.setdefault(kind, filled.get(general, 0))

    def top(kinds: tuple[str, ...]) -> int:
        return max(filled.get(kind, 0) for kind in kinds)

    own = tuple(kind for kind in UNITS if kind in prices)
    return Rates(own, (top(_INPUTS), top(_OUTPUTS)), (top(_TEXT_INPUTS), top(_TEXT_OUTPUTS)), **filled)


@dataclass(frozen=True, slots=True)
class Band:
    """Rates of every token of a call that has more than `above_tokens` input tokens."""

    above_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Period:
    """Bands, lowest first, that hold from a UTC day on, within a part of each day (seconds of the UTC day) if given."""

    bands: tuple[Band, ...]
    start: date | None = None
    day_seconds: tuple[int, int] | None = None

    def holds(self, at: datetime) -> bool:
        """Whether a call of this moment, UTC, falls into it."""
        if self.start is not None and at.date() < self.start:
            return False
        if self.day_seconds is None:
            return True
        first, end = self.day_seconds
        second = at.hour * 3600 + at.minute * 60 + at.second
        return first <= second < end if first <= end else second >= first or second < end


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model at one provider: periods, the last that holds counting, and those of other service tiers.

    `dear_tiers` are the different ones of those that can cost more than the standard. `audio_least_milliseconds` is
    billed for any shorter sound. `kinds` are those that have a price of their own at any time. `version` is a digest of
    all of it. Made by `price_of`.
    """

    periods: tuple[Period, ...]
    tiers: tuple[tuple[str, tuple[Period, ...]], ...] = ()
    dear_tiers: tuple[tuple[Period, ...], ...] = ()
    audio_least_milliseconds: int = 0
    kinds: frozenset[str] = frozenset()
    version: str = ""

    @property
    def input(self) -> int:
        """The list price of input tokens, latest period, for comparing models."""
        return self.periods[-1].bands[0].rates.input

    @property
    def output(self) -> int:
        """The list price of output tokens, latest period, for comparing models."""
        return self.periods[-1].bands[0].rates.output

    def bands(self, at: datetime, service_tier: str | None) -> tuple[Band, ...]:
        """The bands of a moment and of the service tier that ran; an unknown tier has the standard price."""
        standard = self.periods
        if service_tier is not None:
            for name, periods in self.tiers:
                if name == service_tier:
                    return bands_at(periods, at)
        return standard[0].bands if len(standard) == 1 else bands_at(standard, at)


def price_of(
    periods: Iterable[Period],
    tiers: Mapping[str, Iterable[Period]] | None = None,
    audio_least_milliseconds: int = 0,
) -> Price:
    """A price with its version. Raises `ValueError` when there is no period, or one without bands from zero up."""
    standard = tuple(periods)
    others = tuple((name, tuple(found)) for name, found in (tiers or {}).items())
    for period in [*standard, *(period for _, found in others for period in found)]:
        if not period.bands or period.bands[0].above_tokens >= 0:
            raise ValueError("a price has a band for calls of every size")
    if not standard or not all(found for _, found in others):
        raise ValueError("a price has a period")
    content = repr((_content(standard), [(name, _content(found)) for name, found in others], audio_least_milliseconds))
    dear = dict.fromkeys(found for _, found in others if _can_be_dearer(found, standard))
    version = sha256(content.encode()).hexdigest()[:VERSION_DIGITS]
    kinds = frozenset.intersection(*(frozenset(band.rates.kinds) for period in standard for band in period.bands))
    return Price(standard, others, tuple(dear), audio_least_milliseconds, kinds, version)


def flat_price(prices: Mapping[str, int]) -> Price:
    """A price without tiers or dates, of nano-USD per million units. Raises `ValueError` as `rates_of` does."""
    return price_of([Period((Band(-1, rates_of(prices)),))])


def at_rate(price: Price, kind: str, factor: Fraction) -> Price:
    """The price with one kind of usage so many times as dear, rounded up."""

    def band(found: Band) -> Band:
        own = {name: getattr(found.rates, name) for name in found.rates.kinds}
        if kind in own:
            own[kind] = -(-own[kind] * factor.numerator // factor.denominator)
        return Band(found.above_tokens, rates_of(own))

    def all_of(periods: tuple[Period, ...]) -> list[Period]:
        return [replace(period, bands=tuple(map(band, period.bands))) for period in periods]

    tiers = {name: all_of(periods) for name, periods in price.tiers}
    return price_of(all_of(price.periods), tiers, price.audio_least_milliseconds)


def free() -> Price:
    """The explicit zero: every kind of usage has a price, and it is nothing."""
    return flat_price(dict.fromkeys(UNITS, 0))


def bands_at(periods: tuple[Period, ...], at: datetime) -> tuple[Band, ...]:
    """The bands of the last period that holds at a moment (UTC); those of the first where none does."""
    if len(periods) == 1:
        return periods[0].bands
    moment = at.astimezone(UTC) if at.tzinfo is not None else at
    for period in reversed(periods):
        if period.holds(moment):
            return period.bands
    return periods[0].bands


def _can_be_dearer(tier: tuple[Period, ...], standard: tuple[Period, ...]) -> bool:
    both = (*tier, *standard)
    days = {date.min, *(period.start for period in both if period.start is not None)}
    seconds = {0, *(second for period in both for second in period.day_seconds or ())}
    for moment in (datetime.combine(day, time()) + timedelta(seconds=second) for day in days for second in seconds):
        one, other = bands_at(tier, moment), bands_at(standard, moment)
        for tokens in {band.above_tokens for band in (*one, *other)}:
            if any(map(gt, _rates_above(one, tokens), _rates_above(other, tokens))):
                return True
    return False


def _rates_above(bands: tuple[Band, ...], tokens: int) -> list[int]:
    rates = [band.rates for band in bands if band.above_tokens <= tokens][-1]
    return [getattr(rates, kind) for kind in UNITS]


def _content(periods: tuple[Period, ...]) -> list[object]:
    return [
        (
            str(period.start),
            period.day_seconds,
            [
                (band.above_tokens, [(kind, getattr(band.rates, kind)) for kind in band.rates.kinds])
                for band in period.bands
            ],
        )
        for period in periods
    ]
