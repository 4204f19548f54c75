"""Usage of Bedrock's is believed exactly: the cache's tokens are added once, and what cannot be is no evidence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.bedrock_usage import COUNT_MOST, read_usage

MISSING = object()
READ, WRITE = "cacheReadInputTokens", "cacheWriteInputTokens"


def usage(inputs: Any = 100, outputs: Any = 40, total: Any = MISSING, **more: Any) -> dict[str, Any]:
    names = {"inputTokens": inputs, "outputTokens": outputs, "totalTokens": total, **more}
    return {name: value for name, value in names.items() if value is not MISSING}


def hours(*counts: Any) -> list[Any]:
    return [{"ttl": "1h", "inputTokens": count} for count in counts]


SOUND = {"input_tokens": 100, "output_tokens": 40}
ODD = {**SOUND, "odd": True}
CACHED = {"input_tokens": 170, "output_tokens": 40, "cached_tokens": 50, "cache_write_tokens": 20}
SHAPES: dict[str, tuple[Any, dict[str, Any] | None]] = {
    # nothing
    "null": (None, None),
    "a list": ([], None),
    "a text": ("100", None),
    "a number": (100, None),
    "empty": ({}, None),
    "other names": ({"input_tokens": 1, "output_tokens": 1}, None),
    # counts
    "sound": (usage(), SOUND),
    "sound with total": (usage(total=140), SOUND),
    "explicit zero": (usage(0, 0, 0), {"input_tokens": 0, "output_tokens": 0}),
    "largest": (usage(COUNT_MOST, 0), {"input_tokens": COUNT_MOST, "output_tokens": 0}),
    "inputs missing": (usage(MISSING), None),
    "inputs null": (usage(None), None),
    "outputs missing": (usage(outputs=MISSING), None),
    "outputs null": (usage(outputs=None), None),
    "negative": (usage(-1), None),
    "negative output": (usage(outputs=-1), None),
    "fraction": (usage(100.5), None),
    "float": (usage(100.0), None),
    "text": (usage("100"), None),
    "bool": (usage(True), None),
    "a list of one": (usage([100]), None),
    "too large": (usage(COUNT_MOST + 1), None),
    # the total
    "total null": (usage(total=None), SOUND),
    "total is not the sum": (usage(total=141), ODD),
    "total zero": (usage(total=0), ODD),
    "total is a text": (usage(total="140"), ODD),
    # the cache
    "read": (usage(total=190, **{READ: 50}), {"input_tokens": 150, "output_tokens": 40, "cached_tokens": 50}),
    "written": (usage(total=160, **{WRITE: 20}), {"input_tokens": 120, "output_tokens": 40, "cache_write_tokens": 20}),
    "both": (usage(total=210, **{READ: 50, WRITE: 20}), CACHED),
    "both, without total": (usage(**{READ: 50, WRITE: 20}), CACHED),
    "both, not in the total": (usage(total=140, **{READ: 50, WRITE: 20}), {**CACHED, "odd": True}),
    "noughts": (usage(total=140, **{READ: 0, WRITE: 0}), SOUND),
    "nulls": (usage(total=140, **{READ: None, WRITE: None}), SOUND),
    "read negative": (usage(**{READ: -1}), ODD),
    "written is a text": (usage(**{WRITE: "5"}), ODD),
    "read is a float": (usage(**{READ: 5.0}), ODD),
    "an hour": (
        usage(total=160, cacheDetails=hours(15), **{WRITE: 20}),
        {"input_tokens": 120, "output_tokens": 40, "cache_write_tokens": 20, "cache_write_1h_tokens": 15},
    ),
    "more hours than were written": (
        usage(cacheDetails=hours(15, 15), **{WRITE: 20}),
        {
            "input_tokens": 120, "output_tokens": 40, "cache_write_tokens": 20, "cache_write_1h_tokens": 20, "odd": True
        },
    ),
    "an hour of a text": (usage(cacheDetails=hours("x")), ODD),
    "details are a text": (usage(cacheDetails="x"), SOUND),
    "details of nothing": (usage(cacheDetails=[None, 5, {}, {"ttl": "5m", "inputTokens": 5}]), SOUND),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_an_odd_usage(name: str) -> None:
    found, expected = SHAPES[name]
    assert read_usage(found) == (None if expected is None else Usage(**expected))


def test_there_are_enough_odd_ones() -> None:
    assert len(SHAPES) >= 40


def test_an_input_that_is_counted_whole_is_not_counted_twice() -> None:
    found = usage(4_995, 19, 10_007, **{READ: 0, WRITE: 4_993})
    assert read_usage(found, whole_input=True) == Usage(4_995, 19, cache_write_tokens=4_993)
    assert read_usage(usage(2, 19, 5_014, **{WRITE: 4_993}), whole_input=True) == Usage(
        4_995, 19, cache_write_tokens=4_993
    )


@pytest.mark.parametrize(
    ("tier", "expected"), [({"type": "flex"}, "flex"), ({}, None), ("flex", None), ({"type": 5}, None), (None, None)]
)
def test_the_tier(tier: Any, expected: str | None) -> None:
    assert read_usage(usage(), tier) == Usage(100, 40, service_tier=expected)


_ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
_FIELDS = ("inputTokens", "outputTokens", "totalTokens", READ, WRITE, "cacheDetails")


@given(st.dictionaries(st.sampled_from(_FIELDS), _ANYTHING | st.integers(0, 100)), st.booleans())
def test_parts_never_exceed_their_wholes(found: dict[str, Any], whole_input: bool) -> None:
    usage = read_usage(found, whole_input=whole_input)
    if usage is not None:
        assert usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens
        assert 0 <= usage.cache_write_1h_tokens <= usage.cache_write_tokens
