"""The whole gateway over real sockets in one event loop, with a simulator behind it: what the tests here stand on."""

from __future__ import annotations

import asyncio
import io
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from oneflow_ai.app.runtime import Runtime
from oneflow_ai.core.call import Account
from oneflow_ai.edge import Edge, EdgeLimits, EdgePorts
from oneflow_ai.edge import serve as serve_edge
from oneflow_ai.edge.asgi import Receive, Scope, Send
from oneflow_ai.edge.door import Door, loopback_hosts
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.edge.server import Stages, listen
from oneflow_ai.policy.overload import Overload
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.upstream import Way, Ways
from tests.canaries import PROVIDER_KEY, planted, unleaked

KEY = f"of_{planted('client')}"
OTHER_KEY = "of_other-key-of-these-tests"
MESSAGES = [{"role": "user", "content": "Say something short about the sea."}]


@dataclass
class Reply:
    """What a client got: status, headers (lower case), and the whole body; `broken` when it did not end well."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool = False

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    def events(self) -> list[Any]:
        """The data of a stream's events, parsed; `[DONE]` as it is."""
        blocks = [block for block in self.body.split(b"\n\n") if block]
        return [
            b"[DONE]" if block == b"data: [DONE]" else orjson.loads(block.removeprefix(b"data: ")) for block in blocks
        ]

    def text(self) -> str:
        """The text of the first choice, whole or streamed."""
        if self.headers["content-type"].startswith("application/json"):
            return str(self.json["choices"][0]["message"]["content"])
        chunks = [event for event in self.events() if isinstance(event, dict) and event.get("choices")]
        return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


@dataclass
class Gateway:
    """A running gateway, its simulator, and a client for it."""

    runtime: Runtime
    simulator: Simulator
    edge: Edge
    url: str
    session: aiohttp.ClientSession
    tasks_before: set[Any] = field(default_factory=set)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def chat(
        self, model: str, *, headers: Mapping[str, str] | None = None, key: str = KEY, **fields: Any
    ) -> Reply:
        """Send one chat completion."""
        body = {"model": model, "messages": MESSAGES, **fields}
        return await self.post("/v1/chat/completions", orjson.dumps(body), headers, key=key)

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None, *, key: str = KEY) -> Reply:
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})}
        # aiohttp warns of large bodies given as bytes, and reads a file on a thread.
        given = body if len(body) < 1 << 20 else io.BytesIO(body)
        async with self.session.post(self.url + path, data=given, headers=sent) as answer:
            return await _read(answer)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        async with self.session.get(self.url + path, headers=headers or {}) as answer:
            return await _read(answer)

    def wire_attempts(self, model: str) -> int:
        """How many requests for this model reached the simulator."""
        return self.simulator.record.counts.by_model[model]

    async def quiet(self) -> None:
        """Wait until nothing is left of any call: no call, no connection in use, no place of a key or in a queue."""
        counts, engine = self.simulator.record.counts, self.runtime.engine
        for _ in range(200):
            if not self.edge.at_hand and not counts.in_flight and not engine.key_places.open("key_test"):
                break
            await asyncio.sleep(0.01)
        assert (engine.calls_open, engine.key_places.open("key_test")) == (0, 0)
        assert (self.edge.at_hand, self.edge._arriving, self.edge.at_work, engine.at_work) == (0, 0, 0, 0)
        for route in self.runtime.desk.snapshot.providers.values():
            state = self.runtime.quota.state(route.name)
            assert state is None or (state.in_flight == 0 and state.waiting == 0), route.name


def tasks() -> set[str]:
    """What the tasks of this loop are at."""
    return {repr(task.get_coro()).split(" at ")[0] for task in asyncio.all_tasks()}


def sockets() -> set[str]:
    """The process's sockets; none where the system does not tell."""
    folder = Path("/proc/self/fd")
    found = {os.readlink(name) for name in folder.iterdir() if os.path.lexists(name)} if folder.exists() else set()
    return {name for name in found if name.startswith("socket:")}


