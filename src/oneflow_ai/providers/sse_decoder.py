"""A stream of server-sent events decoded: what is the same whatever the wire says in its events."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

import orjson

from oneflow_ai.core.events import Delta, Event, Raw
from oneflow_ai.core.failure import UPSTREAM_BAD_RESPONSE, UPSTREAM_TOO_LARGE, Failure
from oneflow_ai.providers.sse import EVENT_BYTES_MOST, EventSplitter, is_json, mended

_PREFACE_BYTES_MOST = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Batch(Protocol):
    """What one read of a stream brings."""

    def events(self) -> list[Event]:
        """Its events, in their order."""


class NamedBatch:
    """What one read of a stream of named events brings: one `Raw`, or the middle form's deltas in `found`."""

    __slots__ = ("_content_events", "_parts", "found")

    def __init__(self) -> None:
        self.found: list[Delta] = []
        self._parts: list[bytes] = []
        self._content_events = 0

    def add(self, kind: Any, data: bytes, content: bool) -> None:
        """One event as it is, and whether it carries content."""
        if type(kind) is str and _NAME.fullmatch(kind):
            self._parts.append(b"event: " + kind.encode() + b"\n")
        # A newline inside the data came from several data lines, and must again be several.
        self._parts.append(b"data: " + (data.replace(b"\n", b"\ndata: ") if 10 in data else data) + b"\n\n")
        self._content_events += content

    def events(self) -> list[Event]:
        """What the read gave."""
        if self._parts:
            return [Raw(b"".join(self._parts), self._content_events)]
        return [*self.found]


def named_event(data: bytes) -> tuple[bytes, dict[str, Any]] | Failure | None:
    """The data of one event, mended where it is no JSON, and its object; None where it says nothing.

    Servers of other makers end their streams as OpenAI's chat wire does, or send nothing where there is nothing to say.
    """
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        data, event = mended(data)
    if type(event) is dict:
        return data, event
    if data.strip() in (b"", b"[DONE]"):
        return None
    return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")


B = TypeVar("B", bound=Batch)


class EventStreamDecoder(ABC, Generic[B]):
    """Decodes one stream of server-sent events; a wire says what an event brings, and how the answer ends.

    `_seen` says that something was an event of the wire; until then `_preface` keeps what came, which may be an error
    in the place of a stream.
    """

    __slots__ = ("_ended", "_events", "_preface", "_seen")

    def __init__(self, event_bytes_most: int = EVENT_BYTES_MOST, *, repeat: bool = False) -> None:
        self._events = EventSplitter(event_bytes_most, repeat=repeat)
        self._preface = bytearray()
        self._ended = self._seen = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events complete with this chunk; a failure inside the stream ends it."""
        if self._ended:
            return []
        out = self._batch()
        ended = self._take_all(self._events.feed(chunk), out)
        if ended is not None:
            return self._ending(out, ended)
        if self._events.overflow:
            words = f"the provider sent an event of more than {self._events.bytes_most} bytes"
            return self._ending(out, Failure(UPSTREAM_TOO_LARGE, words))
        if not self._seen and len(self._preface) < _PREFACE_BYTES_MOST:
            self._preface += chunk[:_PREFACE_BYTES_MOST]
        return out.events()

    def close(self) -> list[Event]:
        """End the sequence: well when the answer is finished, else with the failure that the cut is."""
        if self._ended:
            return []
        out = self._batch()
        # Some servers end without the last blank line: an event that is whole counts, a cut one does not.
        rest = (self._events.close() or b"").strip()
        ended = self._take(rest, out) if self._is_whole(rest) else None
        return self._ending(out, self._cut() if ended is None else ended)

    def _ending(self, out: B, ended: Failure | bool) -> list[Event]:
        self._ended = True
        return [*out.events(), *self._end(ended if isinstance(ended, Failure) else None)]

    def _is_whole(self, data: bytes) -> bool:
        return is_json(data)

    def _take_all(self, found: list[bytes], out: B) -> Failure | bool | None:
        """Take the events of one read; gives what ended the answer, as `_take` does."""
        for data in found:
            ended = self._take(data, out)
            if ended is not None:
                return ended
        return None

    @abstractmethod
    def _batch(self) -> B:
        """Where the events of one read are gathered."""

    @abstractmethod
    def _take(self, data: bytes, out: B) -> Failure | bool | None:
        """Take one event; gives the failure, or True, that ends the answer."""

    @abstractmethod
    def _cut(self) -> Failure | bool:
        """What it means that nothing more comes: the failure, or True where the answer was finished."""

    @abstractmethod
    def _end(self, failure: Failure | None) -> list[Event]:
        """The last events."""
