"""The vendored snapshot is what its source says: the same bytes when rebuilt, the same price for every model."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from importlib.resources import files

import genai_prices.types as source
import pytest
from genai_prices.data import providers

from oneflow_ai.catalog.compile import row_price
from oneflow_ai.catalog.snapshot import ModelRow, exact_names, find_row, fits, read_snapshot
from oneflow_ai.core.events import Usage
from oneflow_ai.core.price import UNITS, Price
from oneflow_ai.policy.price import Bound, quote, used
from tests.policy.bounds import within
from tools import build_prices

CONTENT = (files("oneflow_ai.catalog") / "prices.json").read_bytes()
SNAPSHOT = read_snapshot(CONTENT)
PROVIDERS = {provider.id: provider for provider in providers}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# What the engine cannot count: pages, video made, citations, messages. A model sold by these has no price here.
FOREIGN_KINDS = {
    "input_document_kpages",
    "input_annotated_document_kpages",
    "output_video_mtok",
    "output_citation_mtok",
    "input_text_messages_kcount",
}


def test_rebuilding_gives_the_committed_bytes() -> None:
    assert build_prices.build() == CONTENT, "run `python -m tools.build_prices`"


def test_the_header_holds_the_digest_of_the_rows() -> None:
    rows = json.dumps(json.loads(CONTENT)["providers"], ensure_ascii=False, separators=(",", ":"))
    assert SNAPSHOT.header.sha256 == sha256(rows.encode()).hexdigest()
    assert SNAPSHOT.header.source == "genai-prices"


def test_every_provider_and_model_is_in_it() -> None:
    assert {name: [row.id for row in rows.models] for name, rows in SNAPSHOT.providers.items()} == {
        provider.id: [model.id for model in provider.models] for provider in providers
    }


def test_a_model_is_unpriced_only_without_price_or_for_kinds_that_no_answer_counts() -> None:
    for _, model, row in _pairs():
        kinds = {key for price in _standard_prices(model) for key, value in price.__dict__.items() if value is not None}
        unpriced = row_price(row, tiers=True) is None
        foreign = bool(kinds & FOREIGN_KINDS)
        nameless_free = not kinds and not model.id.endswith(":free")
        assert unpriced == (foreign or nameless_free), row.id


def test_every_model_costs_what_its_source_says() -> None:
    compared = priced = 0
    for provider, model, row in _pairs():
        price = row_price(row, tiers=True)
        priced += price is not None
        for tier, context in _contexts(model) if price is not None else ():
            assert price is not None
            for at in _moments(model):
                for usage in _usages(price, tier):
                    _assert_equal(provider, model, price, usage, at, context)
                    compared += 1
    assert compared > 3 * priced > 6_000


def test_no_rate_is_negative_and_no_answer_costs_more_than_its_quote() -> None:
    for _, _, row in _pairs():
        price = row_price(row, tiers=True)
        if price is None:
            continue
        schedules = [price.periods, *(found for _, found in price.tiers)]
        bands = [band for periods in schedules for period in periods for band in period.bands]
        assert all(getattr(band.rates, kind) >= 0 for band in bands for kind in UNITS), row.id
        bound = Bound(300_000, 2_000, 1, 5_000, 60_000, 1, 3)
        for tier, _ in price.tiers or [(None, ())]:
            for usage in _usages(price, tier):
                if within(usage, bound):
                    assert used(price, usage, NOON) <= quote(price, bound, NOON), row.id


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_a_name_means_the_same_model_as_in_the_source(provider: str) -> None:
    rows = SNAPSHOT.providers[provider].models
    names = [*(name for row in rows for name in exact_names(row)), *(row.id for row in rows)]
    sample = [
        *names[:: max(1, len(names) // 40)],
        "gpt-4o-2024-11-20",
        "gpt-5.2-20251211",
        "claude-x",
        "",
        "whisper-99999999",
    ]
    for name in sample:
        expected = PROVIDERS[provider].find_model(name, all_providers=providers)
        found = find_row(SNAPSHOT.providers, provider, name)
        assert (found and found[0].id) == (expected and expected.id), name
        own = expected is not None and any(expected is model for model in PROVIDERS[provider].models)
        assert found is None or found[1] == own, name


def test_an_unknown_provider_has_no_rows() -> None:
    assert find_row(SNAPSHOT.providers, "nobody", "gpt-4o") is None


@pytest.mark.parametrize(
    ("clause", "name", "fit"),
    [
        ("=gpt-4o", "gpt-4o", True),
        ("=Qwen/Qwen3", "qwen/qwen3", True),
        ("=gpt-4o", "gpt-4o-mini", False),
        ("^gpt", "gpt-4o", True),
        ("$mini", "gpt-4o-mini", True),
        ("*4o", "gpt-4o-mini", True),
        ("~^o\\d$", "o3", True),
        (["=a", "=b"], "b", True),
        (["&", "^a", "$b"], "acb", True),
        (["&", "^a", "$b"], "ac", False),
        ([], "a", False),
    ],
)
def test_a_clause_fits_or_does_not(clause: str | list[str], name: str, fit: bool) -> None:
    assert fits(clause, name) is fit


def _pairs() -> Iterator[tuple[source.Provider, source.ModelInfo, ModelRow]]:
    for provider in providers:
        for model, row in zip(provider.models, SNAPSHOT.providers[provider.id].models, strict=True):
            yield provider, model, row


def _standard_prices(model: source.ModelInfo) -> list[source.ModelPrice]:
    return [model.prices] if isinstance(model.prices, source.ModelPrice) else [found.prices for found in model.prices]


def _contexts(model: source.ModelInfo) -> list[tuple[str | None, dict[str, str] | None]]:
    found: list[tuple[str | None, dict[str, str] | None]] = [(None, None)]
    for variant in model.price_variants or ():
        [(key, value)] = variant.when.items()
        if key in build_prices.TIER_CONTEXTS and (value, variant.when) not in found:
            found.append((value, variant.when))
    return found


def _moments(model: source.ModelInfo) -> list[datetime]:
    """Noon today, and both sides of each day and hour at which the price of the model or of a variant changes."""
    found = {NOON}
    dated = [*(model.price_variants or ()), *(model.prices if isinstance(model.prices, list) else ())]
    for constraint in (part.constraint for part in dated):
        if isinstance(constraint, source.StartDateConstraint):
            start = datetime.combine(constraint.start_date, datetime.min.time(), UTC)
            found |= {start, start - timedelta(seconds=1)}
        elif isinstance(constraint, source.TimeOfDateConstraint):
            for time in (constraint.start_time, constraint.end_time):
                edge = datetime.combine(date(2026, 11, 24), time)
                found |= {edge, edge - timedelta(seconds=1)}
    return sorted(found)


def _usages(price: Price, tier: str | None) -> list[Usage]:
    """Every kind at once, on both sides of each threshold; or what a model without token prices counts."""
    schedules = [price.periods, *(found for _, found in price.tiers)]
    thresholds = {band.above_tokens for periods in schedules for period in periods for band in period.bands} - {-1}
    sizes = {10_007, *thresholds, *(threshold + 1 for threshold in thresholds)}
    tokens = [
        Usage(
            input_tokens=size,
            output_tokens=1_009,
            cached_tokens=2_003,
            cache_write_tokens=1_013,
            cache_write_1h_tokens=211,
            reasoning_tokens=307,
            input_audio_tokens=401,
            output_audio_tokens=101,
            input_image_tokens=503,
            output_image_tokens=97,
            web_searches=2,
            service_tier=tier,
        )
        for size in sorted(sizes)
    ]
    measures = [Usage(characters=4_001, service_tier=tier)] if price.periods[0].bands[0].rates.characters else []
    if price.periods[0].bands[0].rates.audio_hours:
        measures += [Usage(audio_milliseconds=length, service_tier=tier) for length in (3_000, 60_007)]
    return [*tokens, Usage(input_tokens=1, output_tokens=1, service_tier=tier), *measures]


def _assert_equal(
    provider: source.Provider,
    model: source.ModelInfo,
    price: Price,
    usage: Usage,
    at: datetime,
    context: dict[str, str] | None,
) -> None:
    seconds = Decimal(usage.audio_milliseconds) / 1000
    counted = source.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        input_image_tokens=usage.input_image_tokens,
        output_image_tokens=usage.output_image_tokens,
        cache_audio_read_tokens=0,
        cache_image_read_tokens=0,
        input_video_tokens=0,
        input_characters=usage.characters,
        audio_seconds=seconds,
        input_audio_seconds=seconds,
        web_searches=usage.web_searches,
    )
    theirs = model.calc_price(counted, provider, genai_request_timestamp=at, price_context=context)
    nanos = math.ceil(theirs.total_price * 1_000_000_000)
    ours = used(price, usage, at)
    # A price finer than a nano-dollar per million is rounded up in the snapshot: that may be one nano.
    assert nanos <= ours <= nanos + 1, (provider.id, model.id, usage, at, context)
