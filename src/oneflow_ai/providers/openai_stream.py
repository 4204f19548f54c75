"""Decoders of OpenAI's text answers, streamed or whole: as raw bytes for the same wire, or as the middle form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.events import Delta, End, Event, Raw
from oneflow_ai.core.failure import (
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_STREAM_INTERRUPTED,
    UPSTREAM_TOO_LARGE,
    Failure,
)
from oneflow_ai.providers.openai_delta import Deltas, delta_of, has_content
from oneflow_ai.providers.openai_failure import error_in, error_of, stream_failure
from oneflow_ai.providers.openai_usage import read_usage
from oneflow_ai.providers.sse import EVENT_BYTES_MOST, EventSplitter, is_json, mended

_CLOSING_FIELDS = ("id", "object", "created", "model", "service_tier", "system_fingerprint", "provider")
_SCALARS = (str, int, float, type(None))
_DONE = b"[DONE]"
_PREFACE_BYTES_MOST = 1 << 16


class StreamDecoder:
    """Decodes one event stream of chat or completion chunks.

    With `raw` it gives the events' bytes (as `data:` lines, whatever the line ends were), but for the usage chunk and
    the `[DONE]` mark: these the client's encoder writes when the call is accounted for. With `include_usage`, usage
    that a provider hangs on a content chunk is moved to that closing chunk, so that no client counts it twice.
    """

    __slots__ = (
        "_deltas", "_ended", "_events", "_finished", "_first", "_highest", "_include_usage", "_last", "_preface",
        "_reason", "_seen", "_usage",
    )  # fmt: skip

    def __init__(self, *, raw: bool, include_usage: bool) -> None:
        self._deltas = None if raw else Deltas()
        self._include_usage = include_usage
        self._events = EventSplitter()
        self._usage: dict[str, Any] | None = None
        self._first: dict[str, Any] | None = None
        self._last: dict[str, Any] | None = None
        self._reason: str | None = None
        self._ended = False
        self._seen = False
        self._preface = bytearray()
        self._highest = 0
        self._finished: set[int] = set()

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events complete with this chunk; a failure inside the stream ends it."""
        if self._ended:
            return []
        out = _Batch(self._deltas)
        for data in self._events.feed(chunk):
            if data[:1] != b"{":
                data = data.strip()
                if data == _DONE:
                    return [*out.events(), *self._end(self._done())]
                if not data:
                    continue
            failure = self._take(data, out)
            if failure is not None:
                return [*out.events(), *self._end(failure)]
        if self._events.overflow:
            words = f"the provider sent an event of more than {EVENT_BYTES_MOST} bytes"
            return [*out.events(), *self._end(Failure(UPSTREAM_TOO_LARGE, words))]
        if not self._seen and len(self._preface) < _PREFACE_BYTES_MOST:
            self._preface += chunk[:_PREFACE_BYTES_MOST]
        return out.events()

    def close(self) -> list[Event]:
        """End the sequence: well when each choice has its finish reason, else with the failure that the cut is."""
        if self._ended:
            return []
        out = _Batch(self._deltas)
        failure = None
        # Some servers end without the last blank line: an event that is whole JSON counts, a cut one does not.
        rest = (self._events.close() or b"").strip()
        done = rest == _DONE
        if not done and is_json(rest):
            failure = self._take(rest, out)
        if failure is None:
            failure = self._done() if done else self._cut()
        return [*out.events(), *self._end(failure)]

    def _take(self, data: bytes, out: _Batch) -> Failure | None:
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            data, chunk = mended(data)
        if type(chunk) is not dict:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        self._seen = True
        choices = chunk.get("choices")
        if type(choices) is not list or chunk.get("error"):
            error = error_in(chunk)
            if error is not None:
                return stream_failure(error)
            choices = []
        for choice in choices:
            if type(choice) is dict:
                self._choice(choice, out)
        if self._first is None and chunk.get("id"):
            self._first = chunk
        if "x_groq" in chunk or type(chunk.get("usage")) is dict:
            return self._take_usage(chunk, data, out)
        out.add(data)
        return None

    def _take_usage(self, chunk: dict[str, Any], data: bytes, out: _Batch) -> Failure | None:
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
            out.add(data)
        elif chunk.get("choices"):
            out.add(orjson.dumps({**chunk, "usage": None}))
        own = chunk.get("x_groq")
        return self._take_own(own) if type(own) is dict else None

    def _take_own(self, found: dict[str, Any]) -> Failure | None:
        """Groq's own field: usage when none was asked for, and why it stopped early (its SDK, checked 2026-11-24)."""
        usage, words = found.get("usage"), found.get("error")
        if usage and type(usage) is dict and self._usage is None:
            self._usage = usage
        return stream_failure({"message": words}) if words else None

    def _choice(self, choice: dict[str, Any], out: _Batch) -> None:
        index, reason = choice.get("index"), choice.get("finish_reason")
        index = index if type(index) is int else 0
        self._highest = max(self._highest, index)
        if reason and type(reason) is str:
            self._reason = reason
            self._finished.add(index)
        out.choice(choice)

    def _done(self) -> Failure | None:
        if self._seen:
            return None
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider ended the stream without an answer")

    def _cut(self) -> Failure | None:
        if len(self._finished) > self._highest:
            return None
        if self._seen:
            return Failure(UPSTREAM_STREAM_INTERRUPTED, "the provider ended the stream before the answer was finished")
        error = error_of(bytes(self._preface))
        if error:
            return stream_failure(error)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")

    def _end(self, failure: Failure | None) -> list[Event]:
        self._ended = True
        chunk = self._closing()
        usage = read_usage(self._usage, chunk.get("service_tier"))
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        model = chunk.get("model")
        end = End(self._reason, failure, model if isinstance(model, str) else None, chunk)
        return [end] if usage is None else [usage, end]

    def _closing(self) -> dict[str, Any]:
        """The fields of the closing chunk: all of the provider's own one, else those that every chunk repeats."""
        first, last = self._first or {}, self._last or {}
        chunk = _repeated(first)
        if last.get("choices"):
            last = _repeated(last)
        chunk.update((name, value) for name, value in last.items() if value is not None or name not in chunk)
        chunk["usage"] = self._usage
        return chunk


