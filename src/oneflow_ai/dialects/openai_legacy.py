"""The older form of tools in a chat on OpenAI's wire, which has a place for one call of a function an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_legacy(body: Mapping[str, Any]) -> bool:
    """Whether a request asks in the older form, with `functions` alone, and is answered with a `function_call`.

    OpenAI's specification, CreateChatCompletionRequest and ChatCompletionResponseMessage, 2026-11-28.
    """
    return bool(body.get("functions")) and not body.get("tools")
