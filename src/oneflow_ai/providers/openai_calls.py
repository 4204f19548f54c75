"""The tool calls of OpenAI's answers: which place each has, and whether all are whole."""

from __future__ import annotations

from typing import Any

from oneflow_ai.providers.base import loaded, word

# Of all calls of an answer; beyond it they are not kept.
CHARACTERS_MOST = 1 << 22


class Tools:
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


class OpenCalls:
    """The calls of functions in one answer, by which a cut is known where the server tells no finish reason.

    There are servers that never tell one and end with `[DONE]`: deepseek-v4-pro at Evolink
    (github.com/openclaw/openclaw/pull/98575), Foundry Local before 1.0 (github.com/microsoft/foundry-local/issues/299;
    both 2026-11-28). So its lack alone is no cut; a call without whole arguments is.
    """

    __slots__ = ("_characters", "_pieces", "_tools")

    def __init__(self) -> None:
        self._tools: dict[int, Tools] = {}
        self._pieces: dict[tuple[int, int], list[str]] = {}
        self._characters = 0

    def note(self, index: int, delta: dict[str, Any], *, whole: bool = False) -> None:
        """Remember what a choice brings of its calls; in a `whole` message each call is its own."""
        calls, legacy = delta.get("tool_calls"), delta.get("function_call")
        if type(calls) is list:
            for order, call in enumerate(calls):
                if type(call) is dict:
                    self._add(index, call, order if whole else call.get("index"))
        if type(legacy) is dict:
            self._add(index, {"function": legacy}, 0)

    def cut(self, finished: set[int]) -> bool:
        """Whether a call is not whole in a choice that is not `finished`."""
        if self._characters > CHARACTERS_MOST:
            return not self._tools.keys() <= finished
        return any(
            loaded("".join(pieces).encode(errors="replace")) is None
            for (index, _), pieces in self._pieces.items()
            if index not in finished
        )

    def _add(self, index: int, call: dict[str, Any], order: Any) -> None:
        function = call.get("function")
        if type(function) is not dict or self._characters > CHARACTERS_MOST:
            return
        tools = self._tools.get(index)
        if tools is None:
            tools = self._tools[index] = Tools()
        place, _ = tools.place(order, word(function.get("name")), word(call.get("id")))
        arguments = function.get("arguments")
        text = "{}" if type(arguments) is dict else word(arguments)
        self._characters += len(text) + 1
        self._pieces.setdefault((index, place), []).append(text)
