"""Is a usage report sound, and how large can a prompt be: evidence is weighed here before it becomes money."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oneflow_ai.core.events import Usage
from oneflow_ai.policy.price import Bound

COUNT_MOST = 1 << 53
"""Above it a JSON number is no exact integer: such a count, or price in nano-USD, is no evidence."""

PROMPT_BYTES_PER_TOKEN = 4
WIDE_BYTES_PER_TOKEN = 2
"""Estimates: English text has about four bytes a token; bytes outside ASCII (CJK, emoji) about two."""

ESTIMATE_TENTHS = 13
ESTIMATE_EXTRA_TOKENS = 256
IMAGE_INPUT_TOKENS_MOST = 16_384
"""A photograph of 12 megapixels is 14,364 tokens to GPT-6 with default settings, fewer elsewhere (measurements
published as the data set JOHNISKING/image-token-cost; 2026-11-24). The older gpt-4o-mini takes more: give its own."""

STANDARD_TIERS = (None, "default", "standard")
"""What an answer calls the service tier that has the list price."""

_WHOLES = (
    "input_tokens",
    "output_tokens",
    "characters",
    "images",
    "audio_milliseconds",
    "web_searches",
)
# Parts share what is left of their whole, in this order.
_PARTS = (
    ("input_tokens", ("cached_tokens", "cache_write_tokens")),
    ("cache_write_tokens", ("cache_write_1h_tokens",)),
    ("input_tokens", ("input_audio_tokens", "input_image_tokens")),
    ("output_tokens", ("output_audio_tokens", "output_image_tokens")),
    ("output_tokens", ("reasoning_tokens",)),
)


def checked(usage: Usage, bound: Bound, estimate: Usage | None = None) -> tuple[Usage, bool]:
    """The usage as far as it can be believed, and whether anything about it was odd.

    A count that is no whole number from 0 to 2^53 is refused: the estimate's stands in, without one the bound's. Parts
    that exceed their whole are cut to it. Counts above the bound are kept, for what they cost beyond the hold is the
    operator's loss and must be seen, but odd. `source` becomes `estimated` or `capped`.
    """
    changes: dict[str, Any] = {
        name: _stand_in(name, bound, estimate) for name in _WHOLES if not _is_count(getattr(usage, name))
    }
    source = "estimated" if changes else usage.source
    for whole, parts in _PARTS:
        left = changes.get(whole, getattr(usage, whole))
        for part in parts:
            count = getattr(usage, part)
            kept = min(count, left) if _is_count(count) else 0
            left -= kept
            if kept != count:
                changes[part] = kept
    if changes and source == usage.source:
        source = "capped"
    if usage.cost_nanos is not None and not _is_count(usage.cost_nanos):
        changes["cost_nanos"] = None
    if usage.service_tier is not None and not _is_text(usage.service_tier):
        changes["service_tier"] = None
    sound = replace(usage, **changes, source=source) if changes else usage
    odd = usage.odd or bool(changes) or not within(sound, bound)
    return (sound if sound.odd == odd else replace(sound, odd=odd)), odd


def within(usage: Usage, bound: Bound) -> bool:
    """Whether a sound usage keeps to the bound: then `used` is at most `quote`, unless the provider names a cost."""
    counts = all(getattr(usage, name) <= _most(name, bound) for name in _WHOLES)
    tier = not bound.service_tier or usage.service_tier in (*STANDARD_TIERS, bound.service_tier)
    modal = (
        usage.input_audio_tokens or usage.output_audio_tokens or usage.input_image_tokens or usage.output_image_tokens
    )
    return counts and tier and not (bound.text_only and modal)


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


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= COUNT_MOST


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _stand_in(name: str, bound: Bound, estimate: Usage | None) -> int:
    return getattr(estimate, name) if estimate is not None else _most(name, bound)


def _most(name: str, bound: Bound) -> int:
    count: int = getattr(bound, name)
    return count * bound.n if name in ("output_tokens", "images") else count
