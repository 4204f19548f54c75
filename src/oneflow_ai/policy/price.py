"""What a call costs and what it may cost at most: exact, in nano-USD, rounded once, up; no provider known by name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from oneflow_ai.core.call import Task
from oneflow_ai.core.events import Usage
from oneflow_ai.core.money import PER_MILLION
from oneflow_ai.core.price import (
    UNITS,
    Band,
    Price,
    Rates,
    bands_at,
)
from oneflow_ai.core.value import value

MILLISECONDS_PER_HOUR = 3_600_000
"""The rate of audio is per million hours: a rate per million milliseconds would not be a whole number."""

# What stands for a measure that the price does not know, when an answer counts no tokens: on the dear side of what is
# seen. The dearest picture of GPT Image 2 to 2.6 is 23,719 tokens, and is held as 26,347; so is one of a model whose
# pictures nobody can count ahead. Speech has about 15 characters and 25 audio tokens a second, speech that is read 25
# to 32 (gemini-3.5-transcribe, litellm 1.109.1: $0.00005 a second at $2 per million; 2026-11-24), and five written
# tokens.
IMAGE_OUTPUT_TOKENS = 26_624
SPOKEN_TOKENS_PER_CHARACTER = 2
HEARD_TOKENS_PER_SECOND = 32
WRITTEN_TOKENS_PER_SECOND = 5

_TOKENS = frozenset(UNITS) - {"characters", "images", "web_searches", "audio_hours"}
# What each task may be paid by; a fee of each call is among the tokens' kinds and pays for anything.
_PAID_BY = {
    Task.IMAGE: _TOKENS | {"images"},
    Task.SPEECH: _TOKENS | {"characters"},
    Task.TRANSCRIPTION: _TOKENS | {"audio_hours"},
}


def covers(price: Price, task: Task) -> bool:
    """Whether a price says anything of what a task uses: one for characters alone would let a chat run for nothing."""
    return not price.kinds.isdisjoint(_PAID_BY.get(task, _TOKENS))


def counts_tokens(price: Price) -> bool:
    """Whether tokens cost anything at this price; or else pictures, characters or hours alone."""
    return not price.kinds.isdisjoint(_TOKENS)


@value
class Bound:
    """The most that a call may use. `output_tokens` and `images` are of one choice, of which there are `n`.

    `service_tier` is the tier that the request asks for; None leaves the choice to the provider, so any may run.
    `text_only` says that neither prompt nor answer holds sound or pictures. `image_tokens` are those of one picture,
    where nobody will count them.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    characters: int = 0
    audio_milliseconds: int = 0
    n: int = 1
    web_searches: int = 0
    service_tier: str | None = None
    text_only: bool = False
    image_tokens: int = IMAGE_OUTPUT_TOKENS


def used(price: Price, usage: Usage, at: datetime, image_tokens: int = IMAGE_OUTPUT_TOKENS) -> int:
    """What an answer costs, in nano-USD: the provider's own word where it gave one, else price times usage.

    `at` is when the call was received (UTC), the same as for its quote; `image_tokens` stand for a picture whose tokens
    were not counted. The usage is sound, as decoders leave it.
    """
    if usage.cost_nanos is not None:
        return usage.cost_nanos
    bands = price.bands(at, usage.service_tier)
    rates = bands[0].rates
    for band in bands[1:]:
        if usage.input_tokens > band.above_tokens:
            rates = band.rates
    if usage.input_tokens or usage.output_tokens:
        product = _tokens(rates, usage)
    else:
        product = _instead(rates, usage.characters, usage.images * image_tokens, usage.audio_milliseconds)
    product += usage.characters * rates.characters + usage.images * rates.images
    product += rates.requests + usage.web_searches * rates.web_searches
    return _nanos(product, price, rates, usage.audio_milliseconds)


def guessed(price: Price, usage: Usage) -> bool:
    """Whether `used` makes up tokens for this answer, since its price knows tokens alone and the answer counts none."""
    if usage.cost_nanos is not None or usage.input_tokens or usage.output_tokens:
        return False
    measures = {"characters": usage.characters, "images": usage.images, "audio_hours": usage.audio_milliseconds}
    return any(count and kind not in price.kinds for kind, count in measures.items()) and counts_tokens(price)


def quote(price: Price, bound: Bound, at: datetime) -> int:
    """The most that an answer within the bound can cost, in nano-USD, at the price of that moment (UTC)."""
    most = _dearest(price, price.bands(at, None), bound)
    if bound.service_tier is None:
        for periods in price.dear_tiers:
            most = max(most, _dearest(price, bands_at(periods, at), bound))
        return most
    return max(most, _dearest(price, price.bands(at, bound.service_tier), bound))


@value
class Top:
    """The most that tokens cost in a call of more than `above_tokens` of input, in nano-USD per million."""

    above_tokens: int
    input: int
    output: int
    requests: int


