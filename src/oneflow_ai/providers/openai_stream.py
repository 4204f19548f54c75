"""Decoders of OpenAI's text answers, streamed or whole: as raw bytes for the same wire, or as the middle form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.events import End, Event, Raw
from oneflow_ai.core.failure import (
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_STREAM_INTERRUPTED,
    Failure,
)
from oneflow_ai.providers.base import WholeDecoder, word
from oneflow_ai.providers.openai_calls import OpenCalls
from oneflow_ai.providers.openai_delta import Deltas, delta_of, has_content
from oneflow_ai.providers.openai_failure import error_in, error_of, stream_failure
from oneflow_ai.providers.openai_plain import PlainText
from oneflow_ai.providers.openai_usage import read_usage
from oneflow_ai.providers.sse import is_json, mended
from oneflow_ai.providers.sse_decoder import EventStreamDecoder

_CLOSING_FIELDS = ("id", "object", "created", "model", "service_tier", "system_fingerprint", "provider")
_SCALARS = (str, int, float, type(None))
_DONE = b"[DONE]"
_OBJECT = b"data: {"
# Where fewer events are left, some of them end the answer.
_RUN_LEAST = 4
_CUT_CALL = "the provider ended the answer within a tool's call"


class StreamDecoder(EventStreamDecoder["_Batch"]):
    """Decodes one event stream of chat or completion chunks.

    With `raw` it gives the events' bytes (as `data:` lines, whatever the line ends were), but for the usage chunk and
    the `[DONE]` mark: these the client's encoder writes when the call is accounted for. With `include_usage`, usage
    that a provider hangs on a content chunk is moved to that closing chunk, so that no client counts it twice.
    `_passes` says that an event may be passed on without a copy: the answer is raw, and its first chunk is known.
    """

    __slots__ = (
        "_calls", "_deltas", "_finished", "_first", "_highest", "_include_usage", "_last", "_passes", "_plain",
        "_reason", "_usage",
    )  # fmt: skip

    def __init__(self, *, raw: bool, include_usage: bool) -> None:
        super().__init__()
        self._deltas = None if raw else Deltas()
        self._include_usage = include_usage
        self._usage: dict[str, Any] | None = None
        self._first: dict[str, Any] | None = None
        self._last: dict[str, Any] | None = None
        self._passes = False
        self._plain = PlainText()
        self._reason: str | None = None
        self._highest = 0
        self._calls: OpenCalls | None = None
        self._finished: set[int] = set()

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events complete with this chunk; a failure inside the stream ends it."""
        # Most reads of a stream that is as slow as its model: one event, which is passed on as it came.
        if not self._passes or chunk[:7] != _OBJECT or self._ended or not self._events.is_one(chunk):
            return super().feed(chunk)
        data = chunk[6:-2]
        if self._plain.is_one(data):
            return [Raw(chunk, 1)]
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            return super().feed(chunk)
        choices = found.get("choices")
        if type(choices) is not list or found.get("error") or "x_groq" in found or type(found.get("usage")) is dict:
            # There is more to it than its choices.
            return super().feed(chunk)
        return [Raw(chunk, self._read(choices))]

    def _batch(self) -> _Batch:
        return _Batch(raw=self._deltas is None)

    def _is_whole(self, data: bytes) -> bool:
        return data == _DONE or is_json(data)

    def _take_all(self, found: list[bytes], out: _Batch) -> Failure | bool | None:
        place = 0
        while place < len(found):
            if self._passes and len(found) - place >= _RUN_LEAST and (run := self._plain.count(found, place)):
                out.add_run(found[place : place + run])
                place += run
                continue
            ended = self._take(found[place], out)
            if ended is not None:
                return ended
            place += 1
        return None

    def _take(self, data: bytes, out: _Batch) -> Failure | bool | None:
        if data[:1] != b"{":
            return self._take_odd(data.strip(), out)
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            data, chunk = mended(data)
        if type(chunk) is not dict:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        choices = chunk.get("choices")
        if type(choices) is not list or chunk.get("error"):
            error = error_in(chunk)
            if error is not None:
                return stream_failure(error)
            if _is_ping(chunk):
                return None
            choices = []
        self._seen = True
        content_events = self._read(choices)
        if self._deltas is not None:
            out.found += [delta for choice in choices if type(choice) is dict for delta in self._deltas.of(choice)]
        if self._first is None and chunk.get("id"):
            self._first = chunk
            self._passes = self._deltas is None
        if "x_groq" in chunk or type(chunk.get("usage")) is dict:
            return self._take_usage(chunk, data, content_events, out)
        out.add(data, content_events)
        return None

    def _take_odd(self, data: bytes, out: _Batch) -> Failure | bool | None:
        """Take what does not begin as an object does: the mark of the end, nothing, or what can be made one."""
        if data == _DONE:
            return self._done()
        if not data:
            return None
        sound, _ = mended(data)
        if sound[:1] == b"{":
            return self._take(sound, out)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")

    def _take_usage(self, chunk: dict[str, Any], data: bytes, content_events: int, out: _Batch) -> Failure | None:
        """Remember the latest usage, and show the client of its chunk what it may see."""
        try:
            # It may become the closing chunk: what cannot be encoded again must not get that far.
            orjson.dumps(chunk)
        except orjson.JSONEncodeError:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is nested too deep")
        usage = chunk.get("usage")
        if usage and type(usage) is dict:
            self._usage, self._last = usage, chunk
        if type(usage) is not dict or (chunk.get("choices") and not self._include_usage):
            out.add(data, content_events)
        elif chunk.get("choices"):
            out.add(orjson.dumps({**chunk, "usage": None}), content_events)
        own = chunk.get("x_groq")
        return self._take_own(own) if type(own) is dict else None

    def _take_own(self, found: dict[str, Any]) -> Failure | None:
        """Groq's own field: usage when none was asked for, and why it stopped early (its SDK, checked 2026-11-24)."""
        usage, words = found.get("usage"), found.get("error")
        if usage and type(usage) is dict and self._usage is None:
            self._usage = usage
        return stream_failure({"message": words}) if words else None

    def _read(self, choices: list[Any]) -> int:
        """Take note of what the choices of one event say of the end; gives 1 if any of them carries content."""
        content_events = 0
        for choice in choices:
            if type(choice) is not dict:
                continue
            index, reason = choice.get("index"), choice.get("finish_reason")
            if type(index) is not int:
                index = 0
            elif index > self._highest:
                self._highest = index
            if reason and type(reason) is str:
                if not index or self._reason is None:
                    self._reason = reason
                self._finished.add(index)
            delta = choice.get("delta")
            if type(delta) is not dict:
                delta = delta_of(choice)
            if delta.get("tool_calls") or delta.get("function_call"):
                content_events = 1
                self._note_calls(index, delta)
            elif not content_events and (delta.get("content") or has_content(delta)):
                content_events = 1
        return content_events

    def _note_calls(self, index: int, delta: dict[str, Any]) -> None:
        if self._calls is None:
            self._calls = OpenCalls()
        self._calls.note(index, delta)

    def _done(self) -> Failure | bool:
        if self._calls is not None and self._calls.cut(self._finished):
            return Failure(UPSTREAM_STREAM_INTERRUPTED, _CUT_CALL)
        if self._seen:
            return True
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider ended the stream without an answer")

    def _cut(self) -> Failure | bool:
        if len(self._finished) > self._highest:
            return True
        if self._seen:
            return Failure(UPSTREAM_STREAM_INTERRUPTED, "the provider ended the stream before the answer was finished")
        error = error_of(bytes(self._preface))
        if error:
            return stream_failure(error)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")

    def _end(self, failure: Failure | None) -> list[Event]:
        chunk = self._closing()
        usage = read_usage(self._usage, chunk.get("service_tier"))
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        end = End(self._reason, failure, word(chunk.get("model")) or None, answer_id=word(chunk.get("id")))
        # The closing chunk is for clients of this wire alone: others would take it for their own.
        last = replace(end, chunk=chunk) if self._deltas is None else self._deltas.ended(end)
        return [last] if usage is None else [usage, last]

    def _closing(self) -> dict[str, Any]:
        """The fields of the closing chunk: all of the provider's own one, else those that every chunk repeats."""
        first, last = self._first or {}, self._last or {}
        chunk = _repeated(first)
        if last.get("choices"):
            last = _repeated(last)
        chunk.update((name, value) for name, value in last.items() if value is not None or name not in chunk)
        chunk["usage"] = self._usage
        return chunk


