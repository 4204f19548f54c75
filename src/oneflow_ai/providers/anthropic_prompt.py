"""From the middle form of a request to the body of one on Anthropic's wire, for what each model can be asked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from oneflow_ai.core.abilities import DROPPED, REFUSED, SENT, Abilities, fit
from oneflow_ai.core.prompt import Format, Prompt, Tool
from oneflow_ai.providers.anthropic_messages import cache_mark, conversation
from oneflow_ai.providers.anthropic_thinking import Thinking, thinking_of
from oneflow_ai.providers.base import refuse_begun
from oneflow_ai.providers.claude import SCHEMAS, Traits, check_stops, trim_begun, with_fit_marks
from oneflow_ai.providers.schema_fit import with_fit_schemas

WIRE = "anthropic"
# `max_tokens` is required here: what stands for it where neither the client nor the catalogue names one. Every model
# that is still served writes as much.
OUTPUT_TOKENS_UNKNOWN = 8_192
USER_CHARACTERS_MOST = 512
# Its specification (Tool), 2026-11-27.
NAMES = re.compile(r"[a-zA-Z0-9_-]{1,128}")
TEMPERATURE_MOST = 1.0

# For the newest models; `abilities_of` tells what is different for others.
ABILITIES: Abilities = MappingProxyType(
    {
        "system prompt": SENT,
        "image by address": SENT,
        "image as base64": SENT,
        "document": SENT,
        "document by address": SENT,
        "audio": REFUSED,
        "image in a tool's result": SENT,
        "failed tool result": SENT,
        "speaker's name": DROPPED,
        "reasoning given back": SENT,
        "answer begun": REFUSED,
        "prompt cache marks": SENT,
        "prompt cache key": DROPPED,
        "citations": SENT,
        "tools": SENT,
        "strict tools": SENT,
        "tool choice none": SENT,
        "tool choice required": SENT,
        "tool choice by name": SENT,
        "parallel tools off": SENT,
        "JSON object": REFUSED,
        "JSON by schema": SENT,
        "reasoning effort": SENT,
        "reasoning budget": DROPPED,
        "reasoning shown": SENT,
        "max_tokens": SENT,
        "temperature": DROPPED,
        "top_p": DROPPED,
        "top_k": DROPPED,
        "stop": SENT,
        "seed": DROPPED,
        "n": REFUSED,
        "presence_penalty": DROPPED,
        "frequency_penalty": DROPPED,
        "logit_bias": REFUSED,
        "logprobs": REFUSED,
        "verbosity": DROPPED,
        "service_tier": SENT,
        "user": SENT,
        "metadata": DROPPED,
        "truncation": DROPPED,
    }
)
_SAMPLING = MappingProxyType(dict.fromkeys(("temperature", "top_p", "top_k"), SENT))
_FREE_TOOLS = MappingProxyType(dict.fromkeys(("tool choice required", "tool choice by name"), REFUSED))
_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}
# OpenAI's words for a tier, which the middle form uses, and this wire's.
_TIERS = {"auto": "auto", "default": "standard_only", "standard": "standard_only"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body is written for: a model's traits and the most it writes, and the wires whose seals are its own."""

    traits: Traits
    output_most_tokens: int | None
    seals: frozenset[str]


def abilities_of(traits: Traits) -> Abilities:
    """What a model with these traits can be asked for."""
    found = dict(ABILITIES)
    if traits.sampling:
        found |= _SAMPLING
    if traits.prefill:
        found["answer begun"] = SENT
    if not traits.forced_tools:
        found |= _FREE_TOOLS
    if traits.thinking == "budget":
        found["reasoning budget"] = SENT
    if traits.thinking == "none":
        found |= dict.fromkeys(("reasoning effort", "reasoning budget", "reasoning shown"), DROPPED)
    return found


