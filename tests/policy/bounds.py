"""Whether a usage keeps to a bound: what the laws of price are said for."""

from __future__ import annotations

from oneflow_ai.core.events import Usage
from oneflow_ai.policy.price import Bound

STANDARD_TIERS = (None, "default", "standard")
_WHOLES = ("input_tokens", "output_tokens", "characters", "images", "audio_milliseconds", "web_searches")


def within(usage: Usage, bound: Bound) -> bool:
    """Whether a sound usage keeps to the bound: then `used` is at most `quote`, unless the provider names a cost."""
    counts = all(getattr(usage, name) <= _most(name, bound) for name in _WHOLES)
    tier = not bound.service_tier or usage.service_tier in (*STANDARD_TIERS, bound.service_tier)
    modal = (
        usage.input_audio_tokens or usage.output_audio_tokens or usage.input_image_tokens or usage.output_image_tokens
    )
    return counts and tier and not (bound.text_only and modal)


def _most(name: str, bound: Bound) -> int:
    count: int = getattr(bound, name)
    return count * bound.n if name in ("output_tokens", "images") else count
