"""What reached a simulator on the wire: exact counts for ever, and the latest requests one by one."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from oneflow_ai.simulator.form import parts_as_json
from oneflow_ai.simulator.request import Request

MODELS_COUNTED_MOST = 1_000
OTHER_MODELS = "(others)"

HEAD_BYTES_MOST = 8 << 10
"""How much of a request's path, and of all its headers, is kept."""

COMPLETED, CLOSED, RESET, CLIENT_CLOSED = "completed", "closed", "reset", "client_closed"
"""How a request ended: answered to its end, cut by us in order, broken off by us, left by the client."""


@dataclass(slots=True)
class Attempt:
    """One request on the wire. Times are monotonic seconds; what is not known yet is None.

    `number` counts requests since the start, `attempt` those of the same nonce, or of the same model and credential.
    `credential` is a short hash. `fault` is the fault that was played, as it was asked for. `sent_bytes` is what was
    handed to the network. `parts` are those of a form, of whose texts as much is kept as of a body.
    """

    number: int
    connection: int
    served_before: int
    arrived_seconds: float
    method: str
    path: str
    headers: Sequence[tuple[bytes, bytes]]
    credential: str
    model: str
    attempt: int
    body_bytes: int
    body: bytes = b""
    parts: Sequence[dict[str, Any]] = ()
    fault: str | None = None
    status: int | None = None
    sent_bytes: int = 0
    ended: str | None = None
    ended_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The attempt as the control port shows it."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in ("headers", "body")}
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in self.headers]
        return shown | {"headers": headers, "body": self.body.decode("utf-8", "replace")}


@dataclass(slots=True)
class Counts:
    """Exact counts since the start or the last clearing; those named `open` and `in_flight` are of this moment."""

    requests: int = 0
    connections: int = 0
    connections_open: int = 0
    in_flight: int = 0
    in_flight_most: int = 0
    refused_by_limit: int = 0
    malformed: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    by_end: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The counts as the control port shows them."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in shown.items()}


class Record:
    """The requests and connections a simulator saw. Read it on the simulator's own loop."""

    def __init__(self, requests_most: int, body_bytes_most: int) -> None:
        self.counts = Counts()
        self._attempts: deque[Attempt] = deque(maxlen=requests_most)
        self._body_bytes_most = body_bytes_most
        self._watchers: list[asyncio.Future[None]] = []

    def attempts(self, model: str | None = None) -> list[Attempt]:
        """The latest requests in the order they arrived, all or those for one model."""
        return [each for each in self._attempts if model is None or each.model == model]

    def clear(self) -> None:
        """Forget the requests and start counting anew; what is open stays counted."""
        before = self.counts
        self.counts = Counts(
            connections_open=before.connections_open, in_flight=before.in_flight, in_flight_most=before.in_flight
        )
        self._attempts.clear()

    async def until(self, true_of: Callable[[Record], bool]) -> None:
        """Wait until something holds of this record; it is asked again after every change."""
        while not true_of(self):
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    def opened(self) -> int:
        """Count a connection and give its number."""
        self.counts.connections += 1
        self.counts.connections_open += 1
        if self._watchers:
            self._changed()
        return self.counts.connections

    def closed(self) -> None:
        """Count a connection that is gone."""
        self.counts.connections_open -= 1
        if self._watchers:
            self._changed()

    def malformed(self) -> None:
        """Count bytes that were no HTTP request."""
        self.counts.malformed += 1
        if self._watchers:
            self._changed()

    def arrived(self, request: Request, place: tuple[int, int], model: str, attempt: int) -> Attempt:
        """Note a request; `place` is its connection's number and how many requests that connection served before."""
        counts = self.counts
        counts.requests += 1
        counts.in_flight += 1
        counts.in_flight_most = max(counts.in_flight_most, counts.in_flight)
        by_model = counts.by_model
        by_model[model if model in by_model or len(by_model) < MODELS_COUNTED_MOST else OTHER_MODELS] += 1
        noted = Attempt(
            number=counts.requests,
            connection=place[0],
            served_before=place[1],
            arrived_seconds=request.arrived_seconds,
            method=request.method,
            path=request.path[:HEAD_BYTES_MOST],
            headers=_first(request.headers),
            credential=request.credential_hash,
            model=model,
            attempt=attempt,
            body_bytes=request.body_bytes,
            body=request.body[: self._body_bytes_most],
            parts=parts_as_json(request.form.parts, self._body_bytes_most) if request.form else (),
        )
        self._attempts.append(noted)
        if self._watchers:
            self._changed()
        return noted

    def ended(self, attempt: Attempt, how: str, sent_bytes: int, ended_seconds: float) -> None:
        """Note how a request ended."""
        attempt.ended, attempt.sent_bytes, attempt.ended_seconds = how, sent_bytes, ended_seconds
        counts = self.counts
        counts.in_flight -= 1
        counts.by_end[how] += 1
        if attempt.status is not None:
            counts.by_status[attempt.status] += 1
        if attempt.fault is not None:
            counts.by_fault[attempt.fault.partition(";")[0].partition("@")[0]] += 1
        if self._watchers:
            self._changed()

    def _changed(self) -> None:
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)


def _first(headers: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """The headers up to the first that is too much; those that follow it are not kept."""
    size = 0
    for place, (name, value) in enumerate(headers):
        size += len(name) + len(value)
        if size > HEAD_BYTES_MOST:
            return headers[:place]
    return headers
