"""A prompt of the middle form as the body of a chat on OpenAI's wire: for clients of other wires."""

from __future__ import annotations

from typing import Any

from oneflow_ai.core.abilities import SENT, fit
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.prompt import Format, Prompt, Tool, ToolCall
from oneflow_ai.providers.base import renamed
from oneflow_ai.providers.openai_idiom import Idiom
from oneflow_ai.providers.openai_reasoners import asked_of, without_usual
from oneflow_ai.providers.openai_turns import Turns, cache_mark
from oneflow_ai.providers.schema_fit import with_fit_schemas

WIRE = "openai"
# A schema has a name on this wire.
FORMAT_NAME = "answer"
# What is sent as it is, where the server takes it: the field of the prompt, the wire's name of it, and the feature.
_FIELDS = (
    ("temperature", "temperature", "temperature"),
    ("top_p", "top_p", "top_p"),
    ("top_k", "top_k", "top_k"),
    ("seed", "seed", "seed"),
    ("presence_penalty", "presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty", "frequency_penalty"),
    ("logit_bias", "logit_bias", "logit_bias"),
    ("verbosity", "verbosity", "verbosity"),
    ("user", "user", "user"),
    ("cache_key", "prompt_cache_key", "prompt cache key"),
)


def body_of(prompt: Prompt, idiom: Idiom, model: str, seals: frozenset[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, but for the model's name, and the client's own names of what was left out of it.

    `seals` are the names of wires whose sealed reasoning is the server's own. Raises `Failure` (400) that names what
    the server cannot be asked for.
    """
    asked = asked_of(idiom.reasoner(model), prompt)
    idiom = idiom.at(model, asked.bare)
    if asked.bare:
        prompt = without_usual(prompt)
    dropped = dict.fromkeys((*fit(prompt, idiom.abilities, WIRE), *asked.lost))
    if idiom.schemas is not None:
        prompt, loose = with_fit_schemas(prompt, idiom.schemas, WIRE)
        dropped.update(dict.fromkeys(map(prompt.param, loose)))
    if len(prompt.stop) > idiom.stops_most:
        words = f"the target's wire ({WIRE}) takes at most {idiom.stops_most} of them"
        raise Failure(UNSUPPORTED_PARAMETER, words, param=prompt.param("stop"))
    if idiom.abilities["prompt cache marks"] is SENT and _marks_unplaced(prompt, idiom):
        dropped[prompt.param("cache_control")] = None
    body: dict[str, Any] = {"messages": _messages(prompt, idiom, seals)}
    body |= _tools(prompt, idiom)
    if prompt.format is not None:
        body["response_format"] = _format(prompt.format)
    if prompt.max_tokens is not None:
        body[idiom.tokens_field] = prompt.max_tokens
    body |= _plain(prompt, idiom) | _choices(prompt)
    body |= _effort(prompt, idiom, asked.effort)
    if prompt.service_tier in idiom.tiers:
        body["service_tier"] = prompt.service_tier
    elif prompt.service_tier:
        dropped[prompt.param("service_tier")] = None
    return body, tuple(dropped)


def _messages(prompt: Prompt, idiom: Idiom, seals: frozenset[str]) -> list[dict[str, Any]]:
    try:
        written = Turns(idiom, seals).of(prompt.told().messages)
    except Failure as failure:
        raise renamed(failure, prompt) from None
    last = written[-1] if written else {}
    if idiom.marks_begun and last.get("role") == "assistant" and "tool_calls" not in last:
        last["prefix"] = True
    return written


def _plain(prompt: Prompt, idiom: Idiom) -> dict[str, Any]:
    found = ((name, getattr(prompt, field)) for field, name, feature in _FIELDS if idiom.abilities[feature] is SENT)
    return {name: value for name, value in found if value not in (None, "")}


def _marks_unplaced(prompt: Prompt, idiom: Idiom) -> bool:
    """Whether cache marks stand where this wire takes none: on calls of tools, and on tools with OpenAI's own mark."""
    if idiom.cache_mark != "cache_control" and any(tool.cache for tool in prompt.tools):
        return True
    return any(isinstance(part, ToolCall) and part.cache for message in prompt.messages for part in message.parts)


def _tools(prompt: Prompt, idiom: Idiom) -> dict[str, Any]:
    """Tools, and how they may be called; without any the wire refuses to be told of the latter."""
    if not prompt.tools:
        return {}
    found: dict[str, Any] = {"tools": [_tool(tool, idiom) for tool in prompt.tools]}
    if prompt.tool_choice == "tool":
        found["tool_choice"] = {"type": "function", "function": {"name": prompt.tool_name}}
    elif prompt.tool_choice:
        found["tool_choice"] = prompt.tool_choice
    parallel = prompt.calls_in_parallel
    if parallel is not None and idiom.abilities["parallel tools off"] is SENT:
        found["parallel_tool_calls"] = parallel
    return found


def _tool(tool: Tool, idiom: Idiom) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict is not None and idiom.abilities["strict tools"] is SENT:
        function["strict"] = tool.strict
    mark = cache_mark(tool.cache, idiom) if idiom.cache_mark == "cache_control" else {}
    return {"type": "function", "function": function, **mark}


def _format(wanted: Format) -> dict[str, Any]:
    if wanted.schema is None:
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": wanted.name or FORMAT_NAME, "schema": wanted.schema}
    if wanted.description:
        schema["description"] = wanted.description
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _choices(prompt: Prompt) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if prompt.stop:
        found["stop"] = list(prompt.stop)
    if prompt.n > 1:
        found["n"] = prompt.n
    if prompt.logprobs:
        found["logprobs"] = True
        if prompt.top_logprobs is not None:
            found["top_logprobs"] = prompt.top_logprobs
    return found


def _effort(prompt: Prompt, idiom: Idiom, effort: str) -> dict[str, Any]:
    if idiom.effort_object and prompt.effort is None and prompt.thinking_tokens:
        return {"reasoning": {"max_tokens": prompt.thinking_tokens}}
    if not effort:
        return {}
    if idiom.effort_object:
        return {"reasoning": {"effort": effort}}
    if not idiom.thinking_switch:
        return {"reasoning_effort": effort}
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}
