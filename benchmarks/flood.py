"""Calls that come at a steady rate whatever becomes of them: what a gateway does when more is asked than it can do.

Run as `python -m benchmarks.flood` with `Flood` as JSON on standard input; it prints `Flooded` as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import monotonic

import uvloop

from benchmarks.questions import PATH, Question

TICK_SECONDS = 0.005
DRAIN_SECONDS = 20.0
_END = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Flood:
    """How many calls a second, for how long, at which port; the gap between the events of their streams, in ms."""

    port: int
    headers: Mapping[str, str]
    calls_per_second: float
    seconds: float
    gap_milliseconds: int = 10
    warm_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Flooded:
    """What became of the calls that were sent after the warm-up, and the 99th of 100 durations in seconds.

    `broken` are neither answered nor refused: another status, a connection that broke, no end in time.
    """

    sent: int
    answered: int
    refused: int
    broken: int
    answered_p99_seconds: float
    refused_p50_seconds: float
    refused_p99_seconds: float


class _Line(asyncio.Protocol):
    """A connection that is used again and again."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._tail = b""
        self._status = 0
        self._began = 0.0
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # what TCP gives

    def ask(self, request: bytes, *, counted: bool) -> None:
        self._tail, self._status, self._began, self._counted = b"", 0, monotonic(), counted
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self._status:
            self._status = int(data[9:12])
        self._tail = (self._tail + data)[-8:]
        if self._status == 200:
            if self._tail.endswith(_END):
                self._over()
        elif data.endswith(b"}"):
            self._over()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._began:
            self._status = 0
            self._over(kept=False)

    def _over(self, *, kept: bool = True) -> None:
        seconds, self._began = monotonic() - self._began, 0.0
        self._run.over(self, self._status, seconds, counted=self._counted, kept=kept)


class _Run:
    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        self._idle: list[_Line] = []
        self._open = 0
        self._sent = 0
        self._last_sent = False
        self._quiet = asyncio.Event()
        self._answered: list[float] = []
        self._refused: list[float] = []
        body = Question(1_000, stream=True, gap_milliseconds=flood.gap_milliseconds).body()
        lines = [f"POST {PATH} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in flood.headers.items()]
        self._request = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body

    def over(self, line: _Line, status: int, seconds: float, *, counted: bool, kept: bool) -> None:
        self._open -= 1
        if self._last_sent and not self._open:
            self._quiet.set()
        if kept:
            self._idle.append(line)
        if not counted:
            return
        if status == 200:
            self._answered.append(seconds)
        elif status == 503:
            self._refused.append(seconds)

    async def run(self) -> Flooded:
        flood, loop = self._flood, asyncio.get_running_loop()
        began, due = monotonic(), 0
        while (now := monotonic() - began) < flood.warm_seconds + flood.seconds:
            counted = now >= flood.warm_seconds
            while due < now * flood.calls_per_second:
                due += 1
                self._open += 1
                self._sent += counted
                if self._idle:
                    self._idle.pop().ask(self._request, counted=counted)
                else:
                    _, line = await loop.create_connection(lambda: _Line(self), "127.0.0.1", flood.port)
                    line.ask(self._request, counted=counted)
            await asyncio.sleep(TICK_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                self._last_sent = True
                if self._open:
                    await self._quiet.wait()
        return Flooded(
            sent=self._sent,
            answered=len(self._answered),
            refused=len(self._refused),
            broken=self._sent - len(self._answered) - len(self._refused),
            answered_p99_seconds=_percentile(self._answered, 99),
            refused_p50_seconds=_percentile(self._refused, 50),
            refused_p99_seconds=_percentile(self._refused, 99),
        )


def _percentile(seconds: list[float], percent: int) -> float:
    return sorted(seconds)[len(seconds) * percent // 100] if seconds else 0.0


def flooded_of(text: str) -> Flooded:
    """What the program printed."""
    return Flooded(**json.loads(text))


def flood_text(flood: Flood) -> str:
    """What the program reads."""
    return json.dumps(asdict(flood))


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_Run(Flood(**json.load(sys.stdin))).run()))))
