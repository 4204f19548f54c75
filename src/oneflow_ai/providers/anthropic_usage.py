"""Usage on Anthropic's wire, believed exactly where it is sound: the first rule of billing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.events import Usage

COUNT_MOST = 1 << 53
_INPUTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def merged(before: Mapping[str, Any] | None, after: Any) -> dict[str, Any] | None:
    """The usage of a stream so far: its counts are cumulative, so what came last stands; null says nothing."""
    if not isinstance(after, dict):
        return None if before is None else dict(before)
    return {**(before or {}), **{name: value for name, value in after.items() if value is not None}}


def read_usage(found: Any) -> Usage | None:
    """The usage object of an answer as `Usage`; None when it is missing, or so odd that it is no evidence.

    `input_tokens` leaves out what was read from the cache and written to it here: the three together are the prompt
    (recordings, 2026-11-23). An explicit zero is zero. A missing, negative, fractional, textual or absurdly large count
    of input or output is no evidence: the whole is estimated instead. Other parts never exceed their wholes; where one
    did, or a part's count is none, the usage is `odd`.
    """
    if not isinstance(found, dict):
        return None
    fresh, outputs = _count(found.get("input_tokens")), _count(found.get("output_tokens"))
    if fresh is None or outputs is None:
        return None
    parts = _Parts()
    written, read = (parts.count(found.get(name)) for name in _INPUTS[1:])
    # Fast answers have a price of their own, as a tier has.
    tier = "fast" if found.get("speed") == "fast" else found.get("service_tier")
    return Usage(
        input_tokens=fresh + written + read,
        output_tokens=outputs,
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=parts.within(written, found.get("cache_creation"), "ephemeral_1h_input_tokens"),
        reasoning_tokens=parts.within(outputs, found.get("output_tokens_details"), "thinking_tokens"),
        web_searches=parts.count(_of(found.get("server_tool_use"), "web_search_requests")),
        service_tier=tier if isinstance(tier, str) else None,
        odd=parts.odd,
    )


class _Parts:
    """Reads counts that may be missing, and notes whether any was no count or did not fit."""

    __slots__ = ("odd",)

    def __init__(self) -> None:
        self.odd = False

    def count(self, value: Any) -> int:
        """A count; nothing is nought."""
        found = 0 if value is None else _count(value)
        self.odd |= found is None
        return found or 0

    def within(self, whole: int, group: Any, name: str) -> int:
        """A part of the whole that stands in a group of its own."""
        found = self.count(_of(group, name))
        self.odd |= found > whole
        return min(found, whole)


def _of(group: Any, name: str) -> Any:
    return group.get(name) if isinstance(group, dict) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= COUNT_MOST else None
