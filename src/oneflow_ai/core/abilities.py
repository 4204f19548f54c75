"""What a wire can be asked for, feature by feature, and what becomes of a request that asks for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import Audio, Document, Image, Part, Prompt, Reasoning, Text, ToolResult, text_in


class Ability(Enum):
    """What becomes of a feature: sent; left out, and told in `x-oneflow-dropped`; or refused, naming the parameter."""

    SENT = "sent"
    DROPPED = "dropped"
    REFUSED = "refused"


SENT, DROPPED, REFUSED = Ability.SENT, Ability.DROPPED, Ability.REFUSED
Abilities = Mapping[str, Ability]


def _parts(prompt: Prompt) -> Iterator[Part]:
    for message in prompt.messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolResult):
                yield from part.parts


def _any(prompt: Prompt, kind: type, test: Callable[[Part], bool] = lambda part: True) -> bool:
    return any(isinstance(part, kind) and test(part) for part in _parts(prompt))


def _is_file(part: Part) -> bool:
    return isinstance(part, Document) and text_in(part) is None


def _has_cache_marks(prompt: Prompt) -> bool:
    return any(getattr(part, "cache", "") for part in _parts(prompt)) or any(tool.cache for tool in prompt.tools)


# Each feature: the field that a client is told of, and whether a prompt uses it; in the order of the documentation.
FEATURES: Mapping[str, tuple[str, Callable[[Prompt], bool]]] = MappingProxyType(
    {
        "system prompt": ("messages", lambda prompt: any(each.role == "system" for each in prompt.messages)),
        "image by address": (
            "messages",
            lambda prompt: _any(prompt, Image, lambda part: bool(getattr(part, "url", ""))),
        ),
        "image as base64": (
            "messages",
            lambda prompt: _any(prompt, Image, lambda part: bool(getattr(part, "data", ""))),
        ),
        # Plain text is said as it is.
        "document": ("messages", lambda prompt: _any(prompt, Document, _is_file)),
        "document by address": (
            "messages",
            lambda prompt: _any(prompt, Document, lambda part: bool(getattr(part, "url", ""))),
        ),
        "audio": ("messages", lambda prompt: _any(prompt, Audio)),
        "image in a tool's result": (
            "messages",
            lambda prompt: _any(
                prompt, ToolResult, lambda part: any(not isinstance(each, Text) for each in getattr(part, "parts", ()))
            ),
        ),
        "failed tool result": (
            "is_error",
            lambda prompt: _any(prompt, ToolResult, lambda part: bool(getattr(part, "failed", False))),
        ),
        "speaker's name": ("messages.name", lambda prompt: any(each.name for each in prompt.messages)),
        "reasoning given back": ("messages", lambda prompt: _any(prompt, Reasoning)),
        "answer begun": ("messages", lambda prompt: prompt.begun),
        "prompt cache marks": ("cache_control", _has_cache_marks),
        "prompt cache key": ("cache_key", lambda prompt: bool(prompt.cache_key)),
        "citations": (
            "citations",
            lambda prompt: _any(prompt, Document, lambda part: bool(getattr(part, "citations", False))),
        ),
        "tools": ("tools", lambda prompt: bool(prompt.tools)),
        "strict tools": ("tools", lambda prompt: any(tool.strict for tool in prompt.tools)),
        "tool choice none": ("tool_choice", lambda prompt: prompt.tool_choice == "none"),
        "tool choice required": ("tool_choice", lambda prompt: prompt.tool_choice == "required"),
        "tool choice by name": ("tool_choice", lambda prompt: prompt.tool_choice == "tool"),
        "parallel tools off": ("parallel_tool_calls", lambda prompt: prompt.parallel_tool_calls is False),
        "JSON object": ("format", lambda prompt: prompt.format is not None and prompt.format.schema is None),
        "JSON by schema": ("format", lambda prompt: prompt.format is not None and prompt.format.schema is not None),
        "reasoning effort": ("effort", lambda prompt: prompt.effort is not None),
        "reasoning budget": ("thinking_tokens", lambda prompt: prompt.thinking_tokens is not None),
        "reasoning shown": ("show_reasoning", lambda prompt: prompt.show_reasoning),
        "max_tokens": ("max_tokens", lambda prompt: prompt.max_tokens is not None),
        "temperature": ("temperature", lambda prompt: prompt.temperature is not None),
        "top_p": ("top_p", lambda prompt: prompt.top_p is not None),
        "top_k": ("top_k", lambda prompt: prompt.top_k is not None),
        "stop": ("stop", lambda prompt: bool(prompt.stop)),
        "seed": ("seed", lambda prompt: prompt.seed is not None),
        "n": ("n", lambda prompt: prompt.n > 1),
        "presence_penalty": ("presence_penalty", lambda prompt: bool(prompt.presence_penalty)),
        "frequency_penalty": ("frequency_penalty", lambda prompt: bool(prompt.frequency_penalty)),
        "logit_bias": ("logit_bias", lambda prompt: bool(prompt.logit_bias)),
        "logprobs": ("logprobs", lambda prompt: prompt.logprobs),
        "verbosity": ("verbosity", lambda prompt: bool(prompt.verbosity)),
        "service_tier": ("service_tier", lambda prompt: bool(prompt.service_tier)),
        "user": ("user", lambda prompt: bool(prompt.user)),
        "metadata": ("metadata", lambda prompt: bool(prompt.metadata)),
        "truncation": ("truncation", lambda prompt: prompt.truncation),
    }
)


def fit(prompt: Prompt, abilities: Abilities, wire: str) -> tuple[str, ...]:
    """What of a prompt is to be left out for a wire, by the client's own names; raises `Failure` for what may not be.

    A feature that `abilities` does not name is refused; what is minor has a place on no other wire.
    """
    if prompt.further:
        words = f"the target's wire ({wire}) has no place for this field"
        raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.further[0])
    dropped: list[str] = list(prompt.minor)
    for feature, (field, uses) in FEATURES.items():
        ability = abilities.get(feature, REFUSED)
        if ability is SENT or not uses(prompt):
            continue
        name = prompt.param(field)
        if ability is REFUSED:
            raise _refused(name, feature, wire)
        if name not in dropped:
            dropped.append(name)
    return tuple(dropped)


def _refused(name: str, feature: str, wire: str) -> Failure:
    return Failure(UNSUPPORTED_PARAMETER, f"the target's wire ({wire}) has no place for this: {feature}", param=name)
