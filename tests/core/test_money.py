"""Money is whole nano-USD: read exactly, written plainly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.money import NANOS_PER_USD, decimal_usd, nanos_from_usd, usd_float, usd_text


@pytest.mark.parametrize(
    ("dollars", "nanos"),
    [
        ("0.000000001", 1),
        (0.15, 150_000_000),  # no float has this value: its text has
        (1e-7, 100),
        (3, 3_000_000_000),
        (Decimal("2.50"), 2_500_000_000),
        ("-0.5", -500_000_000),
        ("1e3", 1_000_000_000_000),
        (0, 0),
    ],
)
def test_dollars_are_the_nanos_that_were_written(dollars: Decimal | float | int | str, nanos: int) -> None:
    assert decimal_usd(dollars) * NANOS_PER_USD == nanos
    assert nanos_from_usd(dollars) == nanos


@pytest.mark.parametrize("dollars", ["0.0000000001", 1e-10])
def test_what_is_finer_than_a_nano_dollar_is_refused(dollars: float | str) -> None:
    with pytest.raises(ValueError, match="finer"):
        nanos_from_usd(dollars)


@pytest.mark.parametrize("dollars", ["", "one", "nan", float("inf"), Decimal("-Infinity"), True, "1e500", "1" * 50])
def test_what_is_no_amount_is_refused(dollars: Decimal | float | int | str) -> None:
    with pytest.raises(ValueError, match="dollar"):
        decimal_usd(dollars)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (123_000, "0.000123"),
        (10 * NANOS_PER_USD, "10"),
        (1_500_000_000, "1.5"),
        (-20_000_000, "-0.02"),
        (123_456_789_012_345_678_901, "123456789012.345678901"),
    ],
)
def test_nanos_are_written_as_plain_decimals(nanos: int, text: str) -> None:
    assert usd_text(nanos) == text


@given(st.integers(-(10**25), 10**25))
def test_text_and_nanos_are_each_others_inverse(nanos: int) -> None:
    assert nanos_from_usd(usd_text(nanos)) == nanos


@given(st.floats(1e-12, 1e6))
def test_a_float_counts_as_its_shortest_text(dollars: float) -> None:
    assert decimal_usd(dollars) == Decimal(repr(dollars))


def test_json_gets_the_nearest_float() -> None:
    assert usd_float(150_000_000) == 0.15