class WholeDecoder:
    """Decodes one whole chat or completion answer; nothing is given before its end."""

    __slots__ = ("_chunks", "_raw")

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer as events, or the failure that its bytes stand for."""
        body = b"".join(self._chunks)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            body, found = mended(body)
        failure = _whole_failure(found)
        if failure is not None:
            return [End(failure=failure)]
        choices = [choice for choice in found["choices"] if type(choice) is dict]
        reasons = [choice["finish_reason"] for choice in choices if type(choice.get("finish_reason")) is str]
        events: list[Event] = [Raw(body, 1)] if self._raw else []
        if not self._raw:
            deltas = Deltas()
            for choice in choices:
                events += deltas.of(delta_of(choice), choice.get("index"), whole=True)
        model, usage = found.get("model"), read_usage(found.get("usage"), found.get("service_tier"))
        if usage is not None:
            events.append(usage)
        return [*events, End(reasons[-1] if reasons else None, None, model if isinstance(model, str) else None)]


def text_decoder(*, stream: bool, raw: bool, include_usage: bool) -> StreamDecoder | WholeDecoder:
    """The decoder for one answer of text."""
    return StreamDecoder(raw=raw, include_usage=include_usage) if stream else WholeDecoder(raw=raw)


class _Batch:
    """What one read gave: one `Raw`, or the middle form's deltas."""

    __slots__ = ("_content", "_content_events", "_deltas", "_found", "_parts")

    def __init__(self, deltas: Deltas | None) -> None:
        self._deltas = deltas
        self._found: list[Delta] = []
        self._parts: list[bytes] = []
        self._content = False
        self._content_events = 0

    def choice(self, choice: dict[str, Any]) -> None:
        """Read one choice of the event to come."""
        if self._deltas is not None:
            self._found += self._deltas.of(delta_of(choice), choice.get("index"))
        elif not self._content:
            self._content = has_content(delta_of(choice))

    def add(self, data: bytes) -> None:
        """The event is whole."""
        if self._deltas is not None:
            return
        # A newline inside the data came from several data lines, and must again be several.
        self._parts.append(data.replace(b"\n", b"\ndata: ") if 10 in data else data)
        self._content_events += self._content
        self._content = False

    def events(self) -> list[Event]:
        """What the read gave."""
        if self._parts:
            return [Raw(b"data: " + b"\n\ndata: ".join(self._parts) + b"\n\n", self._content_events)]
        return [*self._found]


def _whole_failure(found: Any) -> Failure | None:
    if type(found) is not dict:
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not a JSON object")
    error = error_in(found) if found.get("error") or type(found.get("choices")) is not list else None
    if error is not None:
        words = stream_failure(error).message
        return Failure(UPSTREAM_BAD_RESPONSE, f"the provider sent an error as success: {words}")
    if type(found.get("choices")) is not list:
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer has no choices")
    return None


def _repeated(chunk: dict[str, Any]) -> dict[str, Any]:
    return {name: chunk[name] for name in _CLOSING_FIELDS if type(chunk.get(name, ...)) in _SCALARS}
