"""What a client calls a field that a server of OpenAI's wires names: for requests that were written anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from oneflow_ai.core.prompt import Prompt

# What is of one name in the middle form and on the wire.
_SAME = (
    *("messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens", "temperature", "top_p", "top_k", "stop"),
    *("seed", "n", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "verbosity", "service_tier"),
    *("user", "truncation"),
)
_REASONING = ("effort", "thinking_tokens", "show_reasoning")
# The fields of the middle form that a field of the wire is made of, in a chat or in Responses.
_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{name: (name,) for name in _SAME},
        "input": ("messages",),
        "max_completion_tokens": ("max_tokens",),
        "max_output_tokens": ("max_tokens",),
        "response_format": ("format",),
        "text.format": ("format",),
        "text.verbosity": ("verbosity",),
        "reasoning_effort": _REASONING,
        "reasoning": _REASONING,
        "reasoning.summary": ("show_reasoning",),
        "thinking": _REASONING,
        "top_logprobs": ("logprobs",),
        "include": ("logprobs",),
        "prompt_cache_key": ("cache_key",),
    }
)
_UNSAID = Prompt(())
_BETWEEN = re.compile(r"[.\[]")


def client_name(prompt: Prompt, name: str) -> str | None:
    """The client's own name of a field that a server names as it refuses this prompt; None where it wrote none such."""
    outer, *inner = _BETWEEN.split(name, maxsplit=2)[:2]
    if outer == "model":
        return outer
    fields = _FIELDS.get(".".join((outer, *inner))) or _FIELDS.get(outer, ())
    return next((prompt.param(field) for field in fields if getattr(prompt, field) != getattr(_UNSAID, field)), None)
