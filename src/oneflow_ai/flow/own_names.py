"""Tools under the names that their client gave them, whatever they were called on their way to the provider."""

from __future__ import annotations

from dataclasses import replace

from oneflow_ai.core.events import Decoder, Delta, Event


class OwnNames:
    """Decodes an answer as its own decoder does, and gives the calls in it the client's names.

    `names` are those that were changed: as they were sent, and as the client wrote them.
    """

    __slots__ = ("_decoder", "_names")

    def __init__(self, decoder: Decoder, names: tuple[tuple[str, str], ...]) -> None:
        self._decoder = decoder
        self._names = dict(names)

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events that are complete with this chunk."""
        return [self._told(event) for event in self._decoder.feed(chunk)]

    def close(self) -> list[Event]:
        """Give what is left."""
        return [self._told(event) for event in self._decoder.close()]

    def _told(self, event: Event) -> Event:
        if type(event) is Delta and event.kind == "tool_call" and event.text in self._names:
            return replace(event, text=self._names[event.text])
        return event
