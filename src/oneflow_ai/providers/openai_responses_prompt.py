"""From the middle form of a request to the body of one to OpenAI's Responses: for clients of other wires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from oneflow_ai.core.abilities import DROPPED, REFUSED, SENT, Abilities, fit
from oneflow_ai.core.prompt import Format, Prompt, Tool
from oneflow_ai.providers.openai_idiom import ABILITIES as CHAT_ABILITIES
from oneflow_ai.providers.openai_idiom import Idiom
from oneflow_ai.providers.openai_prompt import FORMAT_NAME
from oneflow_ai.providers.openai_reasoners import asked_of, without_usual
from oneflow_ai.providers.openai_responses_items import WIRE
from oneflow_ai.providers.openai_responses_turns import Turns
from oneflow_ai.providers.schema_fit import with_fit_schemas

# OpenAI's Responses (its specification and client, 2026-11-23).
ABILITIES: Abilities = MappingProxyType(
    {
        **CHAT_ABILITIES,
        "document by address": SENT,
        "audio": REFUSED,
        "speaker's name": DROPPED,
        "reasoning given back": SENT,
        "reasoning shown": SENT,
        "stop": REFUSED,
        "seed": DROPPED,
        "n": REFUSED,
        "presence_penalty": DROPPED,
        "frequency_penalty": DROPPED,
        "logit_bias": REFUSED,
        "truncation": SENT,
    }
)
# An answer is never bounded to less here (400 integer_below_min_value; recordings, 2026-11-26).
OUTPUT_TOKENS_LEAST = 16
_SEALED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
# What is sent as it is, where it is taken: the field of the prompt, the wire's name of it, and the feature.
_FIELDS = (
    ("temperature", "temperature", "temperature"),
    ("top_p", "top_p", "top_p"),
    ("calls_in_parallel", "parallel_tool_calls", "parallel tools off"),
    ("user", "user", "user"),
    ("cache_key", "prompt_cache_key", "prompt cache key"),
)


def _abilities(idiom: Idiom, model: str, bare: Abilities) -> Abilities:
    """What a model can be asked for here; cache marks are taken as the server's chat takes them."""
    marks = idiom.at(model, bare).abilities["prompt cache marks"]
    return MappingProxyType({**ABILITIES, **bare, "prompt cache marks": marks})


def body_of(prompt: Prompt, idiom: Idiom, model: str, seals: frozenset[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, but for the model's name, and the client's own names of what was left out of it.

    Nothing of it is stored there. `seals` are the names of wires whose sealed reasoning is the server's own. Raises
    `Failure` (400) that names what the server cannot be asked for.
    """
    prompt = _without_shared(prompt)
    asked = asked_of(row := idiom.reasoner(model), prompt)
    abilities = _abilities(idiom, model, asked.bare)
    if asked.bare:
        prompt = without_usual(prompt)
    dropped = dict.fromkeys((*fit(prompt, abilities, WIRE), *asked.lost))
    if idiom.schemas is not None:
        prompt, loose = with_fit_schemas(prompt, idiom.schemas, WIRE)
        dropped.update(dict.fromkeys(map(prompt.param, loose)))
    marks = abilities["prompt cache marks"] is SENT
    if marks and _marks_unplaced(prompt):
        dropped[prompt.param("cache_control")] = None
    body: dict[str, Any] = {"input": Turns(seals, marks=marks).of(prompt.told().messages), "store": False}
    body |= _tools(prompt)
    for field, name, feature in _FIELDS:
        value = getattr(prompt, field)
        if value not in (None, "") and abilities[feature] is SENT and (name != "parallel_tool_calls" or prompt.tools):
            body[name] = value
    if prompt.truncation:
        body["truncation"] = "auto"
    body |= _text(prompt)
    body |= _bounds(prompt, idiom, dropped)
    include = []
    if prompt.logprobs:
        include.append(_LOGPROBS)
        body |= {} if prompt.top_logprobs is None else {"top_logprobs": prompt.top_logprobs}
    if row is not None and row.efforts:
        body |= _reasoning(prompt, asked.effort)
        include.append(_SEALED)
    if include:
        body["include"] = include
    body |= {name: value for name, value in prompt.shared.items() if value is not None}
    return body, tuple(dropped)


def _without_shared(prompt: Prompt) -> Prompt:
    """A prompt whose fields that a chat shares with this wire stand in `shared` alone, as the client wrote them."""
    shared = prompt.shared
    if not shared:
        return prompt
    return replace(
        prompt,
        user="" if "user" in shared or "safety_identifier" in shared else prompt.user,
        metadata=None if "metadata" in shared else prompt.metadata,
        further=tuple(name for name in prompt.further if name not in shared),
        minor=tuple(name for name in prompt.minor if name not in shared),
    )


def _marks_unplaced(prompt: Prompt) -> bool:
    """Whether cache marks stand where this wire takes none: on tools, and on what the model itself said."""
    said = (part for message in prompt.messages if message.role == "assistant" for part in message.parts)
    return any(tool.cache for tool in prompt.tools) or any(getattr(part, "cache", "") for part in said)


def _bounds(prompt: Prompt, idiom: Idiom, dropped: dict[str, None]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if prompt.max_tokens is not None:
        found["max_output_tokens"] = max(prompt.max_tokens, OUTPUT_TOKENS_LEAST)
        if prompt.max_tokens < OUTPUT_TOKENS_LEAST:
            dropped[prompt.param("max_tokens")] = None
    if prompt.service_tier in idiom.tiers:
        found["service_tier"] = prompt.service_tier
    elif prompt.service_tier:
        dropped[prompt.param("service_tier")] = None
    return found


def _tools(prompt: Prompt) -> dict[str, Any]:
    if not prompt.tools:
        return {}
    found: dict[str, Any] = {"tools": [_tool(tool) for tool in prompt.tools]}
    if prompt.allowed:
        functions = [{"type": "function", "name": name} for name in prompt.allowed]
        found["tool_choice"] = {"type": "allowed_tools", "mode": prompt.tool_choice, "tools": functions}
    elif prompt.tool_choice == "tool":
        found["tool_choice"] = {"type": "function", "name": prompt.tool_name}
    elif prompt.tool_choice:
        found["tool_choice"] = prompt.tool_choice
    return found


def _tool(tool: Tool) -> dict[str, Any]:
    # What is not said to be strict is, here: a schema of another wire need not be fit for it.
    schema = None if tool.schema is None else dict(tool.schema)
    found: dict[str, Any] = {"type": "function", "name": tool.name, "parameters": schema, "strict": tool.strict is True}
    return found | ({"description": tool.description} if tool.description else {})


def _text(prompt: Prompt) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if prompt.format is not None:
        found["format"] = _format(prompt.format)
    if prompt.verbosity:
        found["verbosity"] = prompt.verbosity
    return {"text": found} if found else {}


def _format(wanted: Format) -> Mapping[str, Any]:
    if wanted.schema is None:
        return {"type": "json_object"}
    found: dict[str, Any] = {
        "type": "json_schema",
        "name": wanted.name or FORMAT_NAME,
        "schema": wanted.schema,
        "strict": wanted.strict is True,
    }
    return found | ({"description": wanted.description} if wanted.description else {})


def _reasoning(prompt: Prompt, effort: str) -> dict[str, Any]:
    found = {"effort": effort} if effort else {}
    if prompt.show_reasoning:
        found["summary"] = "auto"
    return {"reasoning": found} if found else {}
