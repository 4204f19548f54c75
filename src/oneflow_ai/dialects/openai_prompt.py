"""A chat on OpenAI's wire, read into the middle form: for providers of other wires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, Failure
from oneflow_ai.core.prompt import Effort, Format, Prompt, Tool
from oneflow_ai.dialects.openai_conversation import Conversation
from oneflow_ai.dialects.openai_legacy import is_legacy
from oneflow_ai.dialects.openai_parts import cache_of, ids_of_files

EFFORTS: tuple[str, ...] = get_args(Effort)
# What a model is asked for that is to think, but not how much: the default of those who write it so.
EFFORT_UNSAID = "medium"
# How an answer is brought, and what is read elsewhere.
_HARMLESS = frozenset({"model", "messages", "models", "fallbacks", "stream", "stream_options", "usage"})
# What an answer is nearly the same without: what becomes of it later, how long a cache may keep the prompt, a guess at
# the answer that makes it come sooner, and the ways of drawing tokens that only open models' servers have.
_MINOR = frozenset(
    {
        "store", "prompt_cache_options", "prompt_cache_retention", "prediction", "min_p", "top_a", "repetition_penalty",
    }
)  # fmt: skip
# What OpenAI's Responses has by the same name (its specification, CreateResponse, 2026-11-23).
_SHARED = ("user", "safety_identifier", "metadata", "prompt_cache_options", "prompt_cache_retention")
_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def read(body: Mapping[str, Any]) -> Prompt:
    """The middle form of a chat's body that `openai.check` let through.

    `further` names every field that has none: those with a meaning that only this wire has, and unknown ones; `minor`
    those that may be left out; `shared` those of both that OpenAI's Responses has. Raises `Failure` for what cannot be
    read.
    """
    talk = Conversation()
    talk.read(body["messages"])
    files = tuple(ids_of_files(body["messages"]))
    draft = _Draft(body, [*(name for name, _ in files), *talk.further])
    # The model itself says no files, on any wire.
    draft.shared |= {name: None for name, role in files if role != "assistant"}
    for name, value in body.items():
        if value is None or name in _HARMLESS:
            continue
        reader = _FIELDS.get(name)
        if name in _MINOR:
            # Not to be stored is what becomes of every answer elsewhere.
            draft.minor += [name] if value is not False else []
        elif reader is None:
            draft.further.append(name)
        else:
            reader(draft, name, value)
    return Prompt(
        tuple(talk.messages),
        one_call=is_legacy(body),
        further=tuple(draft.further),
        minor=tuple(draft.minor),
        shared=draft.shared,
        params=draft.params,
        **draft.fields,
    )


class _Draft:
    """What a prompt is made of, as it is found: its fields, the client's names of them, and what has no place."""

    __slots__ = ("body", "fields", "further", "minor", "params", "shared")

    def __init__(self, body: Mapping[str, Any], further: list[str]) -> None:
        self.body = body
        self.fields: dict[str, Any] = {}
        self.params: dict[str, str] = {}
        self.further = further
        self.minor: list[str] = []
        self.shared: dict[str, Any] = {name: body[name] for name in _SHARED if body.get(name)}

    def put(self, field: str, param: str, value: Any) -> None:
        """Set a field of the prompt, which the client calls `param`."""
        self.fields[field] = value
        if param != field:
            self.params[field] = param


_Reader = Callable[[_Draft, str, Any], None]


def _as(field: str, words: str, *types: type) -> _Reader:
    """A reader that takes a value of one of these types as it is; `words` name them."""

    def take(draft: _Draft, name: str, value: Any) -> None:
        if type(value) not in types:
            raise Failure(INVALID_TYPE, f"{name} is {words}", param=name)
        draft.put(field, name, value)

    return take


def _number(field: str) -> _Reader:
    return _as(field, "a number", int, float)


def _whole(field: str) -> _Reader:
    return _as(field, "an integer", int)


def _text(field: str) -> _Reader:
    return _as(field, "a text", str)


