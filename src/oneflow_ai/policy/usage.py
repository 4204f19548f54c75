"""May a usage report be true, and how large can a prompt be: evidence is weighed here before it becomes money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from oneflow_ai.core.events import Usage

PROMPT_BYTES_PER_TOKEN = 4
WIDE_BYTES_PER_TOKEN = 2
"""Estimates: English text has about four bytes a token; bytes outside ASCII (CJK, emoji) about two."""

ESTIMATE_TENTHS = 13
ESTIMATE_EXTRA_TOKENS = 256
IMAGE_INPUT_TOKENS_MOST = 16_384
"""A photograph of 12 megapixels is 14,364 tokens to GPT-6 with default settings, fewer elsewhere (measurements
published as the data set JOHNISKING/image-token-cost; 2026-11-24). The older gpt-4o-mini takes more: give its own."""

TOKENS_MOST = 1 << 27
"""More than any model takes and gives in one call: its window is 10 million tokens at the most (2026-11-26)."""


# From the surest on: where the count of an answer comes from.
_SURENESS = ("provider", "provider_partial", "capped", "estimated")
_COUNTS = tuple(field.name for field in fields(Usage) if type(field.default) is int)


def believable(usage: Usage) -> bool:
    """Whether a report whose counts are sound, as decoders leave them, may be true of one call."""
    return usage.input_tokens + usage.output_tokens <= TOKENS_MOST


def total(parts: Sequence[Usage]) -> Usage:
    """What the parts of one answer used together; as sure as the least sure of them."""
    if len(parts) == 1:
        return parts[0]
    summed: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in _COUNTS}
    told_nanos = [part.cost_nanos for part in parts if part.cost_nanos is not None]
    return replace(
        parts[-1],
        **summed,
        cost_nanos=sum(told_nanos) if len(told_nanos) == len(parts) else None,
        source=max((part.source for part in parts), key=_SURENESS.index),
        odd=any(part.odd for part in parts),
    )


def input_tokens_bound(
    prompt_bytes: int,
    *,
    wide_bytes: int = 0,
    images: int = 0,
    image_tokens: int = IMAGE_INPUT_TOKENS_MOST,
    other_tokens: int = 0,
) -> int:
    """The most tokens a prompt is taken to have: its estimate and three tenths and 256, or its bytes if they are fewer.

    `prompt_bytes` counts the text in UTF-8, without pictures and files; `wide_bytes` are those of it outside ASCII.
    `images` is their number whatever their size; `other_tokens` is what files and sound add at most.
    """
    narrow_bytes = prompt_bytes - wide_bytes
    estimate = -(-narrow_bytes // PROMPT_BYTES_PER_TOKEN) + -(-wide_bytes // WIDE_BYTES_PER_TOKEN)
    text = min(prompt_bytes, -(-estimate * ESTIMATE_TENTHS // 10) + ESTIMATE_EXTRA_TOKENS)
    return text + images * image_tokens + other_tokens
