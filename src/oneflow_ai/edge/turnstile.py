"""Refusals that are made ahead: while most calls are turned away, each may cost next to nothing."""

from __future__ import annotations

from collections.abc import Callable

from oneflow_ai.core.failure import Failure
from oneflow_ai.edge.asgi import Headers
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.turn import Turn

WAITS_A_SECOND = 16
"""Waits that are told differ by a sixteenth of a second at the most from those that were drawn."""
ID_PLACE = b"req_" + b"0" * 24
"""Stands where the id of a request is to be, and is as long."""

Write = Callable[[Failure, dict[bytes, bytes], bytes], tuple[int, Headers, bytes]]


class _Sheet:
    """A connection that keeps what is written. Implements `Line`."""

    def __init__(self, date: Headers) -> None:
        self.slow = False
        self.client: tuple[str, int] | None = None
        self.server: tuple[str, int] | None = None
        self.date = date
        self.written = b""

    def write(self, content: bytes) -> None:
        """Keep."""
        self.written += content

    async def drained(self) -> None:
        """It is never slow."""

    def read_on(self) -> None:
        """Nothing more comes."""

    def answered(self, turn: Turn) -> None:
        """Complete."""


class Turnstile:
    """Whole answers to calls that are turned away, for one date: made once, by what makes every other answer.

    `write` gives status, headers and body of a refusal, for a request with these headers at this path.
    """

    __slots__ = ("_date", "_made", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._date: Headers = []
        self._made: dict[tuple[str, str, int], list[bytes]] = {}

    def pieces(self, failure: Failure, head: RequestHead, dialect: str, date: Headers) -> list[bytes]:
        """The answer to a request with a body of a known length; an id belongs between each two of its pieces."""
        if date is not self._date:
            self._date = date
            self._made.clear()
        wait = int((failure.retry_after_seconds or 0.0) * WAITS_A_SECOND)
        key = (failure.message, dialect, wait)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._make(failure, head)
        return made

    def _make(self, failure: Failure, head: RequestHead) -> list[bytes]:
        sheet = _Sheet(self._date)
        turn = Turn(sheet, head)
        turn.take_whole(b"")
        turn.say(*self._write(failure, {**head.headers, b"x-request-id": ID_PLACE}, head.path))
        return sheet.written.split(ID_PLACE)
