"""Answers in the dialect of OpenAI's Responses: streams of numbered events, whole responses, and counts of tokens."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.openai import failure_body
from oneflow_ai.dialects.responses_frame import (
    COMPLETED,
    INCOMPLETE,
    Frame,
    error_event,
    failed,
    incomplete,
    usage_object,
)
from oneflow_ai.dialects.responses_items import ItemWriter
from oneflow_ai.dialects.responses_owned import Marks, tells


class StreamEncoder:
    """Writes one stream: the provider's own bytes where it speaks this wire, else events made of the middle form."""

    __slots__ = ("_call", "_first", "_last", "_made", "_marks", "_number", "_target")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._marks = Marks(call)
        self._made: _Made | None = None
        self._number = 0
        self._first = self._last = b""

    def feed(self, event: Event) -> bytes:
        """Give the bytes that this event brings."""
        if type(event) is Raw:
            content = event.content
            if tells(content):
                self._marks.know(_opened(content).get("id"))
                content = self._marks.write(content)
            self._last = content
            self._first = self._first or content
            return content
        if type(event) is not Delta:
            return b""
        begun, made = self._begin()
        return begun + self._written(made.items.write(event))

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The last event: the whole response, with what it used and cost."""
        cost = usd_float(cost_nanos)
        if end.chunk is not None:
            response = self._marks.told(end.chunk["response"])
            told = response.get("usage")
            used = told if isinstance(told, dict) and told and usage.source == "provider" else usage_object(usage)
            return _event({**end.chunk, "response": {**response, "usage": {**used, "cost": cost}}})
        begun, made = self._begin()
        begun += self._written(made.close(end))
        response = made.response(end, usage, cost=cost)
        return begun + self._written([{"type": f"response.{response['status']}", "response": response}])

    def failure(self, failure: Failure) -> bytes:
        """The two events that end a stream that broke, as the provider itself ends one."""
        if self._first:
            begun, response = b"", failed(_opened(self._first), failure)
            self._number = max((_number(event) for event in _events(self._last)), default=-1) + 1
        else:
            begun, made = self._begin()
            begun += self._written(made.items.close(INCOMPLETE))
            response = made.frame.failed(failure, made.items.output)
        told = self._written([error_event(failure), {"type": "response.failed", "response": response}])
        return begun + told

    def _begin(self) -> tuple[bytes, _Made]:
        """What the answer is made of, and the events that open it, if they have not gone out."""
        if self._made is not None:
            return b"", self._made
        made = self._made = _Made(self._call, self._target)
        response = made.frame.begun()
        kinds = ("response.created", "response.in_progress")
        return self._written([{"type": kind, "response": response} for kind in kinds]), made

    def _written(self, events: list[dict[str, Any]]) -> bytes:
        pieces = []
        for event in events:
            pieces.append(_event({**event, "sequence_number": self._number}))
            self._number += 1
        return b"".join(pieces)


class WholeEncoder:
    """Writes one whole answer: the provider's own bytes where it speaks this wire, else a response."""

    __slots__ = ("_call", "_made", "_raw", "_target")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._made: _Made | None = None
        self._raw = b""

    def feed(self, event: Event) -> bytes:
        """Gather what comes."""
        if type(event) is Raw:
            self._raw += event.content
        if type(event) is Delta:
            self._begun().items.write(event)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The response, the provider's own bytes where they are of this wire; what it cost is told in a header."""
        del cost_nanos
        if self._raw:
            marks = Marks(self._call)
            marks.know(end.answer_id)
            return marks.write(self._raw)
        made = self._begun()
        made.close(end)
        return orjson.dumps(made.response(end, usage))

    def failure(self, failure: Failure) -> bytes:
        """The body of an error."""
        return failure_body(failure)

    def _begun(self) -> _Made:
        if self._made is None:
            self._made = _Made(self._call, self._target)
        return self._made


class _Made:
    """A response of our making: the frame that it has, and its items."""

    __slots__ = ("frame", "items")

    def __init__(self, call: Call, target: Target) -> None:
        self.frame = Frame(call, target)
        self.items = ItemWriter(self.frame.unique)

    def close(self, end: End) -> list[dict[str, Any]]:
        """Give the events that end all items."""
        cut = incomplete(end, refused=self.items.refused)
        return self.items.close(INCOMPLETE if cut else COMPLETED)

    def response(self, end: End, usage: Usage, **more: Any) -> dict[str, Any]:
        """The whole response; `more` is told among its usage."""
        return self.frame.ended(end, self.items.output, usage, refused=self.items.refused, **more)


def _event(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), orjson.dumps(event))


def _events(content: bytes) -> list[dict[str, Any]]:
    """The events of bytes that were passed on, as far as they can be read."""
    found = []
    for block in content.split(b"\n\n"):
        data = b"\n".join(line[6:] for line in block.split(b"\n") if line.startswith(b"data: "))
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def _opened(content: bytes) -> dict[str, Any]:
    """The response that a stream's first bytes tell; empty where it is too deep to be told again."""
    for event in _events(content):
        response = event.get("response")
        if isinstance(response, dict):
            try:
                orjson.dumps([response])
            except orjson.JSONEncodeError:
                break
            return response
    return {}


def _number(event: dict[str, Any]) -> int:
    number = event.get("sequence_number")
    return number if type(number) is int else -1
