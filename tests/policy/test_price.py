"""The laws of price: exact, rounded once and up, never above the quote, the provider's own word first."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.call import Task
from oneflow_ai.core.events import Usage
from oneflow_ai.core.price import UNITS, Band, Period, Price, flat_price, free, price_of, rates_of
from oneflow_ai.policy.price import IMAGE_OUTPUT_TOKENS, Bound, covers, guessed, most_of, quote, tops, used
from tests.policy.bounds import within

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
USD = 1_000_000_000  # nano-USD; as a rate: one dollar per million units
KIND_COUNTS = {  # disjoint kinds of usage, and the counts of `Usage` that one unit of each adds to
    "input": {"input_tokens": 1},
    "cached": {"input_tokens": 1, "cached_tokens": 1},
    "cache_write": {"input_tokens": 1, "cache_write_tokens": 1},
    "cache_write_1h": {"input_tokens": 1, "cache_write_tokens": 1, "cache_write_1h_tokens": 1},
    "input_audio": {"input_tokens": 1, "input_audio_tokens": 1},
    "input_image": {"input_tokens": 1, "input_image_tokens": 1},
    "output": {"output_tokens": 1},
    "reasoning": {"output_tokens": 1, "reasoning_tokens": 1},
    "output_audio": {"output_tokens": 1, "output_audio_tokens": 1},
    "output_image": {"output_tokens": 1, "output_image_tokens": 1},
    "characters": {"characters": 1},
    "images": {"images": 1},
    "web_searches": {"web_searches": 1},
    "audio_hours": {"audio_milliseconds": 1},
}

counts = st.integers(0, 2_000_000)
rate_tables = st.dictionaries(st.sampled_from(UNITS), st.integers(0, 10**13))
kind_counts = st.dictionaries(st.sampled_from(sorted(KIND_COUNTS)), counts)


def usage_of(kinds: dict[str, int]) -> Usage:
    """A usage of so many units of each disjoint kind."""
    total: dict[str, int] = {}
    for kind, count in kinds.items():
        for name, times in KIND_COUNTS[kind].items():
            total[name] = total.get(name, 0) + times * count
    return Usage(**total)  # type: ignore[arg-type]  # every name above is a count


def period(rates: dict[str, int], start: date | None = None, day_seconds: tuple[int, int] | None = None) -> Period:
    """One band of rates in whole dollars per million units."""
    return Period((Band(-1, rates_of({kind: rate * USD for kind, rate in rates.items()})),), start, day_seconds)


@st.composite
def periods(draw: st.DrawFn) -> list[Period]:
    """Up to three periods of up to three bands."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        above = sorted(draw(st.sets(st.integers(0, 1_000_000), max_size=2)))
        bands = tuple(Band(tokens, rates_of(draw(rate_tables))) for tokens in [-1, *above])
        start = draw(st.none() | st.dates(date(2026, 11, 20), date(2026, 11, 28)))
        day = draw(st.none() | st.tuples(st.integers(0, 86_399), st.integers(0, 86_399)))
        found.append(Period(bands, start, day))
    return found


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """A price with everything a price can have."""
    tiers = draw(st.dictionaries(st.sampled_from(["flex", "priority"]), periods()))
    return price_of(draw(periods()), tiers, draw(st.sampled_from([0, 10_000])))


@st.composite
def bounds_and_usages(draw: st.DrawFn) -> tuple[Bound, Usage]:
    """A bound and a sound usage within it, its parts overlapping as they like."""
    n = draw(st.integers(1, 3))
    tier = draw(st.sampled_from([None, "flex", "priority"]))
    bound = Bound(draw(counts), draw(counts), draw(counts), draw(counts), draw(counts), n, draw(counts), tier)

    def up_to(most: int) -> int:
        return draw(st.integers(0, most))

    inputs, outputs = up_to(bound.input_tokens), up_to(bound.output_tokens * n)
    cached = up_to(inputs)
    written = up_to(inputs - cached)
    heard, spoken = up_to(inputs), up_to(outputs)
    usage = Usage(
        input_tokens=inputs,
        output_tokens=outputs,
        cached_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=up_to(written),
        reasoning_tokens=up_to(outputs),
        input_audio_tokens=heard,
        output_audio_tokens=spoken,
        input_image_tokens=up_to(inputs - heard),
        output_image_tokens=up_to(outputs - spoken),
        characters=up_to(bound.characters),
        images=up_to(bound.images * n),
        audio_milliseconds=up_to(bound.audio_milliseconds),
        web_searches=up_to(bound.web_searches),
        service_tier=draw(st.sampled_from([None, "default", tier] if tier else [None, "default", "flex", "priority"])),
    )
    return bound, usage


