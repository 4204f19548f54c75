"""Usage on the wire of OpenAI's Responses: parts are within their totals, and what is no evidence is not believed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.openai_responses_usage import read_usage
from oneflow_ai.providers.openai_usage import COUNT_MOST

NO_COUNTS: tuple[Any, ...] = (None, -1, 1.0, "5", True, [], {}, COUNT_MOST + 1, float("nan"))
BASE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
PARTS = [
    ("input_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cache_write_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
]


def read(found: Any, **response: Any) -> Usage | None:
    return read_usage({"usage": found, **response})


def test_a_usage_is_read() -> None:
    found = {
        **BASE,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    assert read(found, service_tier="flex") == Usage(
        10, 5, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=2, service_tier="flex"
    )


@pytest.mark.parametrize("odd", NO_COUNTS, ids=str)
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
def test_a_total_that_is_no_count_is_no_evidence(name: str, odd: Any) -> None:
    assert read({**BASE, name: odd}) is None


@pytest.mark.parametrize("odd", NO_COUNTS[1:], ids=str)
@pytest.mark.parametrize(("group", "name"), PARTS)
def test_a_part_that_is_no_count_is_nought(group: str, name: str, odd: Any) -> None:
    usage = read({**BASE, group: {name: odd}})
    assert usage in (Usage(10, 5, odd=True), Usage(10, 5))
    assert usage == Usage(10, 5, odd=bool(odd))


@pytest.mark.parametrize("group", ["input_tokens_details", "output_tokens_details"])
@pytest.mark.parametrize("nothing", [None, [], "x", 5, {}, {"other": 1}])
def test_a_group_that_says_nothing_is_nothing(group: str, nothing: Any) -> None:
    assert read({**BASE, group: nothing}) == Usage(10, 5)


def test_a_part_is_cut_to_its_whole() -> None:
    cached = {"cached_tokens": 8, "cache_write_tokens": 3}
    assert read({**BASE, "input_tokens_details": cached}) == Usage(
        10, 5, cached_tokens=8, cache_write_tokens=2, odd=True
    )
    thought = {"reasoning_tokens": 6}
    assert read({**BASE, "output_tokens_details": thought}) == Usage(10, 5, reasoning_tokens=5, odd=True)


def test_reasoning_is_counted_once_whatever_the_total_says() -> None:
    thought = {"reasoning_tokens": 3}
    for total in (15, 18, 8, "15", None):
        usage = read({**BASE, "total_tokens": total, "output_tokens_details": thought})
        assert usage == Usage(10, 5, reasoning_tokens=3, odd=total not in (15, None))


@pytest.mark.parametrize("nothing", [None, [], "x", 5, {}, {"input_tokens": 1}, {"output_tokens": 1}])
def test_without_both_totals_there_is_no_usage(nothing: Any) -> None:
    assert read(nothing) is None


def test_an_explicit_zero_is_zero() -> None:
    assert read({"input_tokens": 0, "output_tokens": 0}) == Usage()


def test_the_providers_own_price_is_taken() -> None:
    assert read({**BASE, "cost_in_usd_ticks": 5_143_500}) == Usage(10, 5, cost_nanos=514_350)


SEARCH = {"type": "web_search_call", "action": {"type": "search"}}


@pytest.mark.parametrize(
    ("response", "searches"),
    [
        ({"output": [SEARCH, SEARCH, {"type": "message"}]}, 2),
        (
            {
                "output": [
                    {"type": "web_search_call"},
                    {**SEARCH, "action": {"type": "open_page"}},
                    {**SEARCH, "action": 5},
                ]
            },
            2,
        ),
        ({"output": [SEARCH], "tool_usage": {"web_search": {"num_requests": 4}}}, 4),
        ({"output": [SEARCH], "tool_usage": {"web_search": {"num_requests": 0}}}, 0),
        ({"output": [SEARCH], "tool_usage": {"web_search": {"num_requests": -4}}}, 1),
        ({"output": [SEARCH], "tool_usage": {"web_search": 5}}, 1),
        ({"output": [5, {"type": ["web_search_call"]}], "tool_usage": []}, 0),
        ({"output": 5}, 0),
    ],
)
def test_searches_are_counted(response: dict[str, Any], searches: int) -> None:
    assert read(BASE, **response) == Usage(10, 5, web_searches=searches)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from([*BASE, *(group for group, _ in PARTS), "cost"]), SCALARS))
def test_no_shape_is_a_fault_and_no_part_more_than_its_whole(found: dict[str, Any]) -> None:
    usage = read(found)
    if usage is not None:
        assert (usage.input_tokens, usage.output_tokens) == (found["input_tokens"], found["output_tokens"])
        assert usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens
        assert usage.reasoning_tokens <= usage.output_tokens
