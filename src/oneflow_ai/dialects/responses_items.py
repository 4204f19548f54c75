"""From the middle form of an answer to the items of OpenAI's Responses, as the events that open, fill and end each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from oneflow_ai.core.events import Delta
from oneflow_ai.dialects.responses_conversation import CALL_MARK, SEALED_MARK
from oneflow_ai.dialects.responses_frame import COMPLETED, IN_PROGRESS
from oneflow_ai.dialects.seal import wrapped
from oneflow_ai.dialects.seam import seam

Event = dict[str, Any]
# What a tool is called with that takes nothing: clients of this wire parse it as JSON.
_NO_ARGUMENTS = "{}"


@dataclass(slots=True)
class _Called:
    """A call of a tool that is being written."""

    place: int
    item: Event
    pieces: list[str] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)


class ItemWriter:
    """Turns deltas into events without their numbers; `output` is what has become of the items.

    One message or thought is open at a time; calls of tools stay open to the end, for their pieces may be mixed. A seal
    of another wire is wrapped, so that it comes back as that wire's own; a call's, for which this wire has no place,
    stands in a thought after all else. `refused` says that the model told what it will not do.
    """

    __slots__ = ("_calls", "_characters", "_item", "_part", "_part_from", "_pieces", "_unique", "output", "refused")

    def __init__(self, unique: str) -> None:
        self._unique = unique
        self._calls: dict[int, _Called] = {}
        self._item: Event | None = None
        self._part: Event | None = None
        self._pieces: list[str] = []
        self._characters = self._part_from = 0
        self.output: list[Event] = []
        self.refused = False

    def write(self, delta: Delta) -> list[Event]:
        """Give the events that a delta brings."""
        if delta.index:
            # This wire knows one choice.
            return []
        kind, text = delta.kind, delta.text
        if kind == "text":
            return [*self._open_part("output_text"), *self._piece("response.output_text.delta", text, logprobs=[])]
        if kind == "refusal":
            self.refused = True
            return [*self._open_part("refusal"), *self._piece("response.refusal.delta", text)]
        if kind == "reasoning":
            return self._thought(text)
        write = {
            "signature": self._signed,
            "sealed": self._sealed,
            "tool_call": self._call,
            "tool_arguments": self._arguments,
            "tool_signature": self._call_sealed,
            "citation": self._cite,
            "logprobs": self._logprobs,
            "continued": self._seam,
        }.get(kind)
        return [] if write is None else write(delta)

    def close(self, status: str = COMPLETED) -> list[Event]:
        """Give the events that end all that is open; what was cut, or may have been, has this status."""
        found = self._close_item(status)
        for called in self._calls.values():
            found += self._close_call(called, status)
        for called in self._calls.values():
            for seal in called.seals:
                found += self._whole_thought(seal)
        self._calls = {}
        return found

    # ---- messages and thoughts

    def _open_part(self, kind: str) -> list[Event]:
        """A part of a message; nothing where such a one is open already."""
        if self._part is not None and self._part["type"] == kind:
            return []
        found: list[Event] = []
        if self._item is None or self._item["type"] != "message":
            found += self._close_item()
            message = {"type": "message", "status": IN_PROGRESS, "role": "assistant", "content": []}
            found += self._open_item("msg", message)
        else:
            found += self._close_part()
        assert self._item is not None
        field = "refusal" if kind == "refusal" else "text"
        self._part = {"type": kind, field: ""}
        if kind == "output_text":
            self._part |= {"annotations": [], "logprobs": []}
        self._part_from = self._characters
        found.append({"type": "response.content_part.added", **self._at(), "part": _copy(self._part)})
        return found

    def _thought(self, text: str) -> list[Event]:
        found: list[Event] = []
        if self._item is None or self._item["type"] != "reasoning":
            found += self._close_item()
            found += self._open_item("rs", {"type": "reasoning", "summary": []})
        if text and self._part is None:
            self._part = {"type": "summary_text", "text": ""}
            part = {"type": "response.reasoning_summary_part.added", **self._at(), "part": _copy(self._part)}
            found.append(part)
        return [*found, *self._piece("response.reasoning_summary_text.delta", text)]

    def _signed(self, delta: Delta) -> list[Event]:
        found = self._thought("")
        assert self._item is not None
        self._item["encrypted_content"] = wrapped(delta.wire, delta.text)
        return found + self._close_item()

    def _sealed(self, delta: Delta) -> list[Event]:
        return self._close_item() + self._whole_thought(wrapped(delta.wire, SEALED_MARK + delta.text))

    def _whole_thought(self, seal: str) -> list[Event]:
        found = self._open_item("rs", {"type": "reasoning", "summary": [], "encrypted_content": seal})
        return found + self._close_item()

    def _cite(self, delta: Delta) -> list[Event]:
        found = self._open_part("output_text")
        assert self._part is not None
        annotations = self._part["annotations"]
        # Within its part, where the middle form counts in the whole answer.
        cited = _citation(delta.text, self._characters, self._part_from)
        annotations.append(cited)
        event = {"type": "response.output_text.annotation.added", **self._at(), "annotation": cited}
        return [*found, event | {"annotation_index": len(annotations) - 1}]

    def _logprobs(self, delta: Delta) -> list[Event]:
        found = self._open_part("output_text")
        assert self._part is not None
        told = _tokens(delta.text)
        self._part["logprobs"] += told
        return [*found, {"type": "response.output_text.delta", **self._at(), "delta": "", "logprobs": told}]

    def _seam(self, delta: Delta) -> list[Event]:
        """A piece without text that tells which model goes on."""
        found = self._open_part("output_text")
        piece = {"type": "response.output_text.delta", **self._at(), "delta": "", "logprobs": []}
        return [*found, {**piece, "oneflow": seam(delta)}]

    def _piece(self, kind: str, text: str, **more: Any) -> list[Event]:
        if not text:
            return []
        self._pieces.append(text)
        if kind == "response.output_text.delta":
            self._characters += len(text)
        return [{"type": kind, **self._at(), "delta": text, **more}]

    def _open_item(self, prefix: str, item: Event) -> list[Event]:
        place = len(self.output)
        item = {"id": f"{prefix}_{self._unique}_{place}", **item}
        self.output.append(item)
        if prefix != "fc":
            self._item = item
        return [{"type": "response.output_item.added", "output_index": place, "item": _copy(item)}]

    def _close_part(self) -> list[Event]:
        part = self._part
        if part is None or self._item is None:
            return []
        text, at = "".join(self._pieces), self._at()
        field = "refusal" if part["type"] == "refusal" else "text"
        part[field] = text
        self._part, self._pieces = None, []
        if part["type"] == "summary_text":
            self._item["summary"].append(part)
            name, whole = "response.reasoning_summary_text.done", "response.reasoning_summary_part.done"
        else:
            self._item["content"].append(part)
            name, whole = f"response.{part['type']}.done", "response.content_part.done"
        more = {"logprobs": part["logprobs"]} if part["type"] == "output_text" else {}
        return [{"type": name, **at, field: text, **more}, {"type": whole, **at, "part": part}]

    def _close_item(self, status: str = COMPLETED) -> list[Event]:
        found, item = self._close_part(), self._item
        if item is None:
            return []
        if item["type"] == "message":
            item["status"] = status
        place, self._item = self._place(item), None
        return [*found, {"type": "response.output_item.done", "output_index": place, "item": item}]

    def _at(self) -> Event:
        """Where the open part stands."""
        item = self._item
        assert item is not None
        field, name = ("summary", "summary_index") if item["type"] == "reasoning" else ("content", "content_index")
        return {"item_id": item["id"], "output_index": self._place(item), name: len(item[field])}

    def _place(self, item: Event) -> int:
        return int(item["id"].rpartition("_")[2])

    # ---- calls of tools

    def _call(self, delta: Delta) -> list[Event]:
        found, place = self._close_item(), len(self.output)
        call_id = delta.tool_id or f"call_{self._unique}_{place}"
        item = {"type": "function_call", "status": IN_PROGRESS, "arguments": "", "call_id": call_id, "name": delta.text}
        found += self._open_item("fc", item)
        self._calls[delta.tool_index] = _Called(place, self.output[place])
        return found

    def _arguments(self, delta: Delta) -> list[Event]:
        called = self._calls.get(delta.tool_index)
        if called is None or not delta.text:
            return []
        called.pieces.append(delta.text)
        return [_argument(called, delta.text)]

    def _call_sealed(self, delta: Delta) -> list[Event]:
        called = self._calls.get(delta.tool_index)
        if called is not None:
            named = orjson.dumps([called.item["call_id"], delta.text]).decode()
            called.seals.append(wrapped(delta.wire, CALL_MARK + named))
        return []

    def _close_call(self, called: _Called, status: str) -> list[Event]:
        found: list[Event] = []
        if not called.pieces and status == COMPLETED:
            called.pieces.append(_NO_ARGUMENTS)
            found.append(_argument(called, _NO_ARGUMENTS))
        item, text = called.item, "".join(called.pieces)
        item["arguments"], item["status"] = text, status
        at = {"item_id": item["id"], "output_index": called.place, "name": item["name"], "arguments": text}
        found.append({"type": "response.function_call_arguments.done", **at})
        return [*found, {"type": "response.output_item.done", "output_index": called.place, "item": item}]


def _argument(called: _Called, text: str) -> Event:
    at = {"item_id": called.item["id"], "output_index": called.place}
    return {"type": "response.function_call_arguments.delta", **at, "delta": text}


def _tokens(text: str) -> list[Any]:
    """The tokens of a piece; none where they are too deep to be told within a response."""
    found: list[Any] = orjson.loads(text)
    try:
        orjson.dumps([[[[[[[[found]]]]]]]])
    except orjson.JSONEncodeError:
        return []
    return found


def _copy(found: Event) -> Event:
    """As it is now: what it holds will grow."""
    return {name: list(value) if isinstance(value, list) else value for name, value in found.items()}


def _citation(text: str, characters: int, part_from: int) -> Event:
    """A citation of the middle form: an address, or a file by its name; without a place it stands after the text."""
    found = orjson.loads(text)
    start, end = found.get("start"), found.get("end")
    if not found.get("url"):
        return {"type": "file_citation", "file_id": "", "filename": found.get("title") or "", "index": 0}
    return {
        "type": "url_citation",
        "url": found["url"],
        "title": found.get("title") or "",
        "start_index": max((characters if start is None else start) - part_from, 0),
        "end_index": max((characters if end is None else end) - part_from, 0),
    }
