"""Decoders of Gemini's answers: streamed or whole, embeddings, and counts of tokens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from oneflow_ai.core.events import End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, Failure
from oneflow_ai.providers.base import WholeDecoder, bad, encoded, loaded, numbers_of, sound
from oneflow_ai.providers.gemini_answer import Answer
from oneflow_ai.providers.gemini_failure import error_in, stream_failure
from oneflow_ai.providers.gemini_usage import read_count
from oneflow_ai.providers.sse import EVENT_BYTES_MOST, mended
from oneflow_ai.providers.sse_decoder import EventStreamDecoder


class _Batch:
    """What one read gave: one `Raw`, or the middle form's deltas in `found`."""

    __slots__ = ("_content_events", "_parts", "found")

    def __init__(self) -> None:
        self.found: list[Event] = []
        self._parts: list[bytes] = []
        self._content_events = 0

    def add(self, data: bytes, content: bool) -> None:
        """One event as it is, and whether it carries content."""
        # A line feed within JSON is white space.
        self._parts.append(b"data: %b\r\n\r\n" % (data.replace(b"\n", b" ") if 10 in data else data))
        self._content_events += content

    def events(self) -> list[Event]:
        """Its events, in their order."""
        return [Raw(b"".join(self._parts), self._content_events)] if self._parts else self.found


class StreamDecoder(EventStreamDecoder[_Batch]):
    """Decodes one event stream, of which each event is a whole response and none is the last by a mark of its own.

    Where the answer is raw it gives the events' bytes, but for the last one: that the client's encoder writes when the
    call is accounted for. So an event with which all is said waits for the next, or for the end.
    """

    __slots__ = ("_answer", "_held")

    def __init__(self, answer: Answer, event_bytes_most: int = EVENT_BYTES_MOST) -> None:
        super().__init__(event_bytes_most)
        self._answer = answer
        self._held: tuple[bytes, bool, dict[str, Any]] | None = None

    def _batch(self) -> _Batch:
        return _Batch()

    def _take(self, data: bytes, out: _Batch) -> Failure | bool | None:
        if not data.strip():
            return None
        found = loaded(data)
        if found is None:
            data, found = mended(data)
        if not isinstance(found, dict):
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        error = error_in(found)
        if error is not None:
            return stream_failure(error)
        self._seen = True
        if self._answer.raw:
            self._pass(data, found, out)
        else:
            out.found += self._answer.take(found)
        return None

    def _pass(self, data: bytes, found: dict[str, Any], out: _Batch) -> None:
        content = self._answer.look(found)
        if self._held is not None:
            out.add(*self._held[:2])
            self._held = None
        if self._answer.finished:
            self._held = data, content, found
        else:
            out.add(data, content)

    def _is_whole(self, data: bytes) -> bool:
        return sound(data) is not None

    def _cut(self) -> Failure | bool:
        if self._held is not None and not encoded(self._held[2]):
            # It becomes the last event: what cannot be encoded again must not get that far.
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is nested too deep")
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
        return self._answer.end(failure, None if self._held is None else self._held[2])


def _whole(read: Callable[[bytes, dict[str, Any]], list[Event]]) -> WholeDecoder:
    """The decoder of one whole answer, an object that `read` makes events of."""

    def checked(body: bytes, found: Any) -> list[Event]:
        error = error_in(found)
        if error is not None:
            return bad(f"the provider sent an error as success: {stream_failure(error).message}")
        return read(body, found) if isinstance(found, dict) else bad("the provider's answer is not a JSON object")

    return WholeDecoder(checked)


def text_decoder(answer: Answer) -> WholeDecoder:
    """The decoder of one whole answer of text."""
    return _whole(partial(_text, answer))


def _text(answer: Answer, body: bytes, found: dict[str, Any]) -> list[Event]:
    said: list[Event] = []
    if answer.raw:
        said.append(Raw(body, int(answer.look(found))))
    else:
        said += answer.take(found)
    last = answer.end()
    broken = any(isinstance(event, End) and event.failure is not None for event in last)
    # Of an answer that is broken nothing is given, so that another target may be asked.
    return last if broken else [*said, *last]


def vector_decoder(inputs: int) -> WholeDecoder:
    """The decoder of the embeddings of so many inputs, in their order."""
    return _whole(lambda body, found: _vectors(found, inputs))


def count_decoder(*, raw: bool = False) -> WholeDecoder:
    """The decoder of a count of tokens."""
    return _whole(partial(_count, raw))


def _vectors(found: dict[str, Any], inputs: int) -> list[Event]:
    embeddings = found.get("embeddings")
    vectors = [_vector(each) for each in embeddings] if isinstance(embeddings, list) else []
    whole = [Vector(place, values) for place, values in enumerate(vectors) if values is not None]
    if len(whole) != inputs or len(vectors) != inputs:
        return bad(f"the provider's answer has {len(whole)} embeddings of {inputs}")
    usage = found.get("usageMetadata")
    tokens = read_count(usage.get("promptTokenCount")) if isinstance(usage, dict) else None
    return [*whole, *([] if tokens is None else [Usage(input_tokens=tokens)]), End()]


def _count(raw: bool, body: bytes, found: dict[str, Any]) -> list[Event]:
    tokens = read_count(found.get("totalTokens"))
    if tokens is None:
        return bad("the provider's answer has no count of tokens")
    said: list[Event] = [Raw(body, 1)] if raw else []
    return [*said, Usage(tokens), End()]


def _vector(found: Any) -> tuple[float, ...] | None:
    values = found.get("values") if isinstance(found, dict) else None
    if not isinstance(values, list) or not values:
        return None
    return numbers_of(values)
