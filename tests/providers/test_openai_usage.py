"""Usage is believed exactly: zero is zero, nothing is nothing, and what cannot be is no evidence (F38, F39)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.openai_usage import COUNT_MOST, read_usage

MISSING = object()
PROMPT, COMPLETION = "prompt_tokens_details", "completion_tokens_details"


def usage(prompt: Any = 100, completion: Any = 40, total: Any = MISSING, **more: Any) -> dict[str, Any]:
    found = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}
    return {name: value for name, value in found.items() if value is not MISSING}


SOUND = {"input_tokens": 100, "output_tokens": 40}
NO_EVIDENCE = None
SHAPES: dict[str, tuple[Any, dict[str, Any] | None]] = {
    # nothing
    "missing": (MISSING, NO_EVIDENCE),
    "null": (None, NO_EVIDENCE),
    "a list": ([], NO_EVIDENCE),
    "a text": ("100", NO_EVIDENCE),
    "a number": (100, NO_EVIDENCE),
    "empty": ({}, NO_EVIDENCE),
    "other names": ({"input_tokens": 1, "output_tokens": 1}, NO_EVIDENCE),
    # counts
    "sound": (usage(), SOUND),
    "sound with total": (usage(total=140), SOUND),
    "explicit zero": (usage(0, 0, 0), {"input_tokens": 0, "output_tokens": 0}),
    "no output": (usage(100, 0, 100), {"input_tokens": 100, "output_tokens": 0}),
    "largest": (usage(COUNT_MOST, 0), {"input_tokens": COUNT_MOST, "output_tokens": 0}),
    "prompt null": (usage(None), NO_EVIDENCE),
    "prompt missing": (usage(MISSING), NO_EVIDENCE),
    "completion null": (usage(completion=None), NO_EVIDENCE),
    "completion missing": (usage(completion=MISSING), NO_EVIDENCE),
    "negative": (usage(-1), NO_EVIDENCE),
    "negative output": (usage(completion=-1), NO_EVIDENCE),
    "fraction": (usage(100.5), NO_EVIDENCE),
    "float": (usage(100.0), NO_EVIDENCE),
    "text": (usage("100"), NO_EVIDENCE),
    "bool": (usage(True), NO_EVIDENCE),
    "list": (usage([100]), NO_EVIDENCE),
    "too large": (usage(COUNT_MOST + 1), NO_EVIDENCE),
    # the total
    "total null": (usage(total=None), SOUND),
    "total is not the sum": (usage(total=141), {**SOUND, "odd": True}),
    "total zero": (usage(total=0), {**SOUND, "odd": True}),
    "total is a text": (usage(total="140"), {**SOUND, "odd": True}),
    "total is a float": (usage(total=140.0), {**SOUND, "odd": True}),
    # parts
    "details null": (usage(**{PROMPT: None, COMPLETION: None}), SOUND),
    "details are a list": (usage(**{PROMPT: [], COMPLETION: 5}), SOUND),
    "parts null": (usage(**{PROMPT: {"cached_tokens": None}, COMPLETION: {"reasoning_tokens": None}}), SOUND),
    "parts zero": (usage(**{PROMPT: {"cached_tokens": 0}, COMPLETION: {"reasoning_tokens": 0}}), SOUND),
    "cached": (usage(**{PROMPT: {"cached_tokens": 100}}), {**SOUND, "cached_tokens": 100}),
    "cached above the prompt": (
        usage(**{PROMPT: {"cached_tokens": 101}}),
        {**SOUND, "cached_tokens": 100, "odd": True},
    ),
    "cached negative": (usage(**{PROMPT: {"cached_tokens": -1}}), {**SOUND, "odd": True}),
    "cached a text": (usage(**{PROMPT: {"cached_tokens": "9"}}), {**SOUND, "odd": True}),
    "cached a float": (usage(**{PROMPT: {"cached_tokens": 9.5}}), {**SOUND, "odd": True}),
    "cached as DeepSeek names it": (usage(prompt_cache_hit_tokens=64), {**SOUND, "cached_tokens": 64}),
    "cached null, as DeepSeek names it": (
        usage(**{PROMPT: {"cached_tokens": None}}, prompt_cache_hit_tokens=64),
        {**SOUND, "cached_tokens": 64},
    ),
    "cached read and written": (
        usage(**{PROMPT: {"cached_tokens": 60, "cache_write_tokens": 40}}),
        {**SOUND, "cached_tokens": 60, "cache_write_tokens": 40},
    ),
    "cached read and written above the prompt": (
        usage(**{PROMPT: {"cached_tokens": 60, "cache_write_tokens": 41}}),
        {**SOUND, "cached_tokens": 60, "cache_write_tokens": 40, "odd": True},
    ),
    "sound and pictures": (
        usage(**{PROMPT: {"audio_tokens": 30, "image_tokens": 70}, COMPLETION: {"audio_tokens": 40}}),
        {**SOUND, "input_audio_tokens": 30, "input_image_tokens": 70, "output_audio_tokens": 40},
    ),
    "pictures above what sound left": (
        usage(**{PROMPT: {"audio_tokens": 30, "image_tokens": 71}}),
        {**SOUND, "input_audio_tokens": 30, "input_image_tokens": 70, "odd": True},
    ),
    "reasoning within": (usage(total=140, **{COMPLETION: {"reasoning_tokens": 40}}), {**SOUND, "reasoning_tokens": 40}),
    "reasoning above the output": (
        usage(total=140, **{COMPLETION: {"reasoning_tokens": 41}}),
        {**SOUND, "reasoning_tokens": 40, "odd": True},
    ),
    "reasoning beside the output, as the total says": (
        usage(total=240, **{COMPLETION: {"reasoning_tokens": 100}}),
        {"input_tokens": 100, "output_tokens": 140, "reasoning_tokens": 100},
    ),
    # the provider's own price
    "cost": (usage(cost=0.0123), {**SOUND, "cost_nanos": 12_300_000}),
    "cost zero": (usage(cost=0), {**SOUND, "cost_nanos": 0}),
    "cost rounds up": (usage(cost=1.000_000_04e-4), {**SOUND, "cost_nanos": 100_001}),
    "cost in binary": (usage(cost=0.1 + 0.2), {**SOUND, "cost_nanos": 300_000_000}),
    "cost null": (usage(cost=None), SOUND),
    "cost negative": (usage(cost=-0.1), SOUND),
    "cost a text": (usage(cost="0.1"), SOUND),
    "cost a bool": (usage(cost=True), SOUND),
    "cost an object": (usage(cost={"total_cost": 1}), SOUND),
    "cost as large as can be": (usage(cost=1_000_000), {**SOUND, "cost_nanos": 10**15}),
    "cost absurd": (usage(cost=1_000_001), SOUND),
    "own key": (
        usage(cost=0.001, is_byok=True, cost_details={"upstream_inference_cost": 0.02}),
        {**SOUND, "cost_nanos": 21_000_000},
    ),
    "own key, bill unknown": (usage(cost=0, is_byok=True, cost_details={"upstream_inference_cost": None}), SOUND),
    "own key, fee unknown": (
        usage(cost=None, is_byok=True, cost_details={"upstream_inference_cost": 0.02}),
        SOUND,
    ),
    "own key, no details": (usage(cost=0, is_byok=True), SOUND),
    "not an own key": (
        usage(cost=0.001, is_byok=False, cost_details={"upstream_inference_cost": 0.02}),
        {**SOUND, "cost_nanos": 1_000_000},
    ),
    "ticks": (usage(cost_in_usd_ticks=232_856_001), {**SOUND, "cost_nanos": 23_285_601}),
    "ticks zero": (usage(cost_in_usd_ticks=0), {**SOUND, "cost_nanos": 0}),
    "ticks negative": (usage(cost_in_usd_ticks=-1), SOUND),
    "ticks a float": (usage(cost_in_usd_ticks=1.5), SOUND),
}


@pytest.mark.parametrize("name", SHAPES)
def test_usage_in_every_odd_shape(name: str) -> None:
    found, expected = SHAPES[name]
    read = read_usage(None if found is MISSING else found)
    assert read == (None if expected is None else Usage(**expected))


def test_the_service_tier_is_a_text() -> None:
    assert read_usage(usage(), "flex") == Usage(100, 40, service_tier="flex")
    assert read_usage(usage(), {"tier": "flex"}) == Usage(100, 40)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.just([]),
)
_NAMES = ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens")
_PARTS = st.one_of(_SCALARS, st.dictionaries(st.sampled_from(_NAMES), _SCALARS))
_USAGES = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": _SCALARS,
        "completion_tokens": _SCALARS,
        "total_tokens": _SCALARS,
        PROMPT: _PARTS,
        COMPLETION: _PARTS,
        "prompt_cache_hit_tokens": _SCALARS,
        "cost": _SCALARS,
        "cost_in_usd_ticks": _SCALARS,
        "is_byok": _SCALARS,
        "cost_details": _PARTS,
    },
)


@given(_USAGES)
def test_whatever_is_believed_is_sound(found: dict[str, Any]) -> None:
    """Counts are whole and not negative, and parts fit into their wholes; input and output are the provider's own."""
    read = read_usage(found)
    if read is None:
        return
    assert read.input_tokens == found["prompt_tokens"]
    assert read.output_tokens in (found["completion_tokens"], found["completion_tokens"] + read.reasoning_tokens)
    assert 0 <= read.cached_tokens + read.cache_write_tokens <= read.input_tokens
    assert 0 <= read.input_audio_tokens + read.input_image_tokens <= read.input_tokens
    assert 0 <= read.output_audio_tokens + read.output_image_tokens <= read.output_tokens
    assert 0 <= read.reasoning_tokens <= read.output_tokens
    assert read.cost_nanos is None or 0 <= read.cost_nanos <= 10**15
