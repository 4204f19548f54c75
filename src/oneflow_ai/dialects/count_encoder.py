"""Counts of tokens in the dialects that have them."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from oneflow_ai.core.events import End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure


class CountEncoder:
    """Writes a count: the bytes of a provider of this wire as they are, else the number and what is `told` beside it.

    `failed` is how its dialect tells an error.
    """

    __slots__ = ("_failed", "_raw", "_told")

    def __init__(self, failed: Callable[[Failure], bytes], **told: str) -> None:
        self._failed = failed
        self._raw = False
        self._told = told

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on."""
        if type(event) is not Raw:
            return b""
        self._raw = True
        return event.content

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The count, where the provider speaks another wire."""
        del end, cost_nanos
        return b"" if self._raw else orjson.dumps({**self._told, "input_tokens": usage.input_tokens})

    def failure(self, failure: Failure) -> bytes:
        """The body of an error."""
        return self._failed(failure)
