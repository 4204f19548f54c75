"""Decoders of Gemini's answers: streamed or whole, embeddings, and counts of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import orjson

from oneflow_ai.core.events import End, Event, Usage, Vector
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_TOO_LARGE, Failure
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_failure import error_in, stream_failure
from oneflow_ai.providers.gemini_usage import read_count
from oneflow_ai.providers.sse import EVENT_BYTES_MOST, EventSplitter

_PREFACE_BYTES_MOST = 1 << 16


class StreamDecoder:
    """Decodes one event stream, of which each event is a whole response and none is the last by a mark of its own."""

    __slots__ = ("_answer", "_ended", "_events", "_preface")

    def __init__(self, call_id: str) -> None:
        self._answer = Answer(call_id)
        self._events = EventSplitter()
        self._preface = bytearray()
        self._ended = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events complete with this chunk; a failure inside the stream ends it."""
        if self._ended:
            return []
        out: list[Event] = []
        for data in self._events.feed(chunk):
            failure = self._take(data, out)
            if failure is not None:
                return [*out, *self._end(failure)]
        if self._events.overflow:
            words = f"the provider sent an event of more than {EVENT_BYTES_MOST} bytes"
            return [*out, *self._end(Failure(UPSTREAM_TOO_LARGE, words))]
        if not self._answer.seen and len(self._preface) < _PREFACE_BYTES_MOST:
            self._preface += chunk[:_PREFACE_BYTES_MOST]
        return out

    def close(self) -> list[Event]:
        """End the sequence: well when each candidate has its finish reason, else with the failure that the cut is."""
        if self._ended:
            return []
        out: list[Event] = []
        failure = None
        rest = self._events.close()
        # An event that no blank line ended counts if it is whole; a cut one does not.
        if rest and _parsed(rest) is not None:
            failure = self._take(rest, out)
        if failure is None and not self._answer.seen:
            error = error_in(_parsed(bytes(self._preface)))
            failure = stream_failure(error) if error else None
            failure = failure or Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")
        return [*out, *self._end(failure)]

    def _take(self, data: bytes, out: list[Event]) -> Failure | None:
        if not data.strip():
            return None
        found = _parsed(data)
        if not isinstance(found, dict):
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        error = error_in(found)
        if error is not None:
            return stream_failure(error)
        out += self._answer.take(found)
        return None

    def _end(self, failure: Failure | None) -> list[Event]:
        self._ended = True
        return self._answer.end(failure)


class WholeDecoder:
    """Decodes one whole answer; `read` makes events of its JSON object. Nothing is given before its end."""

    __slots__ = ("_chunks", "_read")

    def __init__(self, read: Callable[[dict[str, Any]], list[Event]]) -> None:
        self._read = read
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer as events, or the failure that its bytes stand for."""
        found = _parsed(b"".join(self._chunks))
        error = error_in(found)
        if error is not None:
            return _bad(f"the provider sent an error as success: {stream_failure(error).message}")
        return self._read(found) if isinstance(found, dict) else _bad("the provider's answer is not a JSON object")


def text_decoder(call_id: str) -> WholeDecoder:
    """The decoder of one whole answer of text."""
    answer = Answer(call_id)
    return WholeDecoder(lambda found: [*answer.take(found), *answer.end()])


def vector_decoder(inputs: int) -> WholeDecoder:
    """The decoder of the embeddings of so many inputs, in their order."""
    return WholeDecoder(lambda found: _vectors(found, inputs))


def count_decoder() -> WholeDecoder:
    """The decoder of a count of tokens."""
    return WholeDecoder(_count)


def _vectors(found: dict[str, Any], inputs: int) -> list[Event]:
    embeddings = found.get("embeddings")
    vectors = [_vector(each) for each in embeddings] if isinstance(embeddings, list) else []
    whole = [Vector(place, values) for place, values in enumerate(vectors) if values is not None]
    if len(whole) != inputs or len(vectors) != inputs:
        return _bad(f"the provider's answer has {len(whole)} embeddings of {inputs}")
    usage = found.get("usageMetadata")
    tokens = read_count(usage.get("promptTokenCount")) if isinstance(usage, dict) else None
    return [*whole, *([] if tokens is None else [Usage(input_tokens=tokens)]), End()]


def _count(found: dict[str, Any]) -> list[Event]:
    tokens = read_count(found.get("totalTokens"))
    return _bad("the provider's answer has no count of tokens") if tokens is None else [Usage(tokens), End()]


def _bad(words: str) -> list[Event]:
    return [End(failure=Failure(UPSTREAM_BAD_RESPONSE, words))]


def _vector(found: Any) -> tuple[float, ...] | None:
    values = found.get("values") if isinstance(found, dict) else None
    if not isinstance(values, list) or not values:
        return None
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        return None
    return tuple(map(float, values))


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
