"""An operator's price table says what it means, or is refused with the key's name."""

from decimal import Decimal

import pytest

from oneflow_ai.core.money import Dollars
from oneflow_ai.core.price import flat_price
from oneflow_ai.policy.tariff import KEYS, configured_price, price_from, rates_from

USD = 1_000_000_000


@pytest.mark.parametrize(
    ("key", "value", "kind", "rate"),
    [
        ("input_usd_per_million_tokens", 0.15, "input", 150_000_000),
        ("output_usd_per_million_tokens", "0.6", "output", 600_000_000),
        ("cache_write_usd_per_million_tokens", Decimal("3.75"), "cache_write", 3_750_000_000),
        ("usd_per_million_characters", 15, "characters", 15 * USD),
        ("usd_per_image", 0.04, "images", 40_000 * USD),
        ("usd_per_request", 0.005, "requests", 5_000 * USD),
        ("usd_per_thousand_web_searches", 10, "web_searches", 10_000 * USD),
        ("usd_per_audio_minute", 0.006, "audio_hours", 360_000 * USD),
        ("usd_per_audio_hour", 0.36, "audio_hours", 360_000 * USD),
        ("cached_usd_per_million_tokens", "0.0833333333333", "cached", 83_333_334),  # finer parts go up
        ("input_usd_per_million_tokens", 0, "input", 0),  # an explicit zero
    ],
)
def test_dollars_become_nanos_per_million_units(key: str, value: Dollars, kind: str, rate: int) -> None:
    assert rates_from({key: value}) == {kind: rate}


@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf"), "much", True, 1_000_000])
def test_what_is_no_price_is_refused_by_its_key(value: Dollars) -> None:
    with pytest.raises(ValueError, match="usd_per_image"):
        price_from({"input_usd_per_million_tokens": 1, "usd_per_image": value})


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"usd_per_picture is no price; known are .*usd_per_image"):
        price_from({"usd_per_picture": 1})


def test_one_thing_has_one_price() -> None:
    with pytest.raises(ValueError, match="usd_per_audio_hour: the same thing has a price already"):
        price_from({"usd_per_audio_minute": 1, "usd_per_audio_hour": 60})


def test_a_table_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        price_from({})


def test_every_kind_of_token_can_be_written() -> None:
    assert price_from(dict.fromkeys((key for key in KEYS if key != "usd_per_audio_hour"), 1)).version


@pytest.mark.parametrize(
    ("place", "dollars"),
    [("openai/gpt-6-luna", 1), ("openai/gpt-6-sol", 2), ("openai/o9", 3), ("groq/llama", None), ("openai", None)],
)
def test_the_exact_name_wins_then_the_longest_pattern(place: str, dollars: int | None) -> None:
    table = {"openai/gpt-6-luna": 1, "openai/gpt-6*": 2, "openai/*": 3}
    prices = {name: flat_price({"input": rate * USD}) for name, rate in table.items()}
    found = configured_price(prices, place)
    assert (found and found.input) == (dollars and dollars * USD)
