"""Usage on Bedrock's wire, believed exactly where it is sound."""

from __future__ import annotations

from typing import Any

from oneflow_ai.core.events import Usage

COUNT_MOST = 1 << 53


def read_usage(found: Any, service_tier: Any = None, *, whole_input: bool = False) -> Usage | None:
    """The usage of an answer; None when it is missing, or so odd that it is no evidence.

    `inputTokens` are those that were neither read from the cache nor written to it: the three together are the input
    (docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html, 2026-11-26). With `whole_input` it is all of them
    where it can be. Reasoning is in the output, uncounted.
    """
    if not isinstance(found, dict):
        return None
    inputs, outputs = read_count(found.get("inputTokens")), read_count(found.get("outputTokens"))
    if inputs is None or outputs is None:
        return None
    read, odd_read = _part(found, "cacheReadInputTokens")
    written, odd_written = _part(found, "cacheWriteInputTokens")
    if not whole_input or inputs < read + written:
        inputs += read + written
    hour, odd_hour = _hour(found.get("cacheDetails"), written)
    total = found.get("totalTokens")
    agrees = total is None or total == inputs + outputs or whole_input
    return Usage(
        input_tokens=inputs,
        output_tokens=outputs,
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=hour,
        service_tier=_tier(service_tier),
        odd=odd_read or odd_written or odd_hour or not agrees,
    )


def read_count(value: Any) -> int | None:
    """A count of tokens, or None for what is none."""
    return value if type(value) is int and 0 <= value <= COUNT_MOST else None


def _part(found: dict[str, Any], name: str) -> tuple[int, bool]:
    count = read_count(found.get(name) or 0)
    return (0, True) if count is None else (count, False)


def _hour(details: Any, written: int) -> tuple[int, bool]:
    """The tokens that are kept for an hour, at most those that were written."""
    counts = [
        read_count(detail.get("inputTokens"))
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    ]
    told = sum(count for count in counts if count is not None)
    return min(told, written), told > written or None in counts


def _tier(found: Any) -> str | None:
    tier = found.get("type") if isinstance(found, dict) else None
    return tier if isinstance(tier, str) else None
