"""Usage of Gemini's is believed exactly: nothing is nothing, and what cannot be is no evidence (F38, F39)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.gemini_usage import COUNT_MOST, read_usage

MISSING = object()


def usage(prompt: Any = 100, candidates: Any = 40, total: Any = 140, **more: Any) -> dict[str, Any]:
    names = {"promptTokenCount": prompt, "candidatesTokenCount": candidates, "totalTokenCount": total, **more}
    return {name: value for name, value in names.items() if value is not MISSING}


def modality(kind: str, count: Any) -> list[dict[str, Any]]:
    return [{"modality": "TEXT", "tokenCount": 1}, {"modality": kind, "tokenCount": count}]


SOUND = {"input_tokens": 100, "output_tokens": 40}
ODD = {**SOUND, "odd": True}
SHAPES: dict[str, tuple[Any, dict[str, Any] | None]] = {
    # nothing
    "null": (None, None),
    "a list": ([], None),
    "a text": ("100", None),
    "a number": (100, None),
    "empty": ({}, None),
    "other names": ({"prompt_tokens": 1, "completion_tokens": 1}, None),
    # counts
    "sound": (usage(), SOUND),
    "without total": (usage(total=MISSING), SOUND),
    "explicit zero": (usage(0, 0, 0), {"input_tokens": 0, "output_tokens": 0}),
    "no output told, none in the total": (usage(100, MISSING, 100), {"input_tokens": 100, "output_tokens": 0}),
    "no output told, some in the total": (usage(100, MISSING, 140), SOUND),
    "no output told, and no total": (usage(100, MISSING, MISSING), None),
    "no output told, too small a total": (usage(100, MISSING, 90), None),
    "output null": (usage(100, None, 140), SOUND),
    "largest": (usage(COUNT_MOST, 0, MISSING), {"input_tokens": COUNT_MOST, "output_tokens": 0}),
    "prompt missing": (usage(MISSING), None),
    "prompt null": (usage(None), None),
    "negative": (usage(-1), None),
    "negative output": (usage(candidates=-1), None),
    "fraction": (usage(100.5), None),
    "float": (usage(100.0), None),
    "text": (usage("100"), None),
    "text output": (usage(candidates="40"), None),
    "bool": (usage(True), None),
    "too large": (usage(COUNT_MOST + 1), None),
    # the total
    "total is not the sum": (usage(total=141), ODD),
    "total zero": (usage(total=0), ODD),
    "total null": (usage(total=None), SOUND),
    "total is a text": (usage(total="140"), SOUND),
    # thoughts and tools
    "thoughts": (
        usage(total=150, thoughtsTokenCount=10),
        {"input_tokens": 100, "output_tokens": 50, "reasoning_tokens": 10},
    ),
    "thoughts alone": (
        usage(100, MISSING, 110, thoughtsTokenCount=10),
        {"input_tokens": 100, "output_tokens": 10, "reasoning_tokens": 10},
    ),
    "thoughts null": (usage(thoughtsTokenCount=None), SOUND),
    "thoughts are a text": (usage(thoughtsTokenCount="10"), None),
    "thoughts negative": (usage(thoughtsTokenCount=-1), None),
    "tools": (usage(total=147, toolUsePromptTokenCount=7), {"input_tokens": 107, "output_tokens": 40}),
    "tools negative": (usage(toolUsePromptTokenCount=-7), None),
    # parts
    "cached": (usage(cachedContentTokenCount=60), {**SOUND, "cached_tokens": 60}),
    "cached more than all": (usage(cachedContentTokenCount=101), {**ODD, "cached_tokens": 100}),
    "cached negative": (usage(cachedContentTokenCount=-1), ODD),
    "cached is a text": (usage(cachedContentTokenCount="5"), ODD),
    "cached null": (usage(cachedContentTokenCount=None), SOUND),
    "a picture": (usage(promptTokensDetails=modality("IMAGE", 60)), {**SOUND, "input_image_tokens": 60}),
    "sound in": (usage(promptTokensDetails=modality("AUDIO", 60)), {**SOUND, "input_audio_tokens": 60}),
    "sound out": (usage(candidatesTokensDetails=modality("AUDIO", 30)), {**SOUND, "output_audio_tokens": 30}),
    "a picture too large": (usage(promptTokensDetails=modality("IMAGE", 999)), {**ODD, "input_image_tokens": 100}),
    "details are a text": (usage(promptTokensDetails="x", candidatesTokensDetails=[5, None]), SOUND),
    "a detail without a count": (usage(promptTokensDetails=[{"modality": "IMAGE"}]), SOUND),
    # tiers
    "tier": (usage(serviceTier="FLEX"), {**SOUND, "service_tier": "flex"}),
    "tier is a number": (usage(serviceTier=5), SOUND),
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_odd_usage(name: str) -> None:
    found, expected = SHAPES[name]
    assert read_usage(found) == (None if expected is None else Usage(**expected))


def test_there_are_enough_odd_ones() -> None:
    assert len(SHAPES) >= 40


_ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
_FIELDS = (
    "promptTokenCount", "candidatesTokenCount", "totalTokenCount", "thoughtsTokenCount", "cachedContentTokenCount",
    "toolUsePromptTokenCount", "promptTokensDetails", "candidatesTokensDetails", "serviceTier",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(_FIELDS), _ANYTHING | st.integers(0, 100)))
def test_parts_never_exceed_their_wholes(found: dict[str, Any]) -> None:
    usage = read_usage(found)
    if usage is not None:
        assert 0 <= usage.cached_tokens <= usage.input_tokens
        assert 0 <= usage.reasoning_tokens <= usage.output_tokens
        assert usage.input_image_tokens <= usage.input_tokens
