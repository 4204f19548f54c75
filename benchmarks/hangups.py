"""Clients that hang up: each sends a call and breaks the connection a moment later, many thousand times.

Run as `python -m benchmarks.hangups` with `HangUps` as JSON on standard input; it prints `HungUp` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from time import monotonic

import uvloop

from benchmarks.processes import get
from benchmarks.questions import Question, request

EVENT_SECONDS_MOST = 20.0
QUIET_SECONDS_MOST = 10.0
_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class HangUps:
    """How many, by how many clients at a time, at which port, within how many seconds; the double's port; chance."""

    port: int
    headers: Mapping[str, str]
    clients: int
    count: int
    seconds_most: float
    provider_port: int
    seed: int


@dataclass(frozen=True, slots=True)
class HungUp:
    """How many calls were broken off, and how long after the last the provider still answered one, in seconds.

    `unanswered` are clients that waited for the first event of their stream in vain.
    """

    hang_ups: int
    unanswered: int
    quiet_seconds: float


@dataclass(frozen=True, slots=True)
class Manner:
    """What is asked, whether its first bytes are waited for, and the longest patience after that, in seconds."""

    question: Question
    sees_first: bool
    patience_seconds: float


# In the middle of being read, while the provider thinks, and between two events of a stream. The last kind waits to be
# served, so that clients come no faster than they are.
MANNERS: Sequence[Manner] = (
    Manner(Question(1_000, wait_milliseconds=2_000), False, 0.004),
    Manner(Question(1_000, wait_milliseconds=2_000), False, 0.4),
    Manner(Question(1_000, stream=True, gap_milliseconds=20), True, 0.04),
)


class _Client(asyncio.Protocol):
    """One call; `first` is done when the first bytes come, or none can."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._done(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._done(False)

    def _done(self, came: bool) -> None:
        if not self.first.done():
            self.first.set_result(came)


class Crowd:
    """The clients, each with one call at a time."""

    def __init__(self, asked: HangUps) -> None:
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._chance = Random(asked.seed)  # noqa: S311 - when a client hangs up is no secret
        self._requests = [request(asked.port, asked.headers, manner.question) for manner in MANNERS]
        self._turns = iter(range(asked.count))
        self._hang_ups = 0
        self._unanswered = 0

    async def run(self) -> HungUp:
        """Hang up as often as asked, or until time is up; then wait until the provider is left alone."""
        await asyncio.gather(*(self._client() for _ in range(self._asked.clients)))
        ended = monotonic()
        while json.loads(get(self._asked.provider_port, "/counts")[1])["open"]:
            if monotonic() - ended > QUIET_SECONDS_MOST:
                break
            await asyncio.sleep(_POLL_SECONDS)
        return HungUp(self._hang_ups, self._unanswered, monotonic() - ended)

    async def _client(self) -> None:
        until = self._loop.time() + self._asked.seconds_most
        for number in self._turns:
            if self._loop.time() > until:
                return
            await self._call(MANNERS[number % len(MANNERS)], self._requests[number % len(MANNERS)])

    async def _call(self, manner: Manner, request: bytes) -> None:
        transport, client = await self._loop.create_connection(_Client, "127.0.0.1", self._asked.port)
        transport.write(request)
        if manner.sees_first and not await self._saw_first(client):
            self._unanswered += 1
        await asyncio.sleep(self._chance.random() * manner.patience_seconds)
        # A closed connection says so in order, an aborted one with what was sent still unread.
        if self._chance.random() < 0.5:
            transport.abort()
        else:
            transport.close()
        self._hang_ups += 1

    async def _saw_first(self, client: _Client) -> bool:
        try:
            async with asyncio.timeout(EVENT_SECONDS_MOST):
                return await client.first
        except TimeoutError:
            return False


async def _main() -> HungUp:
    return await Crowd(HangUps(**json.loads(sys.stdin.read()))).run()


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_main()))))
