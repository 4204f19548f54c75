"""Usage on Anthropic's wire: the cache is part of the prompt, and what is no evidence is not believed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.anthropic_usage import COUNT_MOST, merged, read_usage

NO_COUNTS: tuple[Any, ...] = (None, -1, 1.0, "5", True, [], {}, COUNT_MOST + 1, float("nan"))
BASE = {"input_tokens": 10, "output_tokens": 5}


def test_the_cache_is_part_of_the_prompt() -> None:
    found = {
        **BASE,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "output_tokens_details": {"thinking_tokens": 2},
        "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1},
        "service_tier": "priority",
    }
    assert read_usage(found) == Usage(
        input_tokens=117,
        output_tokens=5,
        cached_tokens=100,
        cache_write_tokens=7,
        cache_write_1h_tokens=4,
        reasoning_tokens=2,
        web_searches=3,
        service_tier="priority",
    )


@pytest.mark.parametrize("odd", NO_COUNTS, ids=str)
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
def test_a_total_that_is_no_count_is_no_evidence(name: str, odd: Any) -> None:
    assert read_usage({**BASE, name: odd}) is None


@pytest.mark.parametrize("odd", NO_COUNTS[1:], ids=str)
@pytest.mark.parametrize("name", ["cache_creation_input_tokens", "cache_read_input_tokens"])
def test_a_part_that_is_no_count_is_odd_and_nought(name: str, odd: Any) -> None:
    assert read_usage({**BASE, name: odd}) == Usage(10, 5, odd=True)


@pytest.mark.parametrize("odd", NO_COUNTS[1:], ids=str)
@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("cache_creation", "ephemeral_1h_input_tokens"),
        ("output_tokens_details", "thinking_tokens"),
        ("server_tool_use", "web_search_requests"),
    ],
)
def test_so_is_a_part_in_a_group(group: str, name: str, odd: Any) -> None:
    assert read_usage({**BASE, group: {name: odd}}) == Usage(10, 5, odd=True)


@pytest.mark.parametrize("group", ["cache_creation", "output_tokens_details", "server_tool_use"])
@pytest.mark.parametrize("nothing", [None, [], "x", 5, {}, {"other": 1}])
def test_a_group_that_says_nothing_is_nothing(group: str, nothing: Any) -> None:
    assert read_usage({**BASE, group: nothing}) == Usage(10, 5)


def test_a_part_is_cut_to_its_whole() -> None:
    long = {**BASE, "cache_creation_input_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 3}}
    assert read_usage(long) == Usage(12, 5, cache_write_tokens=2, cache_write_1h_tokens=2, odd=True)
    thought = {**BASE, "output_tokens_details": {"thinking_tokens": 6}}
    assert read_usage(thought) == Usage(10, 5, reasoning_tokens=5, odd=True)


@pytest.mark.parametrize("nothing", [None, [], "x", 5, {}, {"input_tokens": 1}, {"output_tokens": 1}])
def test_without_both_totals_there_is_no_usage(nothing: Any) -> None:
    assert read_usage(nothing) is None


def test_a_fast_answer_has_its_own_price() -> None:
    for speed, tier in (("fast", "fast"), ("standard", "batch"), (None, "batch")):
        assert read_usage({**BASE, "service_tier": "batch", "speed": speed}) == Usage(10, 5, service_tier=tier)
    assert read_usage({**BASE, "service_tier": 5}) == Usage(10, 5)


def test_an_explicit_zero_is_zero() -> None:
    assert read_usage({"input_tokens": 0, "output_tokens": 0}) == Usage()


def test_a_stream_counts_up_and_null_says_nothing() -> None:
    start = {"input_tokens": 10, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 0}}
    assert merged(start, {"output_tokens": 9, "input_tokens": None}) == {**start, "output_tokens": 9}
    assert merged(None, None) is None
    assert merged(start, None) == merged(start, "x") == start
    assert merged(None, {"output_tokens": 2}) == {"output_tokens": 2}


COUNTS = st.integers(0, 1 << 20)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_the_parts_and_the_rest_are_the_prompt(fresh: int, written: int, read: int, outputs: int) -> None:
    usage = read_usage(
        {
            "input_tokens": fresh,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "output_tokens": outputs,
        }
    )
    assert usage is not None
    assert usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens == fresh
    assert not usage.odd
