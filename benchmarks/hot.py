"""CPU of each step of a call, in this process and without sockets: for work on the hot path.

Run as `python -m benchmarks.hot`. What is missing to the figure of `benchmarks.run` is the HTTP server, the HTTP client
and the kernel.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time_ns, thread_time_ns
from typing import Any, TypeVar

import uvloop

from benchmarks.gateways import PROVIDER_KEY, oneflow_toml
from benchmarks.null_client import NullLine, NullReply
from benchmarks.null_provider import NullUpstream
from benchmarks.provider import Answers
from benchmarks.questions import MODEL, Question
from benchmarks.report import as_text
from oneflow_ai.app.runtime import Runtime
from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.events import End, Event, Usage
from oneflow_ai.core.ports import Head
from oneflow_ai.core.record import Attempt, Exchange
from oneflow_ai.core.target import Target
from oneflow_ai.dialects import openai
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.edge import Edge, EdgeLimits, EdgePorts
from oneflow_ai.edge.answer import ReplyClient
from oneflow_ai.edge.asgi import Message, Receive, Scope, Send
from oneflow_ai.edge.door import Door, loopback_hosts
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.turn import Turn
from oneflow_ai.flow.admission import Admission
from oneflow_ai.flow.attempt import Ways
from oneflow_ai.flow.engine import Engine
from oneflow_ai.policy import price
from oneflow_ai.policy.plan import Planner, Result, Try
from oneflow_ai.policy.route import Router
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.memory_limits import MemoryLimits
from oneflow_ai.telemetry.access import AccessLog
from oneflow_ai.telemetry.lines import LineWriter

KEY = b"of_key-of-this-benchmark"
CALLS = 1_000
REPEATS = 7
BESIDE = 32
_LINES_MOST = 1_000_000
_USED = Usage(input_tokens=260, output_tokens=160)

T = TypeVar("T")
Step = Callable[[Call], object]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of call: what is asked, and the pieces in which its answer is read."""

    words: str
    question: Question
    pieces: tuple[bytes, ...]