def head_of(length_bytes: int, path: str = "/v1/chat/completions", content_type: str = "application/json") -> bytes:
    """The head of a call whose body is so long, as it stands on the wire."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {length_bytes}\r\n\r\n"
    ).encode()


async def _read(answer: aiohttp.ClientResponse) -> Reply:
    body, broken = b"", False
    try:
        async for piece in answer.content.iter_any():
            body += piece
    except aiohttp.ClientError:
        broken = True
    headers = {name.lower(): value for name, value in answer.headers.items()}
    unleaked(headers, body)
    return Reply(answer.status, headers, body, broken)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def running(
    home: Path,
    *,
    providers: Mapping[str, str] | None = None,
    configuration: str = "",
    options: SimulatorOptions | None = None,
    accounts: Mapping[str, Account] | None = None,
    limits: EdgeLimits | ConnectionLimits | None = None,
    upstream: Callable[[Mapping[str, Way]], Ways] = Ways,
) -> AsyncIterator[Gateway]:
    """A gateway with one provider for each name, all at one simulator.

    The value is further TOML lines of its table; a `base_url` there takes the simulator's place. `limits` are those of
    calls or those of connections.
    """
    async with Simulator(options or SimulatorOptions(pace=FAST)) as simulator:
        file = home / "oneflow.toml"
        file.write_text(configuration + _tables(simulator.base_url, providers or {"sim": ""}))
        variables = {"SIM_KEY": PROVIDER_KEY, "ONEFLOW_HOME": str(home)}
        if "refresh_hours" not in configuration:
            # Who counts what reaches the provider wants no questions of the gateway's own among it.
            variables["ONEFLOW_MODELS__REFRESH_HOURS"] = "0"
        loaded = load(file, variables, home, kinds=TABLE)
        async with Runtime(loaded, upstream=upstream) as runtime, aiohttp.ClientSession() as session:
            connection = limits if isinstance(limits, ConnectionLimits) else ConnectionLimits()
            calls = limits if isinstance(limits, EdgeLimits) else None
            edge = _edge(runtime, accounts or {KEY: Account("key_test"), OTHER_KEY: Account("key_other")}, calls)
            listener = listen("127.0.0.1", 0)
            stop = asyncio.Event()
            serving = await _serving(edge, listener, connection, runtime.engine.stop, stop)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            try:
                yield Gateway(runtime, simulator, edge, url, session)
            finally:
                await session.close()
                stop.set()
                await serving


def _tables(base_url: str, providers: Mapping[str, str]) -> str:
    return "".join(
        f'\n[providers.{name}]\napi_key = "env:SIM_KEY"\n{_placed(lines, base_url)}\n'
        f'[prices."{name}/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
        for name, lines in providers.items()
    )


def _placed(lines: str, base_url: str) -> str:
    kind = "" if "kind = " in lines else 'kind = "openai"\n'
    return kind + (lines if "base_url" in lines else f'base_url = "{base_url}"\n{lines}')


def _edge(runtime: Runtime, accounts: Mapping[str, Account], limits: EdgeLimits | None) -> Edge:
    digest = KeyDigest(b"pepper of the tests")
    runtime.admit({digest(key.encode()): account for key, account in accounts.items()})
    ports = EdgePorts(
        desk=runtime.desk,
        engine=runtime.engine,
        door=Door(digest, keys_needed=True, hosts=loopback_hosts(())),
        control=_nothing,
        limits=limits or EdgeLimits(deadline_seconds=runtime.loaded.settings.retry.deadline_seconds),
        # Gateway, provider and clients share a loop here: its lag is not the gateway's.
        # Even a gateway with nothing to do turns calls away, if a test says so.
        overload=Overload(least=0),
        clock=runtime.clock,
        chance=runtime.chance,
        log=runtime.log,
        refused=runtime.metrics.refused,
        standing=runtime.limits.standing,
    )
    return Edge(ports)


async def _serving(
    edge: Edge, listener: socket.socket, connection: ConnectionLimits, cut: Callable[[], None], stop: asyncio.Event
) -> asyncio.Future[None]:
    ready = asyncio.Event()

    def on_ready() -> None:
        edge.ready = True
        ready.set()

    work = serve_edge(
        edge, listener, limits=connection, drain_seconds=1, stages=Stages(on_ready, stop.set, cut), until=stop
    )
    serving = asyncio.ensure_future(work)
    await ready.wait()
    return serving
