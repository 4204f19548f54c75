"""The event of OpenAI's media streams that tells what was used: kept until the end, when what it cost is known."""

from __future__ import annotations

from typing import Any

from oneflow_ai.core.events import End, Event
from oneflow_ai.core.failure import Failure
from oneflow_ai.providers.sse_decoder import NamedBatch


class LastEvent:
    """Keeps one event of a stream, as long as none follows it."""

    __slots__ = ("_content", "_data", "_ended", "_event", "_kind")

    def __init__(self) -> None:
        self._event: dict[str, Any] = {}
        self._kind: Any = None
        self._data = b""
        self._content = self._ended = False

    def add(self, out: NamedBatch, kind: Any, data: bytes, *, content: bool) -> None:
        """An event that tells no usage goes out as it is, after the one that is kept: that was not the last."""
        self._let_go(out)
        out.add(kind, data, content)

    def keep(self, out: NamedBatch, kind: Any, data: bytes, event: dict[str, Any], *, content: bool) -> None:
        """An event that tells usage is kept, if it has anything to tell."""
        if not isinstance(event.get("usage"), dict):
            self.add(out, kind, data, content=content)
            return
        self._let_go(out)
        self._event, self._kind, self._data, self._content = event, kind, data, content

    def done(self, out: NamedBatch, data: bytes) -> None:
        """The mark of the end, which comes after it."""
        if self._event:
            self._ended = True
        else:
            out.add(None, data, False)

    def end(self, failure: Failure | None) -> list[Event]:
        """The end of the stream: with the event, or after it where the stream broke."""
        if not self._event:
            return [End(failure=failure)]
        if failure is None:
            return [End(chunk={"event": self._event, "name": self._kind, "done": self._ended})]
        out = NamedBatch()
        self._let_go(out)
        return [*out.events(), End(failure=failure)]

    def _let_go(self, out: NamedBatch) -> None:
        if self._event:
            out.add(self._kind, self._data, self._content)
            self._event = {}
