"""OpenAI's wire with a question for what is left of a key (openrouter.ai/docs, get current key; 2026-11-27)."""

from __future__ import annotations

from typing import Any

from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import loaded, mapping
from oneflow_ai.providers.openai import OpenAIAdapter

PATH = "/key"
_USD_MOST = 1e12


class KeyAccountAdapter(OpenAIAdapter):
    """OpenAI's wire, where what a key has left is told for nothing."""

    def account_request(self, target: Target) -> HttpRequest:
        """The request for how the key stands."""
        headers = tuple((name, value) for name, value in target.headers if name.lower() != "content-type")
        return HttpRequest("GET", target.base_url + PATH, headers, b"", target.timeouts, target.way)

    def account(self, body: bytes) -> str:
        """The US dollars that are left of the key's limit; those that were used where it has none."""
        found = mapping(mapping(loaded(body)).get("data"))
        left, used = found.get("limit_remaining"), found.get("usage")
        if _is_usd(left):
            return f"${left:,.2f} left of the key's limit"
        return f"${used:,.2f} used, of no limit" if left is None and _is_usd(used) else ""


def _is_usd(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _USD_MOST
