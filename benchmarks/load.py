"""A lean closed-loop load generator: so many connections, each asking again as soon as it was answered.

Run as `python -m benchmarks.load` with an `Order` as JSON on standard input; it prints a `Result` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import httptools
import uvloop

from benchmarks.processes import cpu_seconds, get, machine_cpu_seconds
from benchmarks.questions import STREAM_EVENTS, Question, request

ERRORS_MOST = 100
DRAIN_SECONDS_MOST = 30.0
SHOWN_BYTES_MOST = 300
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask, of whom, how long: by time, or `requests_most` in all, whichever ends first.

    `target_pids` are the processes whose CPU is told, `provider_port` and `provider_pid` the double behind them.
    """

    port: int
    headers: Mapping[str, str]
    question: Question
    connections: int
    warm_seconds: float
    seconds: float
    requests_most: int
    target_pids: tuple[int, ...]
    provider_port: int
    provider_pid: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an order. Times are of the measured window, after the warm-up, but for `asked` and what follows it.

    `asked` are all requests sent, `reached` those that the double saw, `errors` answers that were not right.
    `elsewhere_cores` is what other programs of the machine used meanwhile.
    """

    requests: int
    seconds: float
    target_cpu_seconds: float
    provider_cpu_seconds: float
    own_cpu_seconds: float
    elsewhere_cores: float
    p50_milliseconds: float
    p99_milliseconds: float
    first_p50_milliseconds: float
    asked: int
    answered: int
    reached: int
    errors: int
    reconnects: int
    first_error: str

    @property
    def cpu_microseconds(self) -> float:
        """CPU of the target for one request."""
        return self.target_cpu_seconds / self.requests * 1e6 if self.requests else 0.0

    @property
    def requests_per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class _Reading:
    """Clocks at one moment."""

    seconds: float
    answered: int
    target: float
    provider: float
    own: float
    machine: float


class Run:
    """One order under way."""

    def __init__(self, order: Order) -> None:
        self._loop = asyncio.get_running_loop()
        self._order = order
        self._begin: _Reading | None = None
        self._end: _Reading | None = None
        self._drained: asyncio.Future[None] = self._loop.create_future()
        self._connecting: list[asyncio.Task[None]] = []
        self._busy = 0
        self.request = request(order.port, order.headers, order.question)
        self.events = STREAM_EVENTS if order.question.stream else 0
        self.stopping = False
        self.times = array("d")
        self.first_times = array("d")
        self.asked = self.answered = self.errors = self.reconnects = 0
        self.first_error = ""

    async def run(self) -> Result:
        """Ask until time or count is up, then wait for what is under way."""
        reached = self._reached()
        if self._order.warm_seconds > 0:
            self._loop.call_later(self._order.warm_seconds, self._open_window)
        else:
            self._open_window()
        await asyncio.gather(*(self._connect() for _ in range(self._order.connections)))
        until = self._loop.call_later(self._order.warm_seconds + self._order.seconds, self.stop)
        await self._drained
        until.cancel()
        return self._result(self._reached() - reached)

    def stop(self) -> None:
        """Time is up: ask nothing more; the measured window ends here."""
        if self._end is None:
            self.stopping = True
            self._open_window()
            self._end = self._reading()
            self._loop.call_later(DRAIN_SECONDS_MOST, self._give_up)
            self._check_drained()

    def take_turn(self) -> bool:
        """Whether a connection may ask once more; it then has to say `done` or `failed`."""
        if self.stopping:
            return False
        self.asked += 1
        self._busy += 1
        self.stopping = self.asked == self._order.requests_most
        return True

    def done(self, began: float, first: float, now: float) -> None:
        """One right answer."""
        self.answered += 1
        self._busy -= 1
        if self._begin is not None and self._end is None:
            self.times.append(now - began)
            self.first_times.append(first - began)
        if self.stopping:
            self._check_drained()

    def failed(self, what: str) -> None:
        """One answer that was not right."""
        self.errors += 1
        self._busy -= 1
        self.first_error = self.first_error or what[:SHOWN_BYTES_MOST]
        if self.errors >= ERRORS_MOST:
            self.stop()
        if self.stopping:
            self._check_drained()

    def reconnect(self) -> None:
        """A connection was lost between two requests: open another."""
        self.reconnects += 1
        if not self.stopping and self.reconnects < ERRORS_MOST:
            self._connecting.append(self._loop.create_task(self._connect()))
        else:
            self.stop()

    async def _connect(self) -> None:
        try:
            await self._loop.create_connection(lambda: Connection(self), "127.0.0.1", self._order.port)
        except OSError as error:
            self._busy += 1
            self.failed(str(error))
            self.stop()

    def _open_window(self) -> None:
        if self._begin is None:
            self.times = array("d")
            self.first_times = array("d")
            self._begin = self._reading()

    def _check_drained(self) -> None:
        if not self._busy and not self._drained.done():
            self._drained.set_result(None)
            # Where the count ends the run, its window ends with the last answer.
            self.stop()

    def _give_up(self) -> None:
        if not self._drained.done():
            self.errors += self._busy
            self.first_error = self.first_error or "an answer did not end"
            self._drained.set_result(None)

    def _reached(self) -> int:
        requests: int = json.loads(get(self._order.provider_port, "/counts")[1])["requests"]
        return requests

    def _reading(self) -> _Reading:
        order = self._order
        return _Reading(
            perf_counter(),
            self.answered,
            cpu_seconds(order.target_pids),
            cpu_seconds([order.provider_pid]),
            cpu_seconds([os.getpid()]),
            machine_cpu_seconds(),
        )

    def _result(self, reached: int) -> Result:
        begin, end = self._begin, self._end
        assert begin is not None and end is not None
        target, provider, own = end.target - begin.target, end.provider - begin.provider, end.own - begin.own
        seconds = end.seconds - begin.seconds
        ours = target + provider + own
        return Result(
            requests=end.answered - begin.answered,
            seconds=seconds,
            target_cpu_seconds=target,
            provider_cpu_seconds=provider,
            own_cpu_seconds=own,
            elsewhere_cores=max(end.machine - begin.machine - ours, 0.0) / seconds if seconds > 0 else 0.0,
            p50_milliseconds=_percentile(self.times, 50),
            p99_milliseconds=_percentile(self.times, 99),
            first_p50_milliseconds=_percentile(self.first_times, 50),
            asked=self.asked,
            answered=self.answered,
            reached=reached,
            errors=self.errors,
            reconnects=self.reconnects,
            first_error=self.first_error,
        )


class Connection(asyncio.Protocol):
    """One connection of the generator: ask, read the whole answer, ask again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._busy = False
        self._events = 0
        self._tail = b""
        self._first = self._began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # what TCP gives
        """Connected: ask."""
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        if not self._first:
            self._first = perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"what came is not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side hung up, or we did."""
        if self._busy:
            self._busy = False
            self._run.failed("the connection broke within an answer")
        if not self._run.stopping:
            self._run.reconnect()

    def on_body(self, body: bytes) -> None:
        """A piece of the answer's body."""
        if self._run.events:
            self._events += body.count(b"\n\n")
            # A blank line cut in two, which no piece shows alone.
            if self._tail.endswith(b"\n") and body.startswith(b"\n"):
                self._events += 1
            self._tail = (self._tail + body)[-len(_DONE) :]
        elif len(self._tail) < SHOWN_BYTES_MOST:
            self._tail += body[:SHOWN_BYTES_MOST]

    def on_message_complete(self) -> None:
        """The answer is whole."""
        now = perf_counter()
        run = self._run
        status = self._parser.get_status_code()
        self._busy = False
        if status != 200:
            run.failed(f"{status}: {self._tail.decode(errors='replace')}")
        elif run.events and (self._events != run.events or self._tail != _DONE):
            run.failed(f"a stream of {self._events} events, not {run.events}")
        else:
            run.done(self._began, self._first, now)
        self._ask()

    def _ask(self) -> None:
        if self._run.take_turn():
            self._busy = True
            self._events = 0
            self._tail = b""
            self._first = 0.0
            self._began = perf_counter()
            self._transport.write(self._run.request)
        else:
            self._transport.close()

    def _fail(self, what: str) -> None:
        if self._busy:
            self._busy = False
            self._run.failed(what)
        self._transport.abort()


def result_of(text: str) -> Result:
    """The result that the generator printed."""
    return Result(**json.loads(text))


def order_of(text: str) -> Order:
    """The order that the generator was given."""
    fields: dict[str, Any] = json.loads(text)
    fields["question"] = Question(**fields["question"])
    fields["target_pids"] = tuple(fields["target_pids"])
    return Order(**fields)


def order_text(order: Order) -> str:
    """An order as the generator reads it."""
    return json.dumps(asdict(order))


def _percentile(values: array[float], percent: int) -> float:
    """The nearest-rank percentile, in milliseconds; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)] * 1000


async def _main() -> Result:
    return await Run(order_of(sys.stdin.read())).run()


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(_main()))))