@given(prices(), bounds_and_usages(), st.timedeltas(timedelta(-5), timedelta(5)))
def test_an_answer_within_the_bound_never_costs_more_than_the_quote(
    price: Price, pair: tuple[Bound, Usage], shift: timedelta
) -> None:
    bound, usage = pair
    assert within(usage, bound)
    assert 0 <= used(price, usage, AT + shift) <= quote(price, bound, AT + shift)


@given(rate_tables, kind_counts)
def test_the_exact_sum_of_the_products_is_rounded_once_and_up(table: dict[str, int], kinds: dict[str, int]) -> None:
    kinds |= {"input": kinds.get("input", 0) + 1}
    rates = rates_of(table)
    exact = Fraction(rates.requests)
    for kind, count in kinds.items():
        exact += Fraction(getattr(rates, kind) * count, 3_600_000 if kind == "audio_hours" else 1)
    assert used(flat_price(table), usage_of(kinds), AT) == math.ceil(exact / 10**6)


@given(rate_tables, kind_counts, st.sampled_from(sorted(KIND_COUNTS)))
def test_more_usage_never_costs_less(table: dict[str, int], kinds: dict[str, int], more: str) -> None:
    kinds |= {"input": kinds.get("input", 0) + 1}
    less = used(flat_price(table), usage_of(kinds), AT)
    assert used(flat_price(table), usage_of(kinds | {more: kinds.get(more, 0) + 1_000}), AT) >= less


@given(rate_tables, kind_counts, kind_counts)
def test_two_answers_cost_at_least_what_one_with_both_usages_does(
    table: dict[str, int], one: dict[str, int], other: dict[str, int]
) -> None:
    one, other = one | {"input": 1}, other | {"input": 1}
    both = {kind: one.get(kind, 0) + other.get(kind, 0) for kind in one | other}
    price = flat_price(table)
    assert used(price, usage_of(both), AT) <= used(price, usage_of(one), AT) + used(price, usage_of(other), AT)


