"""How many tokens a picture of OpenAI's models is: by its size and quality, as OpenAI's own calculator has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from oneflow_ai.core.call import Call
from oneflow_ai.core.order import ImageOrder
from oneflow_ai.providers.openai_images import quality_of, size_of
from oneflow_ai.providers.openai_prompt import WIRE

# The longer side of a picture is so many tokens by its quality, and the shorter one its share of them. So counts the
# calculator of OpenAI's guide (developers.openai.com/api/docs/guides/image-generation#cost-and-latency), for which it
# states no formula; read out of it in https://community.openai.com/t/1382699 (2026-06-05), and for 2.5 in
# https://github.com/Comfy-Org/ComfyUI/pull/16190 (2026-09-08). Of 2.6 `low` and `medium` are three to four times as
# much as of 2.5, and all above the same (https://docs.laozhang.ai/en/api-capabilities/gpt-image-2-6, measured
# 2026-11-05): here they are no less than that. All read 2026-11-27.
_SIDES: Mapping[str, Mapping[str, int]] = {
    "gpt-image-2": {"low": 16, "medium": 48, "high": 96},
    "gpt-image-2.5": {"low": 16, "medium": 24, "high": 48, "xhigh": 64, "max": 96},
    "gpt-image-2.6": {"low": 36, "medium": 48, "high": 48, "xhigh": 64, "max": 96},
}
_MODEL = re.compile(r"(gpt-image-2(?:\.[56])?)(?:-flare|-sunburst)?(?:-\d{4}-\d\d-\d\d)?")
# The count for one of no pixels is half of that for one of two million.
_BASE_PIXELS, _WHOLE_PIXELS = 2_000_000, 4_000_000
# Of the largest pictures, 8,294,400 pixels (OpenAI's specification, CreateImageRequest, 2026-11-23), a square one has
# the most tokens: at the highest quality 23,719. What `auto` makes need not keep to the sizes that may be asked for
# (https://github.com/MicrosoftDocs/azure-ai-docs/pull/779, 2026-07-13).
LARGEST = 2_880, 2_880
# What is seen: 13,767 for 13,342 (litellm 1.109.1, fal_ai rows, 4K at the highest quality), and words beside a picture
# of an older model (143 in a recording of gpt-image-1.5).
_MORE_TENTHS, _MORE_TOKENS = 11, 256
# Of the models before them a picture is 6,240 tokens at the most (the guide's table of 2025), and the words beside it,
# which nobody bounds, have room.
_BEFORE = ("gpt-image-1", "chatgpt-image-")
_BEFORE_TOKENS = 16_384


def tokens_of(model: str, quality: str, size: tuple[int, int]) -> int | None:
    """How many tokens a picture of a size in pixels is; None for an unknown model.

    A quality that the model has no such word for, and one left to it, is taken for the dearest.
    """
    found = _MODEL.fullmatch(model)
    if found is None:
        return None
    sides = _SIDES[found[1]]
    side, shorter, longer = sides.get(quality, max(sides.values())), min(size), max(size)
    other = (2 * side * shorter + longer) // (2 * longer)
    return -(-side * other * (_BASE_PIXELS + shorter * longer) // _WHOLE_PIXELS)


def most_tokens(call: Call, model: str) -> int | None:
    """The most tokens that one of the pictures a call orders is; None for an unknown model."""
    order = call.order
    if not isinstance(order, ImageOrder):
        return None
    if model.startswith(_BEFORE):
        return _BEFORE_TOKENS
    size, quality = _asked(order, as_it_is=call.wire == WIRE)
    found, largest = tokens_of(model, quality, size), tokens_of(model, quality, LARGEST)
    if found is None or largest is None:
        return None
    # No provider makes a larger one, whatever is asked.
    return -(-min(found, largest) * _MORE_TENTHS // 10) + _MORE_TOKENS


def _asked(order: ImageOrder, *, as_it_is: bool) -> tuple[tuple[int, int], str]:
    """The size and the quality that the provider is asked for, where an order goes out as it is or is written anew."""
    if as_it_is and order.further:
        # Nobody knows what such a field asks for.
        return LARGEST, ""
    if as_it_is:
        given = order.width is not None and order.height is not None
        return ((order.width or 1, order.height or 1) if given else LARGEST), order.quality
    width, _, height = size_of(order).partition("x")
    return ((int(width), int(height)) if height else LARGEST), quality_of(order)
