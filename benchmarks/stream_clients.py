"""Clients of many paced streams at a time, who take the time in each token from their own.

Run as `python -m benchmarks.stream_clients` with `Streams` as JSON on standard input; it prints `Delays` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import monotonic_ns

import uvloop

from benchmarks.questions import STAMP_DIGITS, Question, request

_PROMPT_BYTES = 1_000
_TOKEN = re.compile(rb'"content":"(\d{%d})"' % STAMP_DIGITS)
_TAIL_BYTES = STAMP_DIGITS + 16
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Streams:
    """How many streams at once, of how many tokens a second, at which port, for how long after a warm-up."""

    port: int
    headers: Mapping[str, str]
    streams: int
    tokens_per_second: int
    warm_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Delays:
    """How much later tokens came than the provider wrote them; `broken` are answers that were no whole stream."""

    streams: int
    tokens: int
    broken: int
    p50_milliseconds: float
    p99_milliseconds: float
    worst_milliseconds: float


class Crowd:
    """All clients: what they have in common."""

    def __init__(self, asked: Streams) -> None:
        gap_milliseconds = 1_000 // asked.tokens_per_second
        question = Question(_PROMPT_BYTES, stream=True, gap_milliseconds=gap_milliseconds, stamped=True)
        self._asked = asked
        self.request = request(asked.port, asked.headers, question)
        self.delays = array("q")
        self.counting = self.ended = False
        self.broken = 0

    async def run(self) -> Delays:
        """Open the streams one after the other over the warm-up, keep that many open, then stop."""
        asked, loop = self._asked, asyncio.get_running_loop()
        transports = []
        for _ in range(asked.streams):
            transport, _ = await loop.create_connection(lambda: _Client(self), "127.0.0.1", asked.port)
            transports.append(transport)
            await asyncio.sleep(asked.warm_seconds / asked.streams)
        self.counting = True
        await asyncio.sleep(asked.seconds)
        self.counting, self.ended = False, True
        for transport in transports:
            transport.abort()
        ordered = sorted(self.delays)
        return Delays(
            streams=asked.streams,
            tokens=len(ordered),
            broken=self.broken,
            p50_milliseconds=_percentile(ordered, 50),
            p99_milliseconds=_percentile(ordered, 99),
            worst_milliseconds=_percentile(ordered, 100),
        )


class _Client(asyncio.Protocol):
    """One connection, with one stream after the other."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._tail = b""
        self._begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # what TCP gives
        self._transport = transport
        transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        crowd, text = self._crowd, self._tail + data
        if not self._begun:
            self._begun = True
            crowd.broken += not text.startswith(b"HTTP/1.1 200 ")
        taken = 0
        for found in _TOKEN.finditer(text):
            taken = found.end()
            if crowd.counting:
                crowd.delays.append(now - int(found[1]))
        if text.endswith(_LAST_CHUNK):
            self._tail, self._begun = b"", False
            self._transport.write(crowd.request)
        else:
            self._tail = text[taken:][-_TAIL_BYTES:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.broken += not self._crowd.ended


def _percentile(ordered: list[int], percent: int) -> float:
    """The nearest-rank percentile of nanoseconds, in milliseconds; 0 of nothing."""
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)] / 1e6 if ordered else 0.0


async def _main() -> Delays:
    return await Crowd(Streams(**json.loads(sys.stdin.read()))).run()


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_main()))))
