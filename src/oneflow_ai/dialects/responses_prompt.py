"""A request to OpenAI's Responses, read into the middle form: for providers of other wires."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, Failure
from oneflow_ai.core.prompt import Format, Message, Prompt, Text, Tool
from oneflow_ai.dialects.openai_prompt import EFFORTS
from oneflow_ai.dialects.responses_conversation import Conversation

# What only the provider that keeps a conversation can go on with.
KEPT_BY_THE_PROVIDER = ("previous_response_id", "conversation", "prompt")
_LOGPROBS = "message.output_text.logprobs"
# What an answer is nearly the same without: what becomes of it later, how long a cache may keep the prompt, how a long
# conversation is shortened, and how often tools run that the provider has, of which there are none elsewhere.
_MINOR = frozenset({"store", "prompt_cache_options", "prompt_cache_retention", "max_tool_calls", "context_management"})
# What has its place in the middle form, and what says only how an answer is brought.
_KNOWN = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens",
        "temperature", "top_p", "top_logprobs", "text", "reasoning", "service_tier", "user", "safety_identifier",
        "metadata", "prompt_cache_key", "truncation", "models", "fallbacks", "stream", "stream_options", "include",
    }
)  # fmt: skip
_REASONING = {"effort": (), "summary": (), "generate_summary": (), "context": ("auto",), "mode": ("standard",)}
# What this wire calls a field of the middle form.
_PARAMS = MappingProxyType(
    {
        "messages": "input",
        "max_tokens": "max_output_tokens",
        "format": "text.format",
        "verbosity": "text.verbosity",
        "effort": "reasoning.effort",
        "show_reasoning": "reasoning.summary",
        "logprobs": "include",
        "cache_key": "prompt_cache_key",
        "cache_control": "prompt_cache_breakpoint",
    }
)


def read(body: Mapping[str, Any]) -> Prompt:
    """The middle form of a checked request: what only this wire has is named in `further`, or `minor`."""
    further = [name for name in KEPT_BY_THE_PROVIDER if body.get(name)]
    # An answer in the background is one that its client does not wait for; false is nothing.
    elsewhere = [name for name, value in body.items() if value and name not in _KNOWN and name not in further]
    further += [name for name in elsewhere if name not in _MINOR]
    talk = Conversation()
    if body.get("instructions"):
        talk.messages.append(Message("system", (Text(body["instructions"]),)))
    talk.read(body.get("input") or ())
    tools, choice = _tools(body, further), _choice(body.get("tool_choice"), further)
    allowed = choice.pop("allowed", None)
    if allowed is not None:
        tools = tuple(tool for tool in tools if tool.name in allowed)
    text, include = body.get("text") or {}, body.get("include") or ()
    safety, user = body.get("safety_identifier"), body.get("user")
    return Prompt(
        messages=tuple(talk.messages),
        tools=tools,
        **choice,
        parallel_tool_calls=body.get("parallel_tool_calls"),
        max_tokens=body.get("max_output_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        logprobs=_LOGPROBS in include or bool(body.get("top_logprobs")),
        top_logprobs=body.get("top_logprobs"),
        format=_format(text.get("format"), further),
        verbosity=text.get("verbosity") or "",
        **_reasoning(body.get("reasoning") or {}, further),
        # The provider's own choice is what there is without the field.
        service_tier="" if body.get("service_tier") in (None, "auto") else body["service_tier"],
        user=safety or user or "",
        metadata=body.get("metadata"),
        cache_key=body.get("prompt_cache_key") or "",
        truncation=body.get("truncation") == "auto",
        further=(*further, *talk.further),
        minor=(*(name for name in elsewhere if name in _MINOR), *(("user",) if safety and user else ())),
        params=_params(body),
    )


def _params(body: Mapping[str, Any]) -> Mapping[str, str]:
    """What the client calls the fields that this wire has two names for."""
    found = {}
    if body.get("safety_identifier"):
        found["user"] = "safety_identifier"
    if body.get("top_logprobs"):
        found["logprobs"] = "top_logprobs"
    return {**_PARAMS, **found} if found else _PARAMS


def _reasoning(found: Mapping[str, Any], further: list[str]) -> dict[str, Any]:
    """How much it should think, and whether that is shown."""
    effort = found.get("effort")
    if effort is not None and effort not in EFFORTS:
        name = "reasoning.effort"
        raise Failure(INVALID_VALUE, f"{name} is one of {', '.join(EFFORTS)}", param=name)
    for name, value in found.items():
        usual = _REASONING.get(name)
        if value is not None and (usual is None or (usual and value not in usual)):
            further.append(f"reasoning.{name}")
    return {"effort": effort, "show_reasoning": bool(found.get("summary") or found.get("generate_summary"))}


def _format(form: Mapping[str, Any] | None, further: list[str]) -> Format | None:
    kind = "text" if form is None else form["type"]
    if form is None or kind == "text":
        return None
    if kind == "json_object":
        return Format()
    if kind != "json_schema":
        further.append("text.format")
        return None
    strict, words = form.get("strict"), form.get("description")
    return Format(
        form["schema"],
        form["name"],
        words if isinstance(words, str) else "",
        strict if isinstance(strict, bool) else None,
    )


def _tools(body: Mapping[str, Any], further: list[str]) -> tuple[Tool, ...]:
    """The client's functions; tools that the provider runs itself, and free-form ones, only this wire has."""
    found = []
    for place, tool in enumerate(body.get("tools") or ()):
        param = f"tools[{place}]"
        if tool.get("type") == "function":
            found.append(_tool(tool, param))
        else:
            further.append(param)
    return tuple(found)


def _tool(tool: Mapping[str, Any], param: str) -> Tool:
    name, schema, strict = tool.get("name"), tool.get("parameters"), tool.get("strict")
    if not isinstance(name, str) or not name:
        raise Failure(INVALID_TYPE, "a function has a name", param=f"{param}.name")
    if schema is not None and not isinstance(schema, dict):
        raise Failure(INVALID_TYPE, "a function's parameters are a JSON Schema", param=f"{param}.parameters")
    words = tool.get("description")
    return Tool(name, words if isinstance(words, str) else "", schema, strict if isinstance(strict, bool) else None)


def _choice(choice: Any, further: list[str]) -> dict[str, Any]:
    """How tools may be called; `allowed` are the names of those that may, where the request says so."""
    if choice is None:
        return {}
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise Failure(INVALID_VALUE, "tool_choice is auto, none, required or an object", param="tool_choice")
        return {"tool_choice": choice}
    if choice.get("type") == "function" and isinstance(choice.get("name"), str):
        return {"tool_choice": "tool", "tool_name": choice["name"]}
    tools = choice.get("tools")
    if choice.get("type") == "allowed_tools" and isinstance(tools, list) and all(map(_is_function, tools)):
        mode = "required" if choice.get("mode") == "required" else "auto"
        return {"tool_choice": mode, "allowed": frozenset(tool["name"] for tool in tools)}
    further.append("tool_choice")
    return {}


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function" and isinstance(tool.get("name"), str)
