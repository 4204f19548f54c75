"""From the middle form of an answer to the blocks of Anthropic's, as the events that open, fill and close each."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.events import Delta
from oneflow_ai.dialects.anthropic_read import TOOL_MARK
from oneflow_ai.dialects.in_turn import InTurn
from oneflow_ai.dialects.seal import wrapped
from oneflow_ai.dialects.seam import seam

WIRE = "anthropic"
_THOUGHTS = ("reasoning", "signature", "sealed")
Event = dict[str, Any]


class BlockWriter:
    """Turns deltas into block events; one block is open at a time, so that what is mixed is put in turn first.

    A seal of another wire is wrapped, so that it comes back as that wire's own. What this wire has no place for, the
    seal of a tool's call, stands in data of its own after the call.

    `quiet` is for a client that asked for no thoughts: seals without a word are told with the calls of tools alone,
    whose model needs them again, so that a text is the first block of an answer which is one. Once a
    thought is shown, all are, in their places.
    """

    __slots__ = ("_held", "_index", "_open", "_quiet", "_seals", "_turns", "calls")

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        # Seals without a word, which nobody asked for.
        self._held: list[Delta] = []
        self._index = -1
        self._open = ""
        # None before the first call of a tool: until then nothing can be mixed.
        self._turns: InTurn | None = None
        self._seals: list[str] = []
        self.calls = 0

    def write(self, delta: Delta) -> list[Event]:
        """Give the events that a delta brings."""
        if delta.index:
            # This wire knows one choice.
            return []
        turns, kind = self._turns, delta.kind
        if self._quiet and kind == "reasoning" and delta.text:
            # The answer begins with a thought, whatever is held: from here on all has its place.
            self._quiet = False
            return [*self._released(), *self.write(delta)]
        if self._quiet and kind in _THOUGHTS:
            self._held += [delta] if delta.text else []
            return []
        if turns is None:
            if kind == "text":
                return self._said(kind, delta.text)
            if kind != "tool_call":
                return self._events(delta)
            turns = self._turns = InTurn()
        elif kind == "tool_arguments" and turns.flows(delta):
            return self._arguments(delta)
        return [event for each in turns.put(delta) for event in self._events(each)]

    def end(self) -> list[Event]:
        """Give the events of what has waited, and those that end what is open."""
        rest = self._turns.rest() if self._turns is not None else []
        return [*(event for each in rest for event in self._events(each)), *self._close()]

    def _events(self, delta: Delta) -> list[Event]:
        match delta.kind:
            case "text" | "refusal" | "reasoning":
                return self._said("thinking" if delta.kind == "reasoning" else "text", delta.text)
            case "signature":
                return self._signed(delta)
            case "sealed":
                return self._whole({"type": "redacted_thinking", "data": _wrapped(delta)})
            case "tool_call":
                return self._call(delta)
            case "tool_arguments":
                return self._arguments(delta)
            case "tool_signature":
                self._seals.append(TOOL_MARK + wrapped(delta.wire, delta.text))
                return [] if self._open == "tool_use" else self._close()
            case "citation":
                found = {"type": "citations_delta", "citation": _citation(delta.text)}
                return self._piece("text", found, "citation")
            case "continued":
                return self._seam(delta)
            case _:
                return []

    def _close(self) -> list[Event]:
        found: list[Event] = []
        if self._open:
            found.append({"type": "content_block_stop", "index": self._index})
            self._open = ""
        seals, self._seals = self._seals, []
        for seal in seals:
            found += self._whole({"type": "redacted_thinking", "data": seal})
        return found

    def _said(self, kind: str, text: str) -> list[Event]:
        return self._piece(kind, {"type": f"{kind}_delta", kind: text}, text)

    def _seam(self, delta: Delta) -> list[Event]:
        """A piece without text that tells which model goes on."""
        *begun, piece = self._piece("text", {"type": "text_delta", "text": ""}, "seam")
        return [*begun, {**piece, "oneflow": seam(delta)}]

    def _piece(self, kind: str, delta: Event, text: str) -> list[Event]:
        found = [] if self._open == kind else self._begin(kind)
        if text:
            found.append({"type": "content_block_delta", "index": self._index, "delta": delta})
        return found

    def _begin(self, kind: str) -> list[Event]:
        empty = {"type": "thinking", "thinking": "", "signature": ""}
        return self._start(empty if kind == "thinking" else {"type": "text", "text": ""})

    def _start(self, block: Event) -> list[Event]:
        found = self._close()
        self._index += 1
        self._open = block["type"]
        return [*found, {"type": "content_block_start", "index": self._index, "content_block": block}]

    def _whole(self, block: Event) -> list[Event]:
        found = self._start(block)
        self._open = ""
        return [*found, {"type": "content_block_stop", "index": self._index}]

    def _signed(self, delta: Delta) -> list[Event]:
        seal = {"type": "signature_delta", "signature": _wrapped(delta)}
        return self._piece("thinking", seal, delta.text) + self._close()

    def _call(self, delta: Delta) -> list[Event]:
        self.calls += 1
        tool_id = delta.tool_id or f"call_{delta.tool_index}"
        return self._released() + self._start({"type": "tool_use", "id": tool_id, "name": delta.text, "input": {}})

    def _released(self) -> list[Event]:
        held, self._held = self._held, []
        return [event for each in held for event in self._events(each)]

    def _arguments(self, delta: Delta) -> list[Event]:
        if self._open != "tool_use" or not delta.text:
            return []
        piece = {"type": "input_json_delta", "partial_json": delta.text}
        return [{"type": "content_block_delta", "index": self._index, "delta": piece}]


class Content:
    """Gathers block events into the content of a whole answer."""

    __slots__ = ("_blocks", "_pieces")

    def __init__(self) -> None:
        self._blocks: list[Event] = []
        self._pieces: list[list[str]] = []

    def add(self, events: list[Event]) -> None:
        """Some more events."""
        for event in events:
            if event["type"] == "content_block_start":
                self._blocks.append(dict(event["content_block"]))
                self._pieces.append([])
            elif event["type"] == "content_block_delta":
                self._fill(self._blocks[event["index"]], self._pieces[event["index"]], event["delta"])

    def blocks(self) -> list[Event]:
        """The content, complete."""
        for block, pieces in zip(self._blocks, self._pieces, strict=True):
            text = "".join(pieces)
            if block["type"] == "tool_use":
                block["input"] = input_of(text)
            elif block["type"] in ("text", "thinking"):
                block[block["type"]] = text
        return self._blocks

    def _fill(self, block: Event, pieces: list[str], delta: Event) -> None:
        match delta["type"]:
            case "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "text_delta":
                pieces.append(delta["text"])
            case "thinking_delta":
                pieces.append(delta["thinking"])
            case _:
                pieces.append(delta["partial_json"])


def _wrapped(delta: Delta) -> str:
    return delta.text if delta.wire in ("", WIRE) else wrapped(delta.wire, delta.text)


def input_of(text: str) -> Event:
    """The arguments of a tool's call; what a model wrote that is no object, or cannot be told, is quoted as it is."""
    try:
        found = orjson.loads(text) if text.strip() else {}
        # As deep as it will stand in a whole message: what is too deep there must not be found when it was paid for.
        orjson.dumps([[[[[[[[found]]]]]]]])
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        found = None
    return found if isinstance(found, dict) else {"arguments": text}


def _citation(text: str) -> Event:
    """What the middle form tells of a source, as a page found on the web where it has an address."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    found = found if isinstance(found, dict) else {}
    cited = {"cited_text": found.get("text") or ""}
    if found.get("url"):
        address = {"url": found["url"], "title": found.get("title"), "encrypted_index": ""}
        return {"type": "web_search_result_location", **cited, **address}
    place = {"document_index": 0, "document_title": found.get("title"), "start_char_index": 0, "end_char_index": 0}
    return {"type": "char_location", **cited, **place, "file_id": None}