def tops(price: Price, moments: Iterable[datetime]) -> tuple[Top, ...]:
    """What bounds a call of tokens at any of these moments (UTC), whatever service tier runs; see `most_of`."""
    found: dict[Top, None] = {}
    for at in moments:
        for periods in (price.periods, *price.dear_tiers):
            for band in bands_at(periods, at):
                rates = band.rates
                found[Top(band.above_tokens, *rates.tops, rates.requests)] = None
    return tuple(found)


def most_of(bounds: Iterable[Top], input_tokens: int, output_tokens: int) -> int:
    """The most that a call of so many tokens can cost, in nano-USD: the same as `quote`, found sooner."""
    most = 0
    for top in bounds:
        if input_tokens > top.above_tokens:
            most = max(most, input_tokens * top.input + output_tokens * top.output + top.requests)
    return -(-most // PER_MILLION)


def _nanos(product: int, price: Price, rates: Rates, milliseconds: int) -> int:
    if not milliseconds:
        return -(-product // PER_MILLION)
    audio_product = max(milliseconds, price.audio_least_milliseconds) * rates.audio_hours
    return -(-(product * MILLISECONDS_PER_HOUR + audio_product) // (PER_MILLION * MILLISECONDS_PER_HOUR))


def _tokens(rates: Rates, usage: Usage) -> int:
    """What the tokens of an answer cost: text here, where there is nothing else and none of it went into a cache."""
    cached, reasoning = usage.cached_tokens, usage.reasoning_tokens
    inputs, outputs = usage.input_tokens - cached, usage.output_tokens - reasoning
    heard = usage.input_audio_tokens or usage.output_audio_tokens
    seen = usage.input_image_tokens or usage.output_image_tokens
    written = usage.cache_write_tokens or usage.cache_write_1h_tokens
    if heard or seen or written or inputs < 0 or outputs < 0:
        return _input(rates, usage) + _output(rates, usage)
    return inputs * rates.input + cached * rates.cached + outputs * rates.output + reasoning * rates.reasoning


def _input(rates: Rates, usage: Usage) -> int:
    cached, audio, image = usage.cached_tokens, usage.input_audio_tokens, usage.input_image_tokens
    written, long = usage.cache_write_tokens, usage.cache_write_1h_tokens
    text = usage.input_tokens - cached - written - audio - image
    product = (written - long) * rates.cache_write + long * rates.cache_write_1h
    if text < 0:
        # Sound and pictures came from the cache too: what is counted on both sides is paid as cached, once.
        both_audio = min(-text, audio)
        both_image = min(-text - both_audio, image)
        read_audio = min(both_audio, cached)
        read_image = min(both_image, cached - read_audio)
        product += read_audio * rates.cached_audio + read_image * rates.cached_image
        cached, audio, image, text = cached - read_audio - read_image, audio - both_audio, image - both_image, 0
    product += text * rates.input + cached * rates.cached
    return product + audio * rates.input_audio + image * rates.input_image


def _output(rates: Rates, usage: Usage) -> int:
    audio, image = usage.output_audio_tokens, usage.output_image_tokens
    text = max(0, usage.output_tokens - audio - image)
    reasoning = min(text, usage.reasoning_tokens)
    product = (text - reasoning) * rates.output + reasoning * rates.reasoning
    return product + audio * rates.output_audio + image * rates.output_image


def _instead(rates: Rates, characters: int, image_tokens: int, milliseconds: int) -> int:
    product = 0
    if "characters" not in rates.kinds:
        product += characters * (rates.input + SPOKEN_TOKENS_PER_CHARACTER * max(rates.output, rates.output_audio))
    if "images" not in rates.kinds:
        product += image_tokens * rates.output_image
    if "audio_hours" not in rates.kinds:
        product += -(-milliseconds * HEARD_TOKENS_PER_SECOND // 1000) * rates.input_audio
        product += -(-milliseconds * WRITTEN_TOKENS_PER_SECOND // 1000) * rates.output
    return product


def _dearest(price: Price, bands: tuple[Band, ...], bound: Bound) -> int:
    most = _most(price, bands[0].rates, bound)
    for band in bands[1:]:
        if bound.input_tokens > band.above_tokens:
            most = max(most, _most(price, band.rates, bound))
    return most


def _most(price: Price, rates: Rates, bound: Bound) -> int:
    images = bound.images * bound.n
    tops = rates.text_tops if bound.text_only else rates.tops
    product = bound.input_tokens * tops[0] + bound.output_tokens * bound.n * tops[1]
    if images or bound.characters or bound.audio_milliseconds:
        uncounted = _instead(rates, bound.characters, images * bound.image_tokens, bound.audio_milliseconds)
        product = max(product, uncounted)
        product += bound.characters * rates.characters + images * rates.images
    product += rates.requests + bound.web_searches * rates.web_searches
    return _nanos(product, price, rates, bound.audio_milliseconds)