def shapes() -> Sequence[Shape]:
    """A whole answer, a stream that is there at once, and one that comes event by event."""
    answers = Answers()
    whole = answers.whole.partition(b"\r\n\r\n")[2]
    events = tuple(event.split(b"\r\n", 1)[1].removesuffix(b"\r\n") for event in answers.events_with_usage)
    asked = Question(1_000, stream=True)
    return (
        Shape("whole", Question(1_000), (whole,)),
        Shape("stream, one read", asked, (b"".join(events),)),
        Shape(f"stream, {len(events)} reads", asked, events),
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of a gateway, ready to be called one by one."""

    runtime: Runtime
    access: AccessLog
    engine: Engine
    edge: Edge
    door: Door
    admission: Admission
    router: Router
    planner: Planner
    target: Target
    account: Account
    body: bytes
    headers: list[tuple[bytes, bytes]]


def measure(calls: int = CALLS, repeats: int = REPEATS) -> dict[str, list[float]]:
    """CPU microseconds of each step, for one call of each shape: the best of so many repeats."""
    with tempfile.TemporaryDirectory(prefix="oneflow-hot-") as folder, Path(os.devnull).open("wb") as nobody:
        lines = LineWriter(nobody, _LINES_MOST)
        try:
            return uvloop.run(_measure(Path(folder), AccessLog(lines), calls, repeats))
        finally:
            lines.close()


async def _measure(home: Path, access: AccessLog, calls: int, repeats: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    async with Runtime(_settings(home)) as runtime:
        digest = KeyDigest(b"pepper of this benchmark")
        runtime.admit({digest(KEY): Account("key_benchmark")})
        # As the server does: what was loaded at the start is no garbage.
        gc.collect()
        gc.freeze()
        for shape in shapes():
            at = _bench(runtime, digest, access, shape)
            for words, step in _steps(at, shape).items():
                found.setdefault(words, []).append(_best(at, step, calls, repeats))
            found.setdefault(f"the same, {BESIDE} calls at once", []).append(_best_beside(at, shape, calls, repeats))
            found.setdefault("history write, in batches", []).append(await _best_write(at, calls, repeats))
        gc.unfreeze()
    return found


def _steps(at: Bench, shape: Shape) -> Mapping[str, Step]:
    """Each step takes a call that no step before it has seen, and does its part for it once."""
    runtime, target, adapter = at.runtime, at.target, at.target.adapter
    exchange_of = _exchanges(at)
    served = ReplyClients(at, shape)
    headers = dict(at.headers)

    def plan(call: Call) -> None:
        steps = at.planner.plan((target,), runtime.desk.snapshot.retry, call.started_seconds, call.deadline_seconds)
        step = next(steps)
        assert isinstance(step, Try)
        finish(steps, Result(None, True, call.started_seconds))

    def admit(call: Call) -> None:
        at_once(at.admission.hold(call, (target,)))
        at_once(at.admission.settle(call, _USED, 1_000))

    def quota(call: Call) -> None:
        at_once(runtime.quota.hold(call, target, 1_000))
        runtime.quota.settle(call, target, 420)

    def decode(call: Call) -> None:
        decoder = adapter.decoder(call, target)
        for piece in shape.pieces:
            decoder.feed(piece)
        decoder.close()

    return {
        "key to account": lambda call: at.door.account(headers, runtime.desk.snapshot),
        "body to call": lambda call: openai.parse(at.body, _envelope(runtime, at.account)),
        "route": lambda call: at.router.targets(runtime.desk.snapshot, call),
        "limits of the key, price bound": admit,
        "plan": plan,
        "limits of the provider": quota,
        "request to the provider": lambda call: adapter.request(call, target),
        "answer to events": decode,
        "events to the client": served.answer,
        "price": lambda call: price.used(target.price, _USED, call.received) if target.price else None,
        "metrics": lambda call: runtime.metrics.observe(exchange_of(call)),
        "totals of the provider": lambda call: runtime.tally.observe(exchange_of(call)),
        "access line": lambda call: at.access(exchange_of(call)),
        "history row": lambda call: runtime.history.row(exchange_of(call)),
        "engine, all it does": lambda call: at_once(at.engine.serve(call, client_of(call))),
        "edge and engine, all they do": lambda call: at_once(at.edge.answer(served.turn())),
    }


class ReplyClients:
    """What a server hands the edge, and what the engine hands a client: made ahead, used again for each call."""

    def __init__(self, at: Bench, shape: Shape) -> None:
        decoder = at.target.adapter.decoder(_call(at, 0), at.target)
        events = [event for piece in shape.pieces for event in decoder.feed(piece)] + decoder.close()
        self._events: list[Event] = [event for event in events if not isinstance(event, Usage | End)]
        self._end = next(event for event in events if isinstance(event, End))
        self._head = Head(at.target, 1)
        self._exchange_of = _exchanges(at)
        self._body = at.body
        self._request_head = RequestHead(b"POST", b"/v1/chat/completions", b"", at.headers, dict(at.headers))
        self._line = NullLine()

    def answer(self, call: Call) -> None:
        """Everything that a client is told of one call."""
        client = client_of(call)
        client.begin(self._head)
        for event in self._events:
            client.send(event)
        at_once(client.finish(self._end, self._exchange_of(call)))

    def turn(self) -> Turn:
        """One request as a connection takes it: with the head of the one before, and its body at once."""
        turn = Turn(self._line, self._request_head)
        turn.take_whole(self._body)
        return turn


class Counted:
    """A recorder that does all that the real one does for each call, but for the batches, which are measured apart."""

    def __init__(self, runtime: Runtime, access: AccessLog) -> None:
        self._watchers = (runtime.metrics.observe, runtime.tally.observe, access)
        self._row = runtime.history.row

    def record(self, exchange: Exchange) -> None:
        """Count it, write its access line, and make its row."""
        for watch in self._watchers:
            watch(exchange)
        self._row(exchange)


def client_of(call: Call) -> ReplyClient:
    """A client that is nowhere."""
    return ReplyClient(call, NullReply(), unlimited)


def unlimited(account: Account) -> None:
    """A key without limits."""


async def nowhere(message: Message) -> None:
    """Send it to nobody."""


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing but its turns; raises `RuntimeError` if it waits."""
    while True:
        try:
            waited_for = coroutine.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
        if waited_for is not None:
            coroutine.close()
            raise RuntimeError("a step waited")


def side_by_side(coroutines: list[Coroutine[Any, Any, None]]) -> None:
    """Let all of them end, turn by turn, as an event loop does with calls that are ready together."""
    while coroutines:
        going: list[Coroutine[Any, Any, None]] = []
        for coroutine in coroutines:
            try:
                coroutine.send(None)
            except StopIteration:
                continue
            going.append(coroutine)
        coroutines = going


def finish(steps: Generator[object, Result | None, None], result: Result) -> None:
    """Tell a plan how its only try ended."""
    try:
        steps.send(result)
    except StopIteration:
        return
    raise RuntimeError("the plan went on after a success")


def _best(at: Bench, step: Step, calls: int, repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        asked = [_call(at, number) for number in range(calls)]
        gc.collect()
        began = thread_time_ns()
        for call in asked:
            step(call)
        best = min(best, (thread_time_ns() - began) / calls / 1_000)
    return best


def _best_beside(at: Bench, shape: Shape, calls: int, repeats: int) -> float:
    served, best = ReplyClients(at, shape), float("inf")
    rounds = max(calls // BESIDE, 1)
    for _ in range(repeats):
        gc.collect()
        began = thread_time_ns()
        for _ in range(rounds):
            side_by_side([at.edge.answer(served.turn()) for _ in range(BESIDE)])
        best = min(best, (thread_time_ns() - began) / rounds / BESIDE / 1_000)
    return best


async def _best_write(at: Bench, calls: int, repeats: int) -> float:
    exchange_of, best = _exchanges(at), float("inf")
    for _ in range(repeats):
        rows = [at.runtime.history.row(exchange_of(_call(at, number))) for number in range(calls)]
        began = process_time_ns()
        await at.runtime.history.write_batch(rows)
        best = min(best, (process_time_ns() - began) / calls / 1_000)
    return best


def _envelope(runtime: Runtime, account: Account) -> Envelope:
    now = runtime.clock.monotonic()
    return Envelope(runtime.new_id("req"), account, Operation.CHAT, runtime.clock.utc(), now, now + 600.0)


def _call(at: Bench, number: int) -> Call:
    return replace(openai.parse(at.body, _envelope(at.runtime, at.account)), user=f"user-{number}")


def _exchanges(at: Bench) -> Callable[[Call], Exchange]:
    """A function that gives the record of a call that went well: always the same, but for the call."""
    now = at.runtime.clock.monotonic()
    exchange = Exchange(
        _call(at, 0),
        attempts=[Attempt(at.target, now, now + 0.5, "ok", 200)],
        outcome="ok",
        status=200,
        usage=_USED,
        cost_nanos=135_000,
        served=at.target,
        first_event_seconds=now + 0.4,
        ended_seconds=now + 0.5,
    )

    def of(call: Call) -> Exchange:
        exchange.call = call
        return exchange

    return of


def _settings(home: Path) -> Loaded:
    file = home / "oneflow.toml"
    # No list of models is asked for: a connection that is opened between the steps would wait for all of them.
    file.write_text(f"{oneflow_toml(port=0, provider_port=9)}\n[models]\nrefresh_hours = 0\n")
    return load(file, {"ONEFLOW_HOME": str(home), "OPENAI_API_KEY": PROVIDER_KEY}, home, kinds=TABLE)


def _bench(runtime: Runtime, digest: Callable[[bytes], bytes], access: AccessLog, shape: Shape) -> Bench:
    router = Router(runtime.books.scores, runtime.chance)
    planner = Planner(runtime.books.health, runtime.books.budgets, runtime.chance)
    admission = Admission([MemoryLimits(runtime.clock)])
    kind = "text/event-stream" if shape.question.stream else "application/json"
    upstream = NullUpstream(shape.pieces, {"content-type": kind})
    engine = Engine(
        runtime.desk, router, planner, admission, Ways(runtime.clock, runtime.quota, upstream), Counted(runtime, access)
    )
    door = Door(digest, keys_needed=True, hosts=loopback_hosts(()))
    ports = EdgePorts(
        desk=runtime.desk,
        engine=engine,
        door=door,
        control=_no_control,
        limits=EdgeLimits(),
        overload=runtime.overload,
        clock=runtime.clock,
        chance=runtime.chance,
        log=runtime.log,
        refused=runtime.metrics.refused,
        standing=runtime.limits.standing,
    )
    body = shape.question.body()
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"authorization", b"Bearer " + KEY),
    ]
    target = runtime.desk.snapshot.providers["openai"].targets(MODEL)[0]
    account = next(iter(runtime.desk.snapshot.keys.values()))
    return Bench(runtime, access, engine, Edge(ports), door, admission, router, planner, target, account, body, headers)


async def _no_control(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("only calls are measured")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot", description="CPU of each step of a call, in µs.")
    parser.add_argument("--calls", type=int, default=CALLS, help="calls in a repeat")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="the best of so many counts")
    asked = parser.parse_args()
    found = measure(asked.calls, asked.repeats)
    heads = ["CPU µs of a call", *(shape.words for shape in shapes())]
    print(as_text([heads, *([words, *(f"{each:.1f}" for each in figures)] for words, figures in found.items())]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