def body_of(prompt: Prompt, asked: Asked) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, but for the model's name, and the client's own names of what was left out of it or changed.

    Raises `Failure` (400) that names what the model cannot be asked for.
    """
    traits = asked.traits
    abilities = dict(abilities_of(traits))
    if prompt.thinking_tokens == 0:
        # Not to think is no budget.
        abilities["reasoning budget"] = SENT
    dropped = list(fit(prompt, abilities, WIRE))
    check_stops(prompt)
    prompt, loose = with_fit_schemas(prompt, SCHEMAS, WIRE)
    prompt, unmarked = with_fit_marks(prompt)
    _tell(dropped, prompt, (*loose, *unmarked))
    system, messages = conversation(prompt, asked.seals, later_system=traits.later_system)
    if not traits.prefill:
        refuse_begun(prompt, messages)
    trim_begun(messages)
    tokens = prompt.max_tokens or asked.output_most_tokens or OUTPUT_TOKENS_UNKNOWN
    thinking = thinking_of(prompt, traits, tokens, asked.seals)
    body: dict[str, Any] = {"max_tokens": tokens, "messages": messages}
    if system:
        body["system"] = system
    if prompt.tools:
        body["tools"] = [_tool(tool) for tool in prompt.tools]
        body |= _tool_choice(prompt)
    body |= _output(prompt.format, thinking)
    body |= _sampling(prompt, traits, thinking, dropped)
    body |= _labels(prompt, dropped)
    _tell(dropped, prompt, thinking.dropped)
    return body, tuple(dropped)


def _tool(tool: Tool) -> dict[str, Any]:
    schema = dict(tool.schema or {"properties": {}})
    found: dict[str, Any] = {
        "name": tool.name,
        "input_schema": schema if "type" in schema else {"type": "object"} | schema,
    }
    if tool.description:
        found["description"] = tool.description
    if tool.strict is not None:
        found["strict"] = tool.strict
    return found | cache_mark(tool.cache)


def _tool_choice(prompt: Prompt) -> dict[str, Any]:
    choice = prompt.tool_choice
    alone = prompt.calls_in_parallel is False and choice != "none"
    if not choice and not alone:
        return {}
    found: dict[str, Any] = {"type": _TOOL_CHOICES[choice or "auto"]}
    if choice == "tool":
        found["name"] = prompt.tool_name
    if alone:
        found["disable_parallel_tool_use"] = True
    return {"tool_choice": found}


def _output(form: Format | None, thinking: Thinking) -> dict[str, Any]:
    found: dict[str, Any] = {}
    config: dict[str, Any] = {}
    if thinking.config:
        found["thinking"] = dict(thinking.config)
    if thinking.effort:
        config["effort"] = thinking.effort
    if form is not None and form.schema is not None:
        config["format"] = {"type": "json_schema", "schema": form.schema}
    return found | ({"output_config": config} if config else {})


def _sampling(prompt: Prompt, traits: Traits, thinking: Thinking, dropped: list[str]) -> dict[str, Any]:
    """Temperature and its kin, where the model takes them.

    With thoughts they keep their defaults, and temperature and top_p go together no more (Claude 4.1 and later;
    …/docs/en/build-with-claude/extended-thinking and …/about-claude/models/migration-guide, 2026-11-26).
    """
    if not traits.sampling:
        return {}
    given: dict[str, Any] = {"temperature": prompt.temperature, "top_p": prompt.top_p, "top_k": prompt.top_k}
    found = {name: value for name, value in given.items() if value is not None}
    if thinking.on:
        _tell(dropped, prompt, found)
        return {}
    if traits.current and "temperature" in found and found.pop("top_p", None) is not None:
        _tell(dropped, prompt, ("top_p",))
    if found.get("temperature", 0) > TEMPERATURE_MOST:
        found["temperature"] = TEMPERATURE_MOST
        _tell(dropped, prompt, ("temperature",))
    return found


def _labels(prompt: Prompt, dropped: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if prompt.stop:
        found["stop_sequences"] = list(prompt.stop)
    tier = _TIERS.get(prompt.service_tier)
    if tier:
        found["service_tier"] = tier
    elif prompt.service_tier:
        _tell(dropped, prompt, ("service_tier",))
    if prompt.user:
        found["metadata"] = {"user_id": prompt.user[:USER_CHARACTERS_MOST]}
        if len(prompt.user) > USER_CHARACTERS_MOST:
            _tell(dropped, prompt, ("user",))
    return found


def _tell(dropped: list[str], prompt: Prompt, names: Iterable[str]) -> None:
    for name in map(prompt.param, names):
        if name not in dropped:
            dropped.append(name)