def _user(draft: _Draft, name: str, value: Any) -> None:
    if draft.body.get("safety_identifier"):
        # Its newer name counts (OpenAI's specification, 2026-11-23).
        draft.minor.append(name)
    else:
        _text("user")(draft, name, value)


def _safety_identifier(draft: _Draft, name: str, value: Any) -> None:
    if value != "":
        _text("user")(draft, name, value)


def _stop(draft: _Draft, name: str, value: Any) -> None:
    stops = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(stop, str) for stop in stops):
        raise Failure(INVALID_TYPE, f"{name} is a text or a list of texts", param=name)
    # An empty one asks for nothing. Servers of this wire take it; no other wire does.
    draft.put("stop", name, tuple(filter(None, stops)))


def _logit_bias(draft: _Draft, name: str, value: Any) -> None:
    if not all(type(bias) is int or type(bias) is float for bias in value.values()):
        raise Failure(INVALID_TYPE, f"{name} maps tokens to numbers", param=name)
    draft.put("logit_bias", name, value)


def _modalities(draft: _Draft, name: str, value: Any) -> None:
    if value != ["text"]:
        draft.further.append(name)


def _service_tier(draft: _Draft, name: str, value: Any) -> None:
    # The provider's own choice is what there is without the field.
    if value != "auto":
        draft.put("service_tier", name, value)


def _effort(draft: _Draft, name: str, value: Any) -> None:
    if value not in EFFORTS:
        raise Failure(INVALID_VALUE, f"{name} is one of {', '.join(EFFORTS)}", param=name)
    draft.put("effort", name, value)


def _budget(draft: _Draft, name: str, value: Any) -> None:
    _whole("thinking_tokens")(draft, name, value)
    if value < 0:
        raise Failure(INVALID_VALUE, f"{name} is not below 0", param=name)


def _reasoning(draft: _Draft, name: str, value: Any) -> None:
    """As clients of OpenRouter write it (openrouter.ai/docs, reasoning tokens, 2026-11-26)."""
    if not isinstance(value, dict):
        raise Failure(INVALID_TYPE, f"{name} is an object", param=name)
    effort, tokens, enabled = value.get("effort"), value.get("max_tokens"), value.get("enabled")
    if effort is not None:
        _effort(draft, f"{name}.effort", effort)
    if tokens is not None:
        _budget(draft, f"{name}.max_tokens", tokens)
    if enabled is False:
        _effort(draft, f"{name}.enabled", "none")
    elif enabled and effort is None and tokens is None:
        _effort(draft, f"{name}.enabled", EFFORT_UNSAID)
    draft.put("show_reasoning", name, value.get("exclude") is not True)


def _thinking(draft: _Draft, name: str, value: Any) -> None:
    """As clients of Anthropic's wire write it, and of servers that took it from there."""
    if not isinstance(value, dict):
        raise Failure(INVALID_TYPE, f"{name} is an object", param=name)
    kind, tokens = value.get("type"), value.get("budget_tokens")
    if kind == "disabled":
        draft.put("thinking_tokens", f"{name}.type", 0)
        return
    if tokens is not None:
        _budget(draft, f"{name}.budget_tokens", tokens)
    elif draft.body.get("reasoning_effort") is None:
        _effort(draft, f"{name}.type", EFFORT_UNSAID)
    draft.put("show_reasoning", name, value.get("display") != "omitted")


def _response_format(draft: _Draft, name: str, value: Any) -> None:
    kind = value.get("type")
    if kind == "json_object":
        draft.put("format", name, Format())
    elif kind == "json_schema":
        draft.put("format", name, _format(value.get("json_schema"), f"{name}.json_schema"))
    elif kind not in (None, "text"):
        draft.further.append(name)


def _format(found: Any, param: str) -> Format:
    if not isinstance(found, dict):
        raise Failure(INVALID_TYPE, f"{param} is an object", param=param)
    schema = found.get("schema")
    if schema is not None and not isinstance(schema, dict):
        raise Failure(INVALID_TYPE, f"{param}.schema is a JSON Schema", param=f"{param}.schema")
    return Format(schema or {}, _word(found, "name"), _word(found, "description"), _flag(found, "strict"))


