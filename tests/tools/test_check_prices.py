"""Our own price rows are held to the snapshot."""

import tomllib
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from oneflow_ai.catalog.load import Catalog, load_catalog
from tools.check_prices import AGE_DAYS_MOST, findings

KNOWN = "gpt-6-luna"


@pytest.fixture(scope="module")
def snapshot() -> Catalog:
    """The catalogue without our own rows."""
    catalog = load_catalog()
    return Catalog(catalog.snapshot, {}, catalog.facts)


def row(catalog: Catalog, **changes: Any) -> dict[str, Any]:
    """A row that nothing is wrong with, changed."""
    sound = {
        "provider": "openai", "models": ["a-model-of-ours"], "input_usd_per_million_tokens": 1,
        "source": "https://example.org/prices", "checked": date.fromisoformat(catalog.source.checked),
    }  # fmt: skip
    return sound | changes


def test_the_rows_that_there_are_pass(snapshot: Catalog) -> None:
    text = files("oneflow_ai.catalog").joinpath("supplement.toml").read_text(encoding="utf-8")
    assert list(findings(tomllib.loads(text, parse_float=Decimal)["price"], snapshot)) == []


def test_a_sound_row_passes(snapshot: Catalog) -> None:
    assert list(findings([row(snapshot)], snapshot)) == []


@pytest.mark.parametrize("source", ["the internet", "http://example.org", "litellm"])
def test_a_source_that_nobody_can_look_at_is_told(snapshot: Catalog, source: str) -> None:
    (told,) = findings([row(snapshot, source=source)], snapshot)
    assert "its source is neither" in told
    assert list(findings([row(snapshot, source="litellm 1.109.1, a file")], snapshot)) == []


@pytest.mark.parametrize(
    ("missing", "words"),
    [("source", "its source is neither"), ("checked", "does not say on which day it was checked")],
)
def test_a_row_without_its_source_or_its_day_is_told(snapshot: Catalog, missing: str, words: str) -> None:
    bare = {name: value for name, value in row(snapshot).items() if name != missing}
    (told,) = findings([bare], snapshot)
    assert words in told


def test_a_row_that_is_much_older_than_the_snapshot_is_due(snapshot: Catalog) -> None:
    day = date.fromisoformat(snapshot.source.checked)
    old = date.fromordinal(day.toordinal() - AGE_DAYS_MOST - 1)
    (told,) = findings([row(snapshot, checked=old)], snapshot)
    assert f"was checked {AGE_DAYS_MOST + 1} days before the snapshot: look at https://example.org/prices again" in told
    assert list(findings([row(snapshot, checked=date.fromordinal(old.toordinal() + 1))], snapshot)) == []


def test_a_row_that_contradicts_the_snapshot_says_why(snapshot: Catalog) -> None:
    assert snapshot.price("openai", KNOWN) is not None
    (told,) = findings([row(snapshot, models=[KNOWN])], snapshot)
    assert f"the snapshot has another price of {KNOWN}" in told
    assert list(findings([row(snapshot, models=[KNOWN], note="Ours is newer.")], snapshot)) == []


def test_a_row_that_the_snapshot_has_too_is_superfluous(snapshot: Catalog) -> None:
    model = "text-embedding-3-small"
    same = row(snapshot, models=[model], input_usd_per_million_tokens=Decimal("0.02"))
    (told,) = findings([same], snapshot)
    assert f"the snapshot has the same price of {model}: take it out" in told
