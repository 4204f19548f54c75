"""Events of streams, and answers whose usage or model is exchanged: the same for every wire that sends JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.answer import USAGE, Answer, StreamEvent
from oneflow_ai.simulator.wires.wire import DROPPED, UsageChange

Document = dict[str, Any]


def event(kind: str, document: Document) -> StreamEvent:
    """An event without a name."""
    return StreamEvent(kind, b"data: %b\n\n" % orjson.dumps(document))


def named_event(kind: str, name: str, document: Document) -> StreamEvent:
    """An event with a name."""
    return StreamEvent(kind, b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(document)))


def edited(event: StreamEvent, edit: Callable[[Document], Document]) -> StreamEvent:
    """The same event with another document in it; one without a document as it is."""
    content = event.content
    start, end = content.find(b"{"), content.rfind(b"}") + 1
    if start < 0:
        return event
    document = edit(orjson.loads(content[start:end]))
    return event._replace(content=content[:start] + orjson.dumps(document) + content[end:])


class Places(NamedTuple):
    """Where a wire has its usage and its model: the fields' names, and the field that may hold both in an event."""

    usage: str = "usage"
    model: str = "model"
    inside: str = ""


def _editable(answer: Answer) -> bool:
    """Whether an answer has documents: a sound, a picture and a list that is all there is have none."""
    return not answer.opaque and not answer.body.startswith(b"[")


class Editable:
    """The three edits of the `Wire` port, for a wire that says where its usage and its model stand."""

    __slots__ = ()

    places = Places()

    def edited(self, event: StreamEvent, edit: Callable[[Document], Document]) -> StreamEvent:
        """The same event with another document in it."""
        return edited(event, edit)

    def with_usage(self, answer: Answer, change: UsageChange) -> Answer:
        """The same answer with another usage."""
        if not _editable(answer):
            return answer
        edit = self._usage_edit(change)
        if answer.events is None:
            return replace(answer, body=orjson.dumps(edit(orjson.loads(answer.body))))
        events = [self.edited(each, edit) for each in answer.events]
        # an event that is there for the usage alone goes with it
        field = b'"%b":' % self.places.usage.encode()
        return replace(answer, events=tuple([each for each in events if each.kind != USAGE or field in each.content]))

    def with_two_usages(self, answer: Answer, change: UsageChange) -> Answer:
        """The same stream with a changed usage before the true one; a whole answer stays as it is."""
        if answer.events is None or not _editable(answer):
            return answer
        telling = [place for place, each in enumerate(answer.events) if self._tells_usage(each)]
        edit = self._usage_edit(change)
        events = list(answer.events)
        for place in telling[:-1]:
            events[place] = self.edited(events[place], edit)
        if len(telling) == 1:
            events.insert(telling[0], self.edited(events[telling[0]], edit))
        return replace(answer, events=tuple(events))

    def with_model(self, answer: Answer, model: str) -> Answer:
        """The same answer as from another model."""
        if not _editable(answer):
            return answer
        edit = self._model_edit(model)
        if answer.events is None:
            return replace(answer, body=orjson.dumps(edit(orjson.loads(answer.body))))
        return replace(answer, events=tuple([self.edited(each, edit) for each in answer.events]))

    def _holder(self, document: Document, name: str) -> Document:
        """The part of a document that has this field, or the document."""
        inner = document.get(self.places.inside)
        return inner if isinstance(inner, dict) and name in inner else document

    def _tells_usage(self, event: StreamEvent) -> bool:
        found: list[Any] = []

        def look(document: Document) -> Document:
            found.append(self._holder(document, self.places.usage).get(self.places.usage))
            return document

        self.edited(event, look)
        return any(isinstance(each, dict) for each in found)

    def _usage_edit(self, change: UsageChange) -> Callable[[Document], Document]:
        name = self.places.usage

        def edit(document: Document) -> Document:
            holder = self._holder(document, name)
            if isinstance(holder.get(name), dict):
                usage = change(holder[name])
                holder[name] = usage
                if usage is DROPPED:
                    del holder[name]
            return document

        return edit

    def _model_edit(self, model: str) -> Callable[[Document], Document]:
        name = self.places.model

        def edit(document: Document) -> Document:
            holder = self._holder(document, name)
            if name in holder:
                holder[name] = model
            return document

        return edit