def _tools(draft: _Draft, name: str, value: Any) -> None:
    found = list(draft.fields.get("tools", ()))
    for place, tool in enumerate(value):
        param = f"{name}[{place}]"
        if name == "functions":
            found.append(_tool(tool, tool, param))
        elif tool.get("type") in (None, "function"):
            found.append(_tool(tool.get("function"), tool, f"{param}.function"))
        else:
            draft.further.append(param)
    if found:
        draft.put("tools", name, tuple(found))


def _tool(function: Any, tool: Mapping[str, Any], param: str) -> Tool:
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise Failure(INVALID_TYPE, "a function of tools has a name", param=f"{param}.name")
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise Failure(INVALID_TYPE, "a function's parameters are a JSON Schema", param=f"{param}.parameters")
    cache = cache_of(tool, param) or cache_of(function, param)
    return Tool(name, _word(function, "description"), schema, _flag(function, "strict"), cache)


def _tool_choice(draft: _Draft, name: str, value: Any) -> None:
    if isinstance(value, str):
        choice = _TOOL_CHOICES.get(value)
        if choice is None:
            raise Failure(INVALID_VALUE, f"{name} is auto, none, required or an object", param=name)
        draft.put("tool_choice", name, choice)
        return
    if not isinstance(value, dict):
        raise Failure(INVALID_TYPE, f"{name} is a text or an object", param=name)
    if value.get("type") == "allowed_tools":
        _allowed_tools(draft, name, value.get("allowed_tools"))
        return
    function = value if name == "function_call" else value.get("function")
    wanted = function.get("name") if isinstance(function, dict) else None
    if isinstance(wanted, str) and value.get("type") in (None, "function"):
        draft.put("tool_choice", name, "tool")
        draft.put("tool_name", name, wanted)
    else:
        draft.further.append(name)


def _allowed_tools(draft: _Draft, name: str, found: Any) -> None:
    """The tools that alone may be called: `further` has the field as well, since few wires can be told so."""
    draft.further.append(name)
    mode, tools = (found.get("mode"), found.get("tools")) if isinstance(found, dict) else (None, None)
    names = [_function_name(tool) for tool in tools] if isinstance(tools, list) else []
    if mode in ("auto", "required") and names and all(names) and draft.body.get("tools"):
        draft.put("tool_choice", name, mode)
        draft.put("allowed", name, tuple(names))
        draft.shared[name] = None


def _function_name(tool: Any) -> str:
    """The name of a function among tools; empty for what is none."""
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    return _word(function, "name") if isinstance(function, dict) else ""


def _word(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _flag(found: Mapping[str, Any], name: str) -> bool | None:
    value = found.get(name)
    return value if isinstance(value, bool) else None


_FIELDS: Mapping[str, _Reader] = {
    "tools": _tools,
    "functions": _tools,
    "tool_choice": _tool_choice,
    "function_call": _tool_choice,
    "parallel_tool_calls": _as("parallel_tool_calls", "true or false", bool),
    "max_tokens": _whole("max_tokens"),
    "max_completion_tokens": _whole("max_tokens"),
    "temperature": _number("temperature"),
    "top_p": _number("top_p"),
    "top_k": _whole("top_k"),
    "stop": _stop,
    "seed": _whole("seed"),
    "n": _whole("n"),
    "presence_penalty": _number("presence_penalty"),
    "frequency_penalty": _number("frequency_penalty"),
    "logit_bias": _logit_bias,
    "logprobs": _as("logprobs", "true or false", bool),
    "top_logprobs": _whole("top_logprobs"),
    "response_format": _response_format,
    "reasoning_effort": _effort,
    "reasoning": _reasoning,
    "include_reasoning": _as("show_reasoning", "true or false", bool),
    "thinking": _thinking,
    "modalities": _modalities,
    "verbosity": _text("verbosity"),
    "service_tier": _service_tier,
    "user": _user,
    "safety_identifier": _safety_identifier,
    "metadata": _as("metadata", "an object", dict),
    "prompt_cache_key": _text("cache_key"),
}
