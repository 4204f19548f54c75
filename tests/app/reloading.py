"""A server without a socket whose configuration is read anew, and what a reload is seen by."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from oneflow_ai.app.front import Front
from oneflow_ai.app.runtime import Runtime
from oneflow_ai.app.serving import Again, Server
from oneflow_ai.cli.hosting import look_of
from oneflow_ai.core.target import Route, Target
from oneflow_ai.edge.guest import Guests
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from oneflow_ai.stores.history import Filters
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys
from oneflow_ai.telemetry.lines import LineWriter
from oneflow_ai.telemetry.logging import Look, open_log
from oneflow_ai.testing import StepClock
from oneflow_ai.upstream import Way
from tests.control.plane import HERE, Reply, ask, sending
from tests.stores.exchanges import success

SIM = '[providers.sim]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
KEYED = f'{SIM}api_key = "env:KEY"\n'
PRICED = '[prices."sim/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
ROUTE = f'{KEYED}{PRICED}[routes.fast]\ntask = "text"\n'
ENVIRONMENT = {
    "KEY": "sk-one",
    "OTHER": "sk-two",
    "SECRET": "s" * 32,
    "OPENAI_API_KEY": "sk-three",
}


@dataclass
class Bench:
    """A server without a socket: what a reload changes of it, and what it told its log."""

    home: Path
    runtime: Runtime
    server: Server
    front: Front
    lines: LineWriter
    key: str
    told: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    async def reload(self, text: str) -> bool:
        """Write the configuration and reload; whether it is in force."""
        (self.home / "oneflow.toml").write_text(text)
        await self.server.reload(self.front)
        return self.told[-1][0] == "the new configuration is in force"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"host": "127.0.0.1", "authorization": f"Bearer {self.key}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        whole = b"" if body is None else orjson.dumps(body)
        return await ask(Guests(self.front.edge, ConnectionLimits()), method, path, sent, sending(whole), HERE)

    def target(self, number: int = 0) -> Target:
        return self.runtime.desk.snapshot.providers["sim"].targets("m")[number]

    def route(self) -> Route:
        return self.runtime.desk.snapshot.routes["fast"]

    def way(self, name: str = "sim") -> Way:
        return self.runtime.upstream._pools[name].way


class ListLog:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, object]]] = []

    def debug(self, event: str, /, **fields: object) -> None:
        self.told.append((event, fields))

    info = warning = error = debug


def loaded(home: Path) -> Loaded:
    file = home / "oneflow.toml"
    variables = ENVIRONMENT | {"ONEFLOW_HOME": str(home)}
    if "refresh_hours" not in file.read_text():
        # No test asks a real provider.
        variables["ONEFLOW_MODELS__REFRESH_HOURS"] = "0"
    return load(file, variables, home, kinds=TABLE)


@asynccontextmanager
async def serving(home: Path, text: str = "") -> AsyncIterator[Bench]:
    (home / "oneflow.toml").write_text(text)
    (home / "ca.pem").write_text("")
    log, lines = ListLog(), LineWriter(io.BytesIO(), lines_most=0)
    looks: list[Look] = []
    async with Runtime(loaded(home), log=log) as runtime:
        digest = KeyDigest(b"pepper of the tests")
        keys = Keys(runtime.database, digest, runtime.clock)
        made = await keys.create("the tests")
        runtime.admit(await keys.load_all())
        front = Front(runtime, keys, digest, lines)
        again = Again(lambda: loaded(home), lambda found: looks.append(look_of(found)))
        opened = replace(open_log(io.BytesIO(), StepClock()), log=log, lines=lines)
        server = Server(runtime.loaded, again, opened, lambda started: None)
        yield Bench(home, runtime, server, front, lines, made.key.reveal(), log.told, looks)


# What a reload is seen by.

Probe = Callable[[Bench], Awaitable[object]]


def seen(look: Callable[[Bench], object]) -> Probe:
    async def probe(bench: Bench) -> object:
        try:
            return look(bench)
        except (KeyError, IndexError):
            return None

    return probe


def answered(method: str, path: str, body: Any = None, *, calls_open: int = 0, **headers: str) -> Probe:
    async def probe(bench: Bench) -> object:
        bench.runtime.engine.calls_open = calls_open
        try:
            return (await bench.ask(method, path, body, **headers)).status
        finally:
            bench.runtime.engine.calls_open = 0

    return probe


def account(name: str) -> Probe:
    return seen(lambda bench: [getattr(each, name) for each in bench.runtime.desk.snapshot.keys.values()])


def retry(name: str) -> Probe:
    return seen(lambda bench: getattr(bench.runtime.desk.snapshot.retry, name))


async def deadlines(bench: Bench) -> object:
    return bench.runtime.desk.snapshot.retry.deadline_seconds, bench.front.edge._limits.deadline_seconds


async def access_lines(bench: Bench) -> object:
    before = bench.lines.dropped
    bench.runtime.recorder.record(success())
    # Followers are told in the loop's next turn.
    await asyncio.sleep(0)
    return bench.lines.dropped - before


async def dropped(bench: Bench) -> object:
    for number in range(101):
        bench.runtime.recorder.record(success(number))
    return bench.runtime.recorder.dropped > 0


async def remembered(bench: Bench) -> object:
    """How many calls of ten days ago the history comes to hold."""
    history = bench.runtime.history
    await history.write_batch([history.row(success(received=bench.runtime.clock.utc() - timedelta(days=10)))])
    for _ in range(300):
        if not (await history.totals(Filters())).requests:
            return 0
    return 1


async def listing_asked(bench: Bench) -> object:
    """Whether the provider is asked for its list of models; nothing answers at its address."""
    for _ in range(100):
        if "sim" in bench.runtime.lists.failures:
            return True
        await asyncio.sleep(0.01)
    return False


async def follows(bench: Bench) -> object:
    return bench.runtime.desk.snapshot.follow_successors


def of_target(look: Callable[[Target], object]) -> Probe:
    return seen(lambda bench: look(bench.target()))


def header(name: str) -> Probe:
    return of_target(lambda target: dict(target.headers).get(name))


def of_route(look: Callable[[Route], object]) -> Probe:
    return seen(lambda bench: look(bench.route()))