def text_decoder(*, stream: bool, raw: bool, include_usage: bool) -> StreamDecoder | WholeDecoder:
    """The decoder for one answer of text, streamed or whole."""
    if stream:
        return StreamDecoder(raw=raw, include_usage=include_usage)
    return WholeDecoder(_passed_on if raw else _translated)


def _passed_on(body: bytes, found: Any) -> list[Event]:
    if type(found) is not dict or found.get("error") or type(found.get("choices")) is not list:
        failure = whole_failure(found, "choices")
        if failure is not None:
            return [End(failure=failure)]
    *usage, end = _ending(found)
    assert isinstance(end, End)
    return [Raw(body, 1), *usage, end] if end.failure is None else [*usage, end]


def _translated(body: bytes, found: Any) -> list[Event]:
    del body
    failure = whole_failure(found, "choices")
    if failure is not None:
        return [End(failure=failure)]
    deltas = Deltas()
    events: list[Event] = [
        delta for choice in found["choices"] if type(choice) is dict for delta in deltas.of(choice, whole=True)
    ]
    *usage, end = _ending(found)
    assert isinstance(end, End)
    end = deltas.ended(end)
    # Of an answer that is broken nothing is given, so that another target may be asked.
    return [*(events if end.failure is None else ()), *usage, end]