@pytest.mark.parametrize(
    ("usage", "nanos"),
    [
        (Usage(input_tokens=1), 3_000),
        (Usage(input_tokens=1, output_tokens=1), 18_000),
        (Usage(input_tokens=10, cached_tokens=10), 3_000),
        (Usage(input_tokens=10, cache_write_tokens=10, cache_write_1h_tokens=4), 6 * 3_750 + 4 * 6_000),
        (Usage(input_tokens=10, input_audio_tokens=4), 30_000),  # no price of its own: as text
        (Usage(output_tokens=10, reasoning_tokens=4), 150_000),  # reasoning is part of the output
        (Usage(web_searches=2), 20_000_000),
        (Usage(), 0),
    ],
)
def test_each_kind_has_its_price_or_that_of_its_kin(usage: Usage, nanos: int) -> None:
    table = {"input": 3 * USD, "output": 15 * USD, "cached": 3 * USD // 10, "cache_write": 3_750_000_000}
    table |= {"cache_write_1h": 6 * USD, "web_searches": 10_000 * USD}
    assert used(flat_price(table), usage, AT) == nanos


@pytest.mark.parametrize(
    ("usage", "nanos"),
    [
        (Usage(input_tokens=10, cached_tokens=8, input_audio_tokens=6), 4 * 1_000 + 4 * 2_000 + 2 * 32_000),
        (Usage(input_tokens=10, cached_tokens=8, input_image_tokens=6), 4 * 1_000 + 4 * 3_000 + 2 * 64_000),
        (
            Usage(input_tokens=10, cached_tokens=9, input_audio_tokens=5, input_image_tokens=5),
            5 * 2_000 + 4 * 3_000 + 1 * 64_000,
        ),
    ],
)
def test_what_is_both_cached_and_sound_or_picture_is_paid_as_that_once(usage: Usage, nanos: int) -> None:
    table = {"input": 4 * USD, "cached": USD, "input_audio": 32 * USD, "cached_audio": 2 * USD}
    price = flat_price(table | {"input_image": 64 * USD, "cached_image": 3 * USD})
    assert used(price, usage, AT) == nanos


def test_reasoning_is_what_is_neither_heard_nor_seen() -> None:
    price = flat_price({"output": 2 * USD, "reasoning": 5 * USD, "output_audio": 9 * USD})
    usage = Usage(output_tokens=10, output_audio_tokens=8, reasoning_tokens=5)
    assert used(price, usage, AT) == 2 * 5_000 + 8 * 9_000


@pytest.mark.parametrize("cost_nanos", [0, 7, 10**12])
def test_the_providers_own_word_comes_first(cost_nanos: int) -> None:
    assert used(flat_price({"input": USD}), Usage(input_tokens=1000, cost_nanos=cost_nanos), AT) == cost_nanos


@pytest.mark.parametrize(
    ("input_tokens", "nanos"), [(200_000, 200_000 * 1_000), (200_001, 200_001 * 2_000), (900_000, 900_000 * 4_000)]
)
def test_a_band_is_for_every_token_of_a_call_above_its_threshold(input_tokens: int, nanos: int) -> None:
    steps = [(-1, USD), (200_000, 2 * USD), (500_000, 4 * USD)]
    price = price_of([Period(tuple(Band(above, rates_of({"input": rate})) for above, rate in steps))])
    assert used(price, Usage(input_tokens=input_tokens), AT) == nanos


@pytest.mark.parametrize(
    ("at", "nanos"),
    [
        (datetime(2026, 11, 19, 23, 59, 59, tzinfo=UTC), 1_000),
        (datetime(2026, 11, 20, tzinfo=UTC), 2_000),
        (datetime(2026, 11, 20, 1, tzinfo=timezone(timedelta(hours=2))), 1_000),  # still the 19th in UTC
        (datetime(2026, 11, 21, 23, tzinfo=UTC), 3_000),
        (datetime(2026, 11, 21, 3, 59, 59, tzinfo=UTC), 3_000),
        (datetime(2026, 11, 21, 4, tzinfo=UTC), 2_000),
    ],
)
def test_the_last_period_that_holds_at_the_calls_time_counts(at: datetime, nanos: int) -> None:
    night = period({"input": 3}, date(2026, 11, 21), (22 * 3600, 4 * 3600))
    price = price_of([period({"input": 1}), period({"input": 2}, date(2026, 11, 20)), night])
    assert used(price, Usage(input_tokens=1), at) == nanos


@pytest.mark.parametrize(
    ("tier", "nanos"), [(None, 2_000), ("default", 2_000), ("flex", 1_000), ("priority", 4_000), ("unheard of", 2_000)]
)
def test_the_service_tier_that_ran_has_its_price(tier: str | None, nanos: int) -> None:
    price = _tiered()
    assert used(price, Usage(input_tokens=1, service_tier=tier), AT) == nanos


@pytest.mark.parametrize(("tier", "nanos"), [(None, 4_000), ("default", 2_000), ("flex", 2_000), ("priority", 4_000)])
def test_a_quote_is_for_the_dearest_tier_that_may_run(tier: str | None, nanos: int) -> None:
    assert quote(_tiered(), Bound(input_tokens=1, service_tier=tier), AT) == nanos


def _tiered() -> Price:
    tiers = {"flex": 1, "priority": 4, "fast": 4}
    return price_of([period({"input": 2})], {name: [period({"input": rate})] for name, rate in tiers.items()})


EARLY, NIGHT = (3600, 4 * 3600), (22 * 3600, 4 * 3600)
FLAT = [period({"output": 1})]


@pytest.mark.parametrize(
    ("standard", "tier", "at"),
    [
        (FLAT, [period({"output": 1, "output_image": 3})], AT),
        (FLAT, [period({"output": 3}), period({"output": 1}, date(2026, 11, 25))], AT),
        (FLAT, [period({"output": 1}), period({"output": 3}, date(2026, 11, 24))], AT),
        (FLAT, [period({"output": 1}), period({"output": 3}, None, EARLY)], AT.replace(hour=2)),
        ([period({"output": 3}), period({"output": 1}, None, NIGHT)], [period({"output": 2})], AT.replace(hour=23)),
    ],
)
def test_a_tier_that_is_dearer_at_some_time_or_for_some_kind_is_in_the_quote(
    standard: list[Period], tier: list[Period], at: datetime
) -> None:
    price = price_of(standard, {"fast": tier})
    usage = Usage(output_tokens=1, output_image_tokens=1, service_tier="fast")
    assert used(price, usage, at) == quote(price, Bound(output_tokens=1), at) > 1_000


@pytest.mark.parametrize(
    ("above_dollars", "input_tokens", "nanos"),
    [(4, 200_000, 200_000 * 2_000), (4, 200_001, 200_001 * 4_000), (1, 200_001, 200_001 * 2_000)],
)
def test_a_quote_looks_at_every_band_that_can_be_reached(above_dollars: int, input_tokens: int, nanos: int) -> None:
    bands = (Band(-1, rates_of({"input": 2 * USD})), Band(200_000, rates_of({"input": above_dollars * USD})))
    assert quote(price_of([Period(bands)]), Bound(input_tokens=input_tokens), AT) == nanos


@pytest.mark.parametrize(
    ("bound", "nanos"),
    [
        (Bound(input_tokens=10), 10 * 6_000),  # all of it may be written to the cache
        (Bound(output_tokens=10, n=3), 30 * 15_000),
        (Bound(images=2, n=2), 4 * 40_000_000),
        (Bound(web_searches=1), 10_000_000),
    ],
)
def test_a_quote_takes_the_dearest_that_may_happen(bound: Bound, nanos: int) -> None:
    table = {"input": 3 * USD, "output": 15 * USD, "cache_write_1h": 6 * USD, "web_searches": 10_000 * USD}
    assert quote(flat_price(table | {"images": 40_000 * USD}), bound, AT) == nanos


def test_a_prompt_known_to_be_text_is_not_quoted_as_sound() -> None:
    price = flat_price({"input": USD, "input_audio": 32 * USD, "output": USD, "output_audio": 64 * USD})
    assert quote(price, Bound(input_tokens=1, output_tokens=1), AT) == 96_000
    assert quote(price, Bound(input_tokens=1, output_tokens=1, text_only=True), AT) == 2_000
    cached_long = flat_price({"input": USD, "cache_write_1h": 2 * USD, "input_audio": 32 * USD})
    assert quote(cached_long, Bound(input_tokens=1, text_only=True), AT) == 2_000


@pytest.mark.parametrize(
    ("milliseconds", "nanos"), [(0, 0), (1, 1_000_000), (10_000, 1_000_000), (3_600_000, 360_000_000)]
)
def test_sound_is_billed_by_its_length_and_at_least_the_shortest(milliseconds: int, nanos: int) -> None:
    band = Band(-1, rates_of({"audio_hours": 360_000 * USD}))
    price = price_of([Period((band,))], audio_least_milliseconds=10_000)
    assert used(price, Usage(audio_milliseconds=milliseconds), AT) == nanos


@pytest.mark.parametrize(
    ("usage", "nanos"),
    [
        (Usage(characters=1), 2_000 + 2 * 20_000),
        (Usage(images=1), IMAGE_OUTPUT_TOKENS * 20_000),
        (Usage(audio_milliseconds=1000), 32 * 2_000 + 5 * 10_000),
        (Usage(characters=1, input_tokens=1), 2_000),  # tokens were counted: they are the measure
    ],
)
def test_a_measure_without_price_is_paid_as_the_tokens_it_may_be_never_as_nothing(usage: Usage, nanos: int) -> None:
    price = flat_price({"input": 2 * USD, "output": 10 * USD, "output_audio": 20 * USD, "output_image": 20 * USD})
    bound = Bound(usage.input_tokens, 0, usage.images, usage.characters, usage.audio_milliseconds)
    assert used(price, usage, AT) == nanos <= quote(price, bound, AT)


@given(bounds_and_usages())
def test_free_is_nothing_for_everything(pair: tuple[Bound, Usage]) -> None:
    bound, usage = pair
    assert (used(free(), usage, AT), quote(free(), bound, AT)) == (0, 0)


def test_a_version_is_the_digest_of_the_content() -> None:
    price = flat_price({"input": USD, "output": 2 * USD})
    assert price.version == flat_price({"output": 2 * USD, "input": USD}).version
    assert price.version != flat_price({"input": USD, "output": 2 * USD + 1}).version
    assert (len(price.version), price.input, price.output) == (12, USD, 2 * USD)


@pytest.mark.parametrize(
    ("table", "message"), [({"input": -1}, "input has a negative price"), ({"tokens": 1}, "tokens is no kind of usage")]
)
def test_a_rate_that_cannot_be_is_refused(table: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rates_of(table)


@pytest.mark.parametrize("found", [[], [Period(())], [Period((Band(0, rates_of({})),))]])
def test_a_price_without_a_band_for_every_call_is_refused(found: list[Period]) -> None:
    with pytest.raises(ValueError, match="a price has a"):
        price_of(found)


@given(prices(), st.timedeltas(timedelta(-5), timedelta(5)), counts, counts)
def test_bounds_worked_out_ahead_are_the_quote(price: Price, shift: timedelta, inputs: int, outputs: int) -> None:
    at = AT + shift
    assert most_of(tops(price, (at,)), inputs, outputs) == quote(
        price, Bound(input_tokens=inputs, output_tokens=outputs), at
    )
    later = at + timedelta(seconds=60)
    both = most_of(tops(price, (at, later)), inputs, outputs)
    assert both == max(most_of(tops(price, (when,)), inputs, outputs) for when in (at, later))


COVERED = [
    ({"characters": 1}, {Task.SPEECH}),
    ({"images": 1}, {Task.IMAGE}),
    ({"audio_hours": 1}, {Task.TRANSCRIPTION}),
    ({"web_searches": 1}, set()),
    ({"requests": 0}, set(Task)),
    ({"input": 1, "output": 1}, set(Task)),
]


@pytest.mark.parametrize(("prices", "tasks"), COVERED)
def test_a_price_covers_what_it_tells_the_cost_of(prices: dict[str, int], tasks: set[Task]) -> None:
    assert {task for task in Task if covers(flat_price(prices), task)} == tasks
    assert all(covers(free(), task) for task in Task)


GUESSED = [
    ({"input": 1, "output": 1}, Usage(images=1), True),
    ({"input": 1, "output": 1}, Usage(characters=3), True),
    ({"input": 1, "output": 1}, Usage(audio_milliseconds=5), True),
    ({"input": 1, "output": 1}, Usage(images=1, output_tokens=5), False),
    ({"input": 1, "output": 1}, Usage(images=1, cost_nanos=5), False),
    ({"images": 1}, Usage(images=1), False),
    ({"characters": 1}, Usage(characters=3), False),
    ({"input": 1, "output": 1}, Usage(), False),
]


@pytest.mark.parametrize(("prices", "usage", "told"), GUESSED)
def test_a_cost_of_tokens_that_nobody_counted_is_a_guess(prices: dict[str, int], usage: Usage, told: bool) -> None:
    assert guessed(flat_price(prices), usage) is told
