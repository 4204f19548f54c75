"""One choice of OpenAI's answers, streamed or whole: whether it carries content, and its middle form."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.events import Delta

# What of a delta is text: the field's name and the middle form's kind of it.
_TEXT_FIELDS = (
    ("content", "text"),
    ("reasoning_content", "reasoning"),
    ("reasoning", "reasoning"),
    ("refusal", "refusal"),
)


def delta_of(choice: dict[str, Any]) -> dict[str, Any]:
    """What a choice brings, under its name in a stream, in a whole answer, or on the completions wire."""
    for name in ("delta", "message"):
        found = choice.get(name)
        if isinstance(found, dict):
            return found
    return {"content": choice.get("text")}


def has_content(delta: dict[str, Any]) -> bool:
    """Whether it carries content, reasoning, a tool call or media; a role alone is none of it."""
    return bool(
        delta.get("content")
        or delta.get("tool_calls")
        or delta.get("reasoning_content")
        or delta.get("reasoning")
        or delta.get("refusal")
        or delta.get("function_call")
        or delta.get("audio")
        or delta.get("images")
    )


class Deltas:
    """Turns the deltas of one answer into the middle form; it remembers which tool calls have begun."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[int, _Tools] = {}

    def of(self, delta: dict[str, Any], choice_index: Any, *, whole: bool = False) -> list[Delta]:
        """Give what one delta of the choice at that index brings; in a `whole` message each tool call is its own."""
        index = choice_index if type(choice_index) is int else 0
        found: list[Delta] = []
        for field, kind in _TEXT_FIELDS:
            value = delta.get(field)
            if value and not (field == "reasoning" and delta.get("reasoning_content")):
                found += [Delta(name, text, index) for name, text in _texts(value, kind)]
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            for order, call in enumerate(calls):
                if isinstance(call, dict):
                    found += self._tool(call, index, order if whole else call.get("index"))
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            found += self._tool({"function": legacy}, index, 0)
        return found

    def _tool(self, call: dict[str, Any], index: int, order: Any) -> list[Delta]:
        function = call.get("function") or call.get("custom")
        if not isinstance(function, dict):
            function = {}
        name, tool_id = _word(function.get("name")), _word(call.get("id"))
        place, begins = self._choices.setdefault(index, _Tools()).place(order, name, tool_id)
        arguments = function.get("arguments", function.get("input"))
        if isinstance(arguments, dict):
            arguments = _encoded(arguments)
        found = []
        if begins:
            found.append(Delta("tool_call", name, index, place, tool_id))
        if isinstance(arguments, str) and arguments:
            found.append(Delta("tool_arguments", arguments, index, place))
        return found


class _Tools:
    """The tool calls of one choice: which place each has in the middle form.

    That is its own `index`, but for servers that send none, or the same one for every call: there a new id begins a new
    call (Ollama, github.com/ollama/ollama/issues/7881 and 15457, checked 2026-11-24).
    """

    __slots__ = ("_ids", "_last", "_named", "_next", "_places")

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._ids: dict[int, str] = {}
        self._named: set[int] = set()
        self._last: int | None = None
        self._next = 0

    def place(self, index: Any, name: str, tool_id: str) -> tuple[int, bool]:
        """Give the place of a piece of a call, and whether the call begins with it."""
        key = index if type(index) is int else None
        place = self._last if key is None else self._places.get(key)
        if place is None or (name and place in self._named and self._is_other(place, tool_id, key is None)):
            place = key if key is not None and key not in self._ids else self._next
            self._ids[place] = tool_id
            self._next = max(self._next, place + 1)
        if key is not None:
            self._places[key] = place
        self._last = place
        begins = bool(name) and place not in self._named
        if begins:
            self._named.add(place)
        return place, begins

    def _is_other(self, place: int, tool_id: str, without_index: bool) -> bool:
        known = self._ids[place]
        if without_index:
            return not tool_id or tool_id != known
        return bool(known and tool_id) and tool_id != known


def _texts(value: Any, kind: str) -> list[tuple[str, str]]:
    """The kind and text of a field: a text, or a list of parts where a reasoning model of Mistral's sends one."""
    if isinstance(value, str):
        return [(kind, value)]
    found: list[tuple[str, str]] = []
    for part in value if isinstance(value, list) else []:
        if isinstance(part, dict):
            thinking = part.get("thinking")
            if thinking:
                found += _texts(thinking, "reasoning")
            elif isinstance(part.get("text"), str) and part["text"]:
                found.append((kind, part["text"]))
    return found


def _encoded(value: dict[str, Any]) -> str:
    """Its JSON; nothing of what is nested deeper than the encoder goes."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