def _ending(found: dict[str, Any]) -> list[Event]:
    """The usage, where it is told, and the end."""
    reason = None
    for choice in found["choices"]:
        if reason is None and type(choice) is dict and type(given := choice.get("finish_reason")) is str:
            reason = given
    model, answer_id = found.get("model"), found.get("id")
    failure = None
    if reason is None and _ends_within_a_call(found["choices"]):
        failure = Failure(UPSTREAM_STREAM_INTERRUPTED, _CUT_CALL)
    end = End(
        reason,
        failure,
        model=model if model and type(model) is str else None,
        answer_id=answer_id if type(answer_id) is str else "",
    )
    usage = read_usage(found.get("usage"), found.get("service_tier"))
    return [end] if usage is None else [usage, end]


def _ends_within_a_call(choices: list[Any]) -> bool:
    calls = OpenCalls()
    for index, choice in enumerate(choices):
        if type(choice) is dict:
            calls.note(index, delta_of(choice), whole=True)
    return calls.cut(set())


class _Batch:
    """What one read gave: one `Raw`, or the middle form's deltas in `found`."""

    __slots__ = ("_content_events", "_parts", "_raw", "found")

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._parts: list[bytes] = []
        self._content_events = 0
        self.found: list[Event] = []

    def add(self, data: bytes, content_events: int) -> None:
        """One event, as it is."""
        if self._raw:
            # A newline inside the data came from several data lines, and must again be several.
            self._parts.append(data.replace(b"\n", b"\ndata: ") if 10 in data else data)
            self._content_events += content_events

    def add_run(self, events: list[bytes]) -> None:
        """Events of one line, each of which carries content."""
        self._parts += events
        self._content_events += len(events)

    def events(self) -> list[Event]:
        """What the read gave."""
        if self._parts:
            return [Raw(b"data: " + b"\n\ndata: ".join(self._parts) + b"\n\n", self._content_events)]
        return self.found


def whole_failure(found: Any, field: str) -> Failure | None:
    """What is wrong with a whole answer: it has no list in this field, or is an error in the guise of a success."""
    if type(found) is not dict:
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not a JSON object")
    error = error_in(found) if found.get("error") or type(found.get(field)) is not list else None
    if error is not None:
        words = stream_failure(error).message
        return Failure(UPSTREAM_BAD_RESPONSE, f"the provider sent an error as success: {words}")
    if type(found.get(field)) is not list:
        return Failure(UPSTREAM_BAD_RESPONSE, f"the provider's answer has no {field}")
    return None


def _is_ping(chunk: dict[str, Any]) -> bool:
    """Whether an event has nothing of an answer: clients would take it for a chunk, and find no choices in it."""
    return chunk.keys().isdisjoint(("choices", "usage", "x_groq"))


def _repeated(chunk: dict[str, Any]) -> dict[str, Any]:
    return {name: chunk[name] for name in _CLOSING_FIELDS if type(chunk.get(name, ...)) in _SCALARS}
