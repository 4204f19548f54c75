"""Usage on OpenAI's chat wire, believed exactly where it is sound: the first rule of billing."""

from __future__ import annotations

import math
from typing import Any

from oneflow_ai.core.events import Usage
from oneflow_ai.core.money import NANOS_PER_USD

COUNT_MOST = 1 << 53
# xAI's own price unit: 1e10 ticks are one US dollar (recording and list price of 2026-11-23).
_TICKS_PER_USD = 10_000_000_000
_COST_USD_MOST = 1_000_000
_PARTS = ("prompt_tokens_details", "completion_tokens_details")
_MORE = frozenset({"prompt_cache_hit_tokens", "cost", "cost_in_usd_ticks"})


def read_usage(found: Any, service_tier: Any = None) -> Usage | None:
    """The usage object of an answer as `Usage`; None when it is missing, or so odd that it is no evidence.

    An explicit zero is zero. A missing, negative, fractional, textual or absurdly large count of input or output is no
    evidence: the whole is estimated instead. Cached, reasoning and other parts never exceed their totals; where one
    did, or the total is not the sum, the usage is `odd`.
    """
    if not isinstance(found, dict):
        return None
    inputs, outputs, total = found.get("prompt_tokens"), found.get("completion_tokens"), found.get("total_tokens")
    if type(inputs) is not int or type(outputs) is not int:
        return None
    if not (0 <= inputs <= COUNT_MOST and 0 <= outputs <= COUNT_MOST):
        return None
    tier = service_tier if isinstance(service_tier, str) else None
    if type(total) is int and total == inputs + outputs <= COUNT_MOST and _nothing_else(found):
        return Usage(inputs, outputs, service_tier=tier)
    return _read_parts(found, inputs, outputs, tier)


def _nothing_else(found: dict[str, Any]) -> bool:
    """Whether a usage has no part, and no cost, that is worth a closer look."""
    for name in _PARTS:
        parts = found.get(name)
        if parts and (type(parts) is not dict or any(parts.values())):
            return False
    return _MORE.isdisjoint(found)


def _read_parts(found: dict[str, Any], inputs: int, outputs: int, service_tier: str | None) -> Usage:
    prompt, completion = _part(found, "prompt_tokens_details"), _part(found, "completion_tokens_details")
    total, reasoning = _count(found.get("total_tokens")), _count(completion.get("reasoning_tokens"))
    if reasoning and total == inputs + outputs + reasoning:
        # xAI counts reasoning beside the completion, not in it (docs.x.ai, consumption and rate limits, 2026-11-24).
        outputs += reasoning
    parts = _Parts()
    cached = prompt.get("cached_tokens")
    if cached is None:
        cached = found.get("prompt_cache_hit_tokens")
    cached_tokens, cache_write_tokens = parts.share(inputs, cached, prompt.get("cache_write_tokens"))
    input_audio, input_image = parts.share(inputs, prompt.get("audio_tokens"), prompt.get("image_tokens"))
    output_audio, output_image = parts.share(outputs, completion.get("audio_tokens"), completion.get("image_tokens"))
    reasoning_tokens, _ = parts.share(outputs, completion.get("reasoning_tokens"))
    return Usage(
        input_tokens=inputs,
        output_tokens=outputs,
        cached_tokens=cached_tokens,
        cache_write_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
        input_audio_tokens=input_audio,
        output_audio_tokens=output_audio,
        input_image_tokens=input_image,
        output_image_tokens=output_image,
        cost_nanos=_cost_nanos(found),
        service_tier=service_tier,
        odd=parts.odd or (found.get("total_tokens") is not None and total != inputs + outputs),
    )


class _Parts:
    """Reads counts that share a total, in their order, and notes whether any did not fit."""

    __slots__ = ("odd",)

    def __init__(self) -> None:
        self.odd = False

    def share(self, whole: int, first: Any, second: Any = None) -> tuple[int, int]:
        """Two parts of the whole; nothing is nought."""
        if not first and not second:
            return 0, 0
        kept = self._take(whole, first)
        return kept, self._take(whole - kept, second)

    def _take(self, left: int, value: Any) -> int:
        count = _count(value or 0)
        if count is not None and count <= left:
            return count
        self.odd = True
        return 0 if count is None else left


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= COUNT_MOST else None


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _cost_nanos(found: dict[str, Any]) -> int | None:
    ticks = found.get("cost_in_usd_ticks")
    if type(ticks) is int and 0 <= ticks <= COUNT_MOST:
        return -(-ticks * NANOS_PER_USD // _TICKS_PER_USD)
    cost = _nanos(found.get("cost"))
    if cost is None or found.get("is_byok") is not True:
        return cost
    # OpenRouter with the caller's own provider key: `cost` is its fee, the rest is billed by that provider.
    upstream = _nanos(_part(found, "cost_details").get("upstream_inference_cost"))
    return None if upstream is None else cost + upstream


def _nanos(dollars: Any) -> int | None:
    if not isinstance(dollars, int | float) or isinstance(dollars, bool) or not 0 <= dollars <= _COST_USD_MOST:
        return None
    # Up, but not for what binary fractions add: 0.1 + 0.2 dollars are 300,000,000 nano-USD.
    return math.ceil(round(dollars * NANOS_PER_USD, 3))
