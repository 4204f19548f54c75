"""Usage is believed as far as it is sound; what is odd is said (F39), and a prompt's size has a bound."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Usage
from oneflow_ai.policy.price import Bound
from oneflow_ai.policy.usage import COUNT_MOST, checked, input_tokens_bound, within

BOUND = Bound(input_tokens=100, output_tokens=50, n=2)
SOUND = Usage(input_tokens=40, output_tokens=20)


def odd(**counts: Any) -> Usage:
    """What a careless adapter might let through: the types do not hold it back."""
    return replace(SOUND, **counts)


@pytest.mark.parametrize(
    "usage",
    [
        SOUND,
        Usage(),  # explicit zero is zero
        replace(SOUND, cached_tokens=30, cache_write_tokens=10, cache_write_1h_tokens=10),
        replace(SOUND, cached_tokens=40, input_audio_tokens=40),  # sound that came from the cache
        replace(SOUND, reasoning_tokens=20),
        replace(SOUND, output_tokens=100),
        replace(SOUND, cost_nanos=0, service_tier="flex"),
        replace(SOUND, source="estimated"),
    ],
)
def test_a_sound_usage_is_left_as_it_is(usage: Usage) -> None:
    assert checked(usage, BOUND) == (usage, False)


@pytest.mark.parametrize("count", [-1, 1.0, "7", None, True, COUNT_MOST + 1, float("nan")])
def test_a_count_that_is_no_count_is_no_evidence(count: Any) -> None:
    estimate = Usage(input_tokens=33, output_tokens=11)
    believed, was_odd = checked(odd(output_tokens=count, reasoning_tokens=30), BOUND, estimate)
    assert was_odd
    assert (believed.input_tokens, believed.output_tokens, believed.reasoning_tokens) == (40, 11, 11)
    assert (believed.source, believed.odd) == ("estimated", True)


def test_without_an_estimate_the_bound_stands_in() -> None:
    believed, was_odd = checked(odd(input_tokens=-5, output_tokens="many"), BOUND)
    assert (believed.input_tokens, believed.output_tokens, was_odd) == (100, 100, True)


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({"cached_tokens": 41}, {"cached_tokens": 40}),
        ({"cached_tokens": 30, "cache_write_tokens": 20}, {"cache_write_tokens": 10}),
        ({"cache_write_tokens": 5, "cache_write_1h_tokens": 6}, {"cache_write_1h_tokens": 5}),
        ({"input_audio_tokens": 39, "input_image_tokens": 2}, {"input_image_tokens": 1}),
        ({"reasoning_tokens": 21}, {"reasoning_tokens": 20}),
        ({"output_audio_tokens": 15, "output_image_tokens": 15}, {"output_image_tokens": 5}),
        ({"cached_tokens": -3}, {"cached_tokens": 0}),
        ({"reasoning_tokens": 2.5}, {"reasoning_tokens": 0}),
    ],
)
def test_parts_are_cut_to_their_whole(counts: dict[str, Any], kept: dict[str, int]) -> None:
    believed, was_odd = checked(odd(**counts), BOUND)
    assert was_odd
    assert believed == odd(**counts | kept, source="capped", odd=True)


@pytest.mark.parametrize("cost", [-1, 0.5, "1", COUNT_MOST + 1, True])
def test_a_cost_that_is_no_cost_is_not_taken(cost: Any) -> None:
    believed, was_odd = checked(odd(cost_nanos=cost), BOUND)
    assert (believed.cost_nanos, was_odd) == (None, True)


def test_a_service_tier_that_is_no_text_is_not_taken() -> None:
    believed, was_odd = checked(odd(service_tier=7), BOUND)
    assert (believed.service_tier, was_odd) == (None, True)


@pytest.mark.parametrize("counts", [{"input_tokens": 101}, {"output_tokens": 101}, {"images": 1}, {"web_searches": 1}])
def test_more_than_the_bound_is_kept_for_the_ledger_to_cap_but_odd(counts: dict[str, int]) -> None:
    usage = odd(**counts)
    assert checked(usage, BOUND) == (replace(usage, odd=True), True)


def test_what_the_adapter_found_odd_stays_odd() -> None:
    usage = replace(SOUND, odd=True)
    assert checked(usage, BOUND) == (usage, True)


@pytest.mark.parametrize(
    ("usage", "bound", "inside"),
    [
        (SOUND, BOUND, True),
        (replace(SOUND, service_tier="priority"), BOUND, True),  # nobody asked for one: any may run
        (replace(SOUND, service_tier="priority"), replace(BOUND, service_tier="flex"), False),
        (replace(SOUND, service_tier="default"), replace(BOUND, service_tier="flex"), True),
        (replace(SOUND, input_audio_tokens=1), replace(BOUND, text_only=True), False),
    ],
)
def test_a_bound_limits_tiers_and_kinds_too(usage: Usage, bound: Bound, inside: bool) -> None:
    assert within(usage, bound) is inside


junk = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(), st.text(max_size=3))


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in fields(Usage) if field.name.endswith("tokens")]),
        junk | st.integers(0, 100),
    )
)
def test_whatever_comes_in_what_comes_out_is_sound(counts: dict[str, Any]) -> None:
    believed, _ = checked(odd(**counts), BOUND)
    again, _ = checked(believed, BOUND)
    assert again == believed
    assert believed.cached_tokens + believed.cache_write_tokens <= believed.input_tokens <= COUNT_MOST
    assert believed.reasoning_tokens <= believed.output_tokens <= COUNT_MOST


@pytest.mark.parametrize(
    ("arguments", "tokens"),
    [
        ({"prompt_bytes": 0}, 0),
        ({"prompt_bytes": 100}, 100),  # no more tokens than bytes
        ({"prompt_bytes": 4_000}, 1_556),
        ({"prompt_bytes": 4_001}, 1_558),  # 1,001 tokens, three tenths more, rounded up
        ({"prompt_bytes": 4_000, "wide_bytes": 4_000}, 2_856),
        ({"prompt_bytes": 0, "images": 2, "image_tokens": 1_000, "other_tokens": 5}, 2_005),
    ],
)
def test_a_prompt_is_bounded_by_its_estimate_or_its_bytes(arguments: dict[str, int], tokens: int) -> None:
    assert input_tokens_bound(**arguments) == tokens
