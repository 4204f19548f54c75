"""The blocks of Anthropic's answers, streamed or whole, in the middle form."""

from __future__ import annotations

from typing import Any

from oneflow_ai.core.events import Delta
from oneflow_ai.providers.base import encoded, listed, word

WIRE = "anthropic"
# What of a citation is told: its name in the middle form, and this wire's names of it.
_CITED = (
    ("url", ("url", "source")),
    ("title", ("title", "document_title")),
    ("text", ("cited_text",)),
)
# What kind of content a delta carries, and the field that holds it.
_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("reasoning", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("tool_arguments", "partial_json"),
}


class Blocks:
    """Turns the blocks of one answer into deltas.

    Blocks of tools that the provider ran itself, and their results, have no place in the middle form.
    """

    __slots__ = ("_bare", "_citations", "_from", "_length", "_tools")

    def __init__(self) -> None:
        self._tools: dict[int, int] = {}
        # The block of a call that has no arguments yet.
        self._bare: int | None = None
        self._citations: list[dict[str, Any]] = []
        self._from = 0
        self._length = 0

    def start(self, index: Any, block: dict[str, Any]) -> list[Delta]:
        """Give what a block brings as it begins; a whole answer's block brings all.

        A thought that begins is told even while nothing of it can be read: some models keep all of it to themselves.
        """
        index = index if type(index) is int else 0
        match block.get("type"):
            case "text":
                self._from = self._length
                for citation in listed(block.get("citations")):
                    self._cite(citation)
                return self._piece("text", block.get("text"))
            case "thinking":
                thought = Delta("reasoning", word(block.get("thinking")))
                return [thought, *self._piece("signature", block.get("signature"))]
            case "redacted_thinking":
                data = word(block.get("data"))
                return [Delta("sealed", data, wire=WIRE)] if data else []
            case "tool_use":
                return self._tool(index, block)
            case _:
                return []

    def delta(self, index: Any, delta: dict[str, Any]) -> list[Delta]:
        """Give what a piece of a block brings."""
        index = index if type(index) is int else 0
        kind = word(delta.get("type"))
        if kind == "citations_delta":
            self._cite(delta.get("citation"))
            return []
        if kind not in _DELTAS:
            return []
        name, field = _DELTAS[kind]
        if name == "tool_arguments":
            place, text = self._tools.get(index), word(delta.get(field))
            if place is None or not text:
                return []
            if self._bare == index:
                self._bare = None
            return [Delta(name, text, tool_index=place)]
        return self._piece(name, delta.get(field))

    def stop(self, index: Any) -> list[Delta]:
        """Give what a block's end brings: what its text is said to rest on, and where that text is in the answer.

        A call of a tool that takes nothing is whole then.
        """
        found = [{**citation, "start": self._from, "end": self._length} for citation in self._citations]
        self._citations = []
        deltas = [Delta("citation", encoded(citation)) for citation in found]
        if self._bare is not None and self._bare == index:
            self._bare = None
            deltas.append(Delta("tool_arguments", "{}", tool_index=self._tools[index]))
        return deltas

    def _tool(self, index: int, block: dict[str, Any]) -> list[Delta]:
        name = word(block.get("name"))
        if not name:
            return []
        place = self._tools[index] = len(self._tools)
        found = [Delta("tool_call", name, 0, place, word(block.get("id")))]
        given = block.get("input")
        if given and isinstance(given, dict):
            found.append(Delta("tool_arguments", encoded(given), 0, place))
        else:
            self._bare = index
        return found

    def _piece(self, kind: str, value: Any) -> list[Delta]:
        text = word(value)
        if not text:
            return []
        if kind == "text":
            self._length += len(text)
        return [Delta(kind, text, wire=WIRE if kind == "signature" else "")]

    def _cite(self, citation: Any) -> None:
        if not isinstance(citation, dict):
            return
        found = {}
        for name, fields in _CITED:
            value = next((citation[field] for field in fields if isinstance(citation.get(field), str)), None)
            if value is not None:
                found[name] = value
        self._citations.append(found)
