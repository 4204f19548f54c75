"""Usage on the wire of OpenAI's Responses: the chat wire's counts under other names, and the searches it ran itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oneflow_ai.core.events import Usage
from oneflow_ai.providers.base import listed, mapping
from oneflow_ai.providers.openai_usage import COUNT_MOST
from oneflow_ai.providers.openai_usage import read_usage as read_chat_usage

# What stands in both wires' usage, by this wire's name and the chat's.
_NAMES = (
    ("input_tokens", "prompt_tokens"),
    ("output_tokens", "completion_tokens"),
    ("input_tokens_details", "prompt_tokens_details"),
    ("output_tokens_details", "completion_tokens_details"),
    ("cost", "cost"),
    ("cost_in_usd_ticks", "cost_in_usd_ticks"),
)


def read_usage(response: Mapping[str, Any]) -> Usage | None:
    """The usage of a response; None when it is missing, or so odd that it is no evidence, as the chat's is read.

    Reasoning is part of the output on this wire, whoever speaks it (recordings of OpenAI and xAI, 2026-11-23).
    """
    found = response.get("usage")
    if not isinstance(found, dict):
        return None
    renamed = {chat: found[own] for own, chat in _NAMES if own in found}
    usage = read_chat_usage(renamed, response.get("service_tier"))
    if usage is None:
        return None
    searches, total = _searches(response), found.get("total_tokens")
    odd = usage.odd or (total is not None and total != usage.input_tokens + usage.output_tokens)
    return replace(usage, web_searches=searches, odd=odd) if searches or odd else usage


def _searches(response: Mapping[str, Any]) -> int:
    """How often the provider searched the web: its own count where it tells one, else the calls that say so."""
    told = mapping(mapping(response.get("tool_usage")).get("web_search")).get("num_requests")
    if type(told) is int and 0 <= told <= COUNT_MOST:
        return told
    calls = [mapping(item) for item in listed(response.get("output"))]
    return sum(
        call.get("type") == "web_search_call" and mapping(call.get("action")).get("type", "search") == "search"
        for call in calls
    )
