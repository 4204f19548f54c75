"""The items of OpenAI's Responses, streamed or whole, in the middle form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from oneflow_ai.core.events import Delta
from oneflow_ai.providers.base import encoded, listed, mapping, word

WIRE = "responses"
# The calls that the client answers, and the field of what they are called with.
CALLS: Mapping[str, str] = {"function_call": "arguments", "custom_tool_call": "input"}
_BREAK = "\n\n"
# Of a citation: the middle form's name, the wire's, and what it must be.
_CITED = (("url", "url", str), ("title", "title", str), ("start", "start_index", int), ("end", "end_index", int))
Fields = dict[str, Any]


def has_content(kind: str, event: Fields) -> bool:
    """Whether an event carries content, or is a sign of life in its stead: a thought or a tool's run that begins."""
    if kind.endswith(".delta"):
        return True
    if kind == "response.output_item.added":
        return word(mapping(event.get("item")).get("type")) not in ("", "message")
    return "_call." in kind and not kind.endswith(".done")


class Items:
    """Turns the items of one response into deltas; what a stream left out of its pieces is told as an item ends.

    Calls of tools that the provider ran itself, and their results, have no place in the middle form. `called` says that
    a tool of the client's was called, `refused` that the model would not answer.
    """

    __slots__ = ("_calls", "_heard", "_length", "_parts", "_starts", "called", "refused")

    def __init__(self) -> None:
        self._calls: dict[Any, int] = {}
        self._heard: set[tuple[Any, str]] = set()
        self._starts: dict[tuple[Any, Any], int] = {}
        self._parts: dict[Any, Any] = {}
        self._length = 0
        self.called = self.refused = False

    def event(self, kind: str, event: Fields) -> list[Delta]:
        """Give what one event of a stream brings."""
        read = _EVENTS.get(kind)
        if read is None:
            return []
        place = event.get("output_index")
        return read(self, place if type(place) is int else 0, event)

    def whole(self, output: list[Any]) -> list[Delta]:
        """Give what the items of a whole response bring."""
        found: list[Delta] = []
        for place, item in enumerate(output):
            if isinstance(item, dict):
                found += self._begin(place, item)
                found += self._end(place, item)
        return found

    def _added(self, place: int, event: Fields) -> list[Delta]:
        item = mapping(event.get("item"))
        if item.get("type") == "reasoning":
            # A thought that begins is told even while nothing of it can be read.
            self._heard.add((place, "thought"))
            return [Delta("reasoning", "")]
        return self._begin(place, item)

    def _done(self, place: int, event: Fields) -> list[Delta]:
        return self._end(place, mapping(event.get("item")))

    def _begin(self, place: int, item: Fields) -> list[Delta]:
        name = word(item.get("name"))
        if word(item.get("type")) not in CALLS or not name or place in self._calls:
            return []
        self.called = True
        number = self._calls[place] = len(self._calls)
        return [Delta("tool_call", name, tool_index=number, tool_id=word(item.get("call_id")))]

    def _end(self, place: int, item: Fields) -> list[Delta]:
        kind = word(item.get("type"))
        if kind == "message":
            return [
                delta for at, part in enumerate(listed(item.get("content"))) for delta in self._said(place, at, part)
            ]
        if kind == "reasoning":
            return self._thought(place, item)
        if kind in CALLS:
            # A call of a function that takes nothing is whole as its item ends.
            given = item.get(CALLS[kind]) or ("{}" if kind == "function_call" else None)
            return [*self._begin(place, item), *self._given(place, given)]
        return []

    def _arguments(self, place: int, event: Fields) -> list[Delta]:
        text, number = word(event.get("delta")), self._calls.get(place)
        if number is None or not text:
            return []
        self._heard.add((place, "arguments"))
        return [Delta("tool_arguments", text, tool_index=number)]

    def _given(self, place: int, value: Any) -> list[Delta]:
        text = encoded(value) if isinstance(value, dict) else word(value)
        number = self._calls.get(place)
        if number is None or not text or (place, "arguments") in self._heard:
            return []
        return [Delta("tool_arguments", text, tool_index=number)]

    def _text(self, place: int, event: Fields) -> list[Delta]:
        self._heard.add((place, "text"))
        return self._say(place, event.get("content_index"), event.get("delta"), event.get("logprobs"))

    def _refusal(self, place: int, event: Fields) -> list[Delta]:
        self._heard.add((place, "refusal"))
        return self._refuse(event.get("delta"))

    def _annotation(self, place: int, event: Fields) -> list[Delta]:
        self._heard.add((place, "annotation"))
        return self._cite(place, event.get("content_index"), event.get("annotation"))

    def _said(self, place: int, at: int, part: Any) -> list[Delta]:
        """What a message's part brings that no event told before."""
        part, found = mapping(part), []
        if part.get("type") == "refusal" and (place, "refusal") not in self._heard:
            found += self._refuse(part.get("refusal"))
        if part.get("type") == "output_text":
            if (place, "text") not in self._heard:
                found += self._say(place, at, part.get("text"), part.get("logprobs"))
            if (place, "annotation") not in self._heard:
                for annotation in listed(part.get("annotations")):
                    found += self._cite(place, at, annotation)
        return found

    def _say(self, place: int, at: Any, value: Any, logprobs: Any) -> list[Delta]:
        text, found = word(value), []
        self._starts.setdefault((place, at if type(at) is int else 0), self._length)
        if text:
            self._length += len(text)
            found.append(Delta("text", text))
        told = encoded(logprobs) if isinstance(logprobs, list) and logprobs else ""
        if told:
            found.append(Delta("logprobs", told))
        return found

    def _refuse(self, value: Any) -> list[Delta]:
        text = word(value)
        self.refused |= bool(text)
        return [Delta("refusal", text)] if text else []

    def _cite(self, place: int, at: Any, annotation: Any) -> list[Delta]:
        """A citation, its place counted in the whole answer; a file's is known by its name."""
        annotation = mapping(annotation)
        told = {name: annotation[given] for name, given, kind in _CITED if type(annotation.get(given)) is kind}
        start = self._starts.get((place, at if type(at) is int else 0), 0)
        told |= {name: told[name] + start for name in ("start", "end") if name in told}
        if "title" not in told and word(annotation.get("filename")):
            told["title"] = annotation["filename"]
        text = encoded(told) if told else ""
        return [Delta("citation", text)] if text else []

    def _summary(self, place: int, event: Fields) -> list[Delta]:
        """A piece of what a thought is summed up as; each part of it is a paragraph of its own."""
        text, part = word(event.get("delta")), event.get("summary_index", event.get("content_index"))
        if not text:
            return []
        broken = (place, "reasoning") in self._heard and self._parts.get(place) != part
        self._heard.add((place, "reasoning"))
        self._parts[place] = part
        return [Delta("reasoning", _BREAK + text if broken else text)]

    def _thought(self, place: int, item: Fields) -> list[Delta]:
        found, told = [], (place, "reasoning") in self._heard
        if not told:
            texts = [
                word(mapping(part).get("text")) for part in listed(item.get("summary")) or listed(item.get("content"))
            ]
            text = _BREAK.join(filter(None, texts))
            found = [Delta("reasoning", text)] if text else []
        sealed = word(item.get("encrypted_content"))
        if sealed:
            seal = {"id": word(item.get("id")), "encrypted_content": sealed}
            if not found and not told and (place, "thought") not in self._heard:
                found.append(Delta("reasoning", ""))
            found.append(Delta("signature", orjson.dumps(seal).decode(), wire=WIRE))
        return found


_EVENTS: Mapping[str, Callable[[Items, int, Fields], list[Delta]]] = {
    "response.output_text.delta": Items._text,
    "response.refusal.delta": Items._refusal,
    "response.output_text.annotation.added": Items._annotation,
    "response.function_call_arguments.delta": Items._arguments,
    "response.custom_tool_call_input.delta": Items._arguments,
    "response.reasoning_summary_text.delta": Items._summary,
    "response.reasoning_text.delta": Items._summary,
    "response.output_item.added": Items._added,
    "response.output_item.done": Items._done,
}
