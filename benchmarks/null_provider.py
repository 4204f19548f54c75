"""A provider without a wire: its answers are there at once, so that only the gateway's own work is left."""

from __future__ import annotations

from collections.abc import Mapping

from oneflow_ai.core.ports import HttpRequest, Mark, Pouring


class NullUpstream:
    """An `Upstream` whose every answer is these pieces, at no cost."""

    def __init__(self, pieces: tuple[bytes, ...], headers: Mapping[str, str]) -> None:
        self._pieces = pieces
        self._headers = headers

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> NullAnswer:
        """An answer."""
        if mark is not None:
            mark.sent = True
        return NullAnswer(self._pieces, self._headers)

    async def close(self) -> None:
        """Nothing is open."""


class NullAnswer(Pouring):
    """An answer that is there already."""

    __slots__ = ("_pieces", "_place", "headers", "sent_seconds", "status")

    def __init__(self, pieces: tuple[bytes, ...], headers: Mapping[str, str]) -> None:
        self.status = 200
        self.headers = headers
        self.sent_seconds: float | None = None
        self._pieces = pieces
        self._place = 0

    async def read(self, until_seconds: float) -> bytes:
        """The next piece, nothing after the last."""
        place = self._place
        if place == len(self._pieces):
            return b""
        self._place = place + 1
        return self._pieces[place]

    def release(self) -> None:
        """No connection to keep."""

    def close(self) -> None:
        """No connection to close."""

    def discard(self) -> None:
        """No connection to close."""
