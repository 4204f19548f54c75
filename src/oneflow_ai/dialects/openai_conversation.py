"""The messages of a chat on OpenAI's wire, read into the middle form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.failure import INVALID_MESSAGES, Failure
from oneflow_ai.core.prompt import Document, Image, Message, Part, Refusal, Role, Text, ToolCall, ToolResult
from oneflow_ai.dialects.openai_parts import cache_of, part_of
from oneflow_ai.dialects.openai_thoughts import thoughts_of
from oneflow_ai.dialects.seal import is_wrapped, unwrapped

# What a message may hold and what is read of it, or may be left: what answers carry and clients give back unread.
_KNOWN = frozenset(
    {
        "role", "content", "name", "tool_calls", "function_call", "tool_call_id", "refusal", "reasoning_content",
        "reasoning", "reasoning_details", "cache_control", "annotations", "provider_specific_fields", "thinking_blocks",
        # As OpenAI's client has read the content, which is there too.
        "parsed",
    }
)  # fmt: skip

# Where a message may hold what another wire sealed.
_SEALED = frozenset({"reasoning_details", "tool_calls", "function_call"})


class Conversation:
    """Reads the messages of one chat. `messages` is their middle form; `further` names what that has no place for."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.further: list[str] = []
        self._results: list[Part] = []
        # Of each function its last call, and those of this turn that have no result yet.
        self._legacy_ids: dict[str, str] = {}
        self._legacy_waiting: dict[str, list[str]] = {}

    def read(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Read them all; they are as `check_messages` lets them through. Raises `Failure` for what cannot be read."""
        for place, message in enumerate(messages):
            param = f"messages[{place}]"
            self.further += [f"{param}.{name}" for name, value in message.items() if value and name not in _KNOWN]
            role = message["role"]
            if role not in ("tool", "function"):
                self._end_results()
            _ROLES[role](self, message, param)
        self._end_results()

    def _system(self, message: Mapping[str, Any], param: str) -> None:
        self._said("system", message, self._content(message, param), param)

    def _user(self, message: Mapping[str, Any], param: str) -> None:
        self._legacy_waiting.clear()
        self._said("user", message, self._content(message, param), param)

    def _assistant(self, message: Mapping[str, Any], param: str) -> None:
        parts = [*thoughts_of(message), *self._content(message, param)]
        refusal = message.get("refusal")
        if isinstance(refusal, str) and refusal:
            parts.append(Refusal(refusal))
        for number, call in enumerate(message.get("tool_calls") or ()):
            parts += self._call(call, f"{param}.tool_calls[{number}]")
        legacy = message.get("function_call")
        if legacy:
            # The older form has no ids: its answers name the function.
            made = self._sealed(legacy, f"call_{len(self.messages)}", legacy, f"{param}.function_call")
            self._legacy_ids[made.name] = made.id
            self._legacy_waiting.setdefault(made.name, []).append(made.id)
            parts.append(made)
        self._said("assistant", message, parts, param)

    def _tool(self, message: Mapping[str, Any], param: str) -> None:
        self._result(message["tool_call_id"], message, param)

    def _legacy_result(self, message: Mapping[str, Any], param: str) -> None:
        name = message.get("name")
        if not isinstance(name, str) or name not in self._legacy_ids:
            raise _wrong(f"{param}.name", "a function's message names the function of an earlier function_call")
        waiting = self._legacy_waiting.get(name)
        self._result(waiting.pop(0) if waiting else self._legacy_ids[name], message, param)

    def _said(self, role: Role, message: Mapping[str, Any], parts: list[Part], param: str) -> None:
        parts, name = _with_mark(parts, cache_of(message, param)), message.get("name")
        self.messages.append(Message(role, tuple(parts), name if isinstance(name, str) else ""))

    def _result(self, call_id: str, message: Mapping[str, Any], param: str) -> None:
        content = self._content(message, param)
        for part in content:
            if not isinstance(part, Text | Image | Document):
                raise _wrong(param, "a tool's message holds texts, images and files")
        parts = tuple(part for part in content if isinstance(part, Text | Image | Document))
        self._results.append(ToolResult(call_id, parts, cache=cache_of(message, param)))

    def _end_results(self) -> None:
        """The results of one round stand in one message."""
        if self._results:
            self.messages.append(Message("user", tuple(self._results)))
            self._results = []

    def _content(self, message: Mapping[str, Any], param: str) -> list[Part]:
        content = message.get("content")
        if isinstance(content, str):
            return [Text(content)] if content or message["role"] != "assistant" else []
        parts: list[Part] = []
        for number, given in enumerate(content or ()):
            place = f"{param}.content[{number}]"
            part = part_of(given, place)
            if isinstance(part, str):
                self.further.append(part)
            else:
                parts.append(part)
        return parts

    def _call(self, call: Mapping[str, Any], param: str) -> list[Part]:
        if call.get("type") not in (None, "function"):
            self.further.append(param)
            return []
        made = self._sealed(call.get("function"), call["id"], call, f"{param}.function")
        return [replace(made, cache=cache_of(call, param))]

    def _sealed(self, function: Any, call_id: str, call: Mapping[str, Any], param: str) -> ToolCall:
        made = self._function(function, call_id, param)
        wire, seal = unwrapped(_signature(call))
        return replace(made, signature=seal, wire=wire)

    def _function(self, function: Any, call_id: str, param: str) -> ToolCall:
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str):
            raise _wrong(param, "a call of a tool has the function's name")
        arguments = function.get("arguments") or ""
        if isinstance(arguments, dict):
            arguments = orjson.dumps(arguments).decode()
        if not isinstance(arguments, str):
            raise _wrong(f"{param}.arguments", "a function's arguments are JSON as a text")
        return ToolCall(call_id, name, arguments)


_ROLES: Mapping[str, Callable[[Conversation, Mapping[str, Any], str], None]] = {
    "system": Conversation._system,
    "developer": Conversation._system,
    "user": Conversation._user,
    "assistant": Conversation._assistant,
    "tool": Conversation._tool,
    "function": Conversation._legacy_result,
}


def holds_wrapped_seals(messages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a message gives back reasoning, or a tool call, that another wire sealed."""
    return any(not _SEALED.isdisjoint(message) and any(map(is_wrapped, _seals(message))) for message in messages)


def _seals(message: Mapping[str, Any]) -> list[Any]:
    details, calls = message.get("reasoning_details"), message.get("tool_calls")
    found: list[Any] = []
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            found += [detail.get("signature"), detail.get("data")]
    for call in (*(calls if isinstance(calls, list) else ()), message.get("function_call")):
        if isinstance(call, dict) and "extra_content" in call:
            found.append(_signature(call))
    return found


def _signature(call: Mapping[str, Any]) -> str:
    """The seal of a tool call, where Google's servers of this wire have it (ai.google.dev, thought signatures)."""
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else ""


def _with_mark(parts: list[Part], cache: str) -> list[Part]:
    """The parts, the last with the cache mark that the message itself has."""
    if cache and parts and isinstance(last := parts[-1], Text | Image | Document | ToolCall):
        parts[-1] = replace(last, cache=cache)
    return parts


def _wrong(param: str, words: str) -> Failure:
    return Failure(INVALID_MESSAGES, words, param=param)
