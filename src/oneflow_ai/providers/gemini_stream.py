"""Decoders of Gemini's answers: streamed or whole, embeddings, and counts of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oneflow_ai.core.events import End, Event, Usage, Vector
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, Failure
from oneflow_ai.providers.base import WholeDecoder, bad, loaded, numbers_of, sound
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_failure import error_in, stream_failure
from oneflow_ai.providers.gemini_usage import read_count
from oneflow_ai.providers.sse_decoder import EventStreamDecoder


class _Batch:
    """What one read gave."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Event] = []

    def events(self) -> list[Event]:
        """Its events, in their order."""
        return self.found


class StreamDecoder(EventStreamDecoder[_Batch]):
    """Decodes one event stream, of which each event is a whole response and none is the last by a mark of its own."""

    __slots__ = ("_answer",)

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self._answer = Answer(call_id)

    def _batch(self) -> _Batch:
        return _Batch()

    def _take(self, data: bytes, out: _Batch) -> Failure | bool | None:
        if not data.strip():
            return None
        found = sound(data)
        if not isinstance(found, dict):
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        error = error_in(found)
        if error is not None:
            return stream_failure(error)
        self._seen = True
        out.found += self._answer.take(found)
        return None

    def _is_whole(self, data: bytes) -> bool:
        return sound(data) is not None

    def _cut(self) -> Failure | bool:
        if self._seen:
            # Whether it was finished, the answer itself knows.
            return True
        error = error_in(loaded(bytes(self._preface)))
        return (
            stream_failure(error)
            if error
            else Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")
        )

    def _end(self, failure: Failure | None) -> list[Event]:
        return self._answer.end(failure)


def _whole(read: Callable[[dict[str, Any]], list[Event]]) -> WholeDecoder:
    """The decoder of one whole answer, an object that `read` makes events of."""

    def checked(body: bytes, found: Any) -> list[Event]:
        del body
        error = error_in(found)
        if error is not None:
            return bad(f"the provider sent an error as success: {stream_failure(error).message}")
        return read(found) if isinstance(found, dict) else bad("the provider's answer is not a JSON object")

    return WholeDecoder(checked)


def text_decoder(call_id: str) -> WholeDecoder:
    """The decoder of one whole answer of text."""
    return _whole(lambda found: _text(Answer(call_id), found))


def _text(answer: Answer, found: dict[str, Any]) -> list[Event]:
    deltas, last = answer.take(found), answer.end()
    broken = any(isinstance(event, End) and event.failure is not None for event in last)
    # Of an answer that is broken nothing is given, so that another target may be asked.
    return last if broken else [*deltas, *last]


def vector_decoder(inputs: int) -> WholeDecoder:
    """The decoder of the embeddings of so many inputs, in their order."""
    return _whole(lambda found: _vectors(found, inputs))


def count_decoder() -> WholeDecoder:
    """The decoder of a count of tokens."""
    return _whole(_count)


def _vectors(found: dict[str, Any], inputs: int) -> list[Event]:
    embeddings = found.get("embeddings")
    vectors = [_vector(each) for each in embeddings] if isinstance(embeddings, list) else []
    whole = [Vector(place, values) for place, values in enumerate(vectors) if values is not None]
    if len(whole) != inputs or len(vectors) != inputs:
        return bad(f"the provider's answer has {len(whole)} embeddings of {inputs}")
    usage = found.get("usageMetadata")
    tokens = read_count(usage.get("promptTokenCount")) if isinstance(usage, dict) else None
    return [*whole, *([] if tokens is None else [Usage(input_tokens=tokens)]), End()]


def _count(found: dict[str, Any]) -> list[Event]:
    tokens = read_count(found.get("totalTokens"))
    return bad("the provider's answer has no count of tokens") if tokens is None else [Usage(tokens), End()]


def _vector(found: Any) -> tuple[float, ...] | None:
    values = found.get("values") if isinstance(found, dict) else None
    if not isinstance(values, list) or not values:
        return None
    return numbers_of(values)
