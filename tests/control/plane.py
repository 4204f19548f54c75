"""A running gateway's control plane, asked as an ASGI server would ask it: what the tests here stand on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from oneflow_ai.app.runtime import Runtime
from oneflow_ai.control import ControlPorts, control_plane
from oneflow_ai.control.ports import BODY_SECONDS_MOST
from oneflow_ai.edge import Edge, EdgeLimits, EdgePorts
from oneflow_ai.edge import serve as serve_edge
from oneflow_ai.edge.asgi import Application, Message
from oneflow_ai.edge.door import Door, loopback_hosts
from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.edge.server import Stages, listen
from oneflow_ai.policy.overload import Overload
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys
from oneflow_ai.telemetry.log import Log
from tests.canaries import PROVIDER_KEY

PEPPER = b"pepper of the tests"
ELSEWHERE = ("192.0.2.7", 50_000)
HERE = ("127.0.0.1", 50_000)
Receive = Callable[[], Awaitable[Message]]


@dataclass
class Reply:
    """What a client got: status, headers (lower case), and the body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def code(self) -> str:
        return str(self.error["code"])


async def ask(
    application: Application,
    method: str,
    target: str,
    headers: Mapping[str, str],
    receive: Receive,
    client: tuple[str, int] | None,
) -> Reply:
    """Ask an ASGI application as a server would, the target as it stands on the wire."""
    raw, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": _unquoted(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": client,
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
    reply = Reply()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert reply.status == 0, "two answers to one request"
            reply.status = message["status"]
            reply.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            reply.body += message.get("body", b"")

    await application(scope, receive, send)
    return reply


def _unquoted(path: str) -> str:
    pieces = path.split("%")
    whole = pieces[0].encode()
    for piece in pieces[1:]:
        whole += bytes.fromhex(piece[:2]) + piece[2:].encode()
    return whole.decode()


def sending(body: bytes, *, gone: asyncio.Event | None = None) -> Receive:
    """What gives a body at once, and tells that the client is gone when it is (without `gone`: never)."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    left = gone or asyncio.Event()

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    return receive


@dataclass
class Plane:
    """The control plane of a running gateway, its simulator, and a key for it."""

    runtime: Runtime
    keys: Keys
    simulator: Simulator
    application: Application
    key: str
    key_id: str

    async def get(self, target: str, **more: Any) -> Reply:
        return await self.ask("GET", target, **more)

    async def post(self, target: str, body: Any, **more: Any) -> Reply:
        return await self.ask("POST", target, body=body if isinstance(body, bytes) else orjson.dumps(body), **more)

    async def ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        key: str | None = "",
        client: tuple[str, int] | None = ELSEWHERE,
        receive: Receive | None = None,
    ) -> Reply:
        """Ask with the gateway's key (`key=None`: without one), by default from another machine."""
        sent = {"host": "127.0.0.1:8000"}
        if key is not None:
            sent["authorization"] = f"Bearer {key or self.key}"
        if body:
            sent |= {"content-type": "application/json", "content-length": str(len(body))}
        sent |= headers or {}
        return await ask(self.application, method, target, sent, receive or sending(body), client)

    async def chat(self, prompt: str = "Say something about the sea.", *, key: str = "", **fields: Any) -> Reply:
        """Ask for one text in the plain form."""
        return await self.post("/api/request", {"task": "text", "prompt": prompt, **fields}, key=key)


@asynccontextmanager
async def running(
    home: Path,
    *,
    configuration: str = "",
    providers: Sequence[str] = ("sim",),
    keys_needed: bool = True,
    demo: bool = False,
    log: Log | None = None,
    body_seconds: float = BODY_SECONDS_MOST,
) -> AsyncIterator[Plane]:
    """A gateway whose named providers are all at one simulator; in `demo`, without any configuration."""
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        file = None if demo else home / "oneflow.toml"
        if file is not None:
            file.write_text(configuration + "".join(_provider(name, simulator) for name in providers))
        environment = {"SIM_KEY": PROVIDER_KEY, "ONEFLOW_HOME": str(home)}
        environment["ONEFLOW_MODELS__REFRESH_HOURS"] = "0"
        loaded = load(file, environment, home, kinds=TABLE)
        async with Runtime(loaded, log=log) as runtime:
            digest = KeyDigest(PEPPER)
            keys = Keys(runtime.database, digest, runtime.clock)
            made = await keys.create("the tests")
            runtime.admit(await keys.load_all())
            door = Door(digest, keys_needed=keys_needed, hosts=loopback_hosts(()))
            ports = ControlPorts(
                runtime, keys, lambda headers, query: door.account(headers, runtime.desk.snapshot, query), body_seconds
            )
            yield Plane(runtime, keys, simulator, control_plane(ports), made.key.reveal(), made.row.id)


@asynccontextmanager
async def listening(plane: Plane) -> AsyncIterator[tuple[str, Edge]]:
    """The whole gateway of a plane, data plane and all, on a real socket of this machine; gives its address."""
    runtime = plane.runtime
    ports = EdgePorts(
        desk=runtime.desk,
        engine=runtime.engine,
        door=Door(KeyDigest(PEPPER), keys_needed=True, hosts=loopback_hosts(())),
        control=plane.application,
        limits=EdgeLimits(),
        overload=Overload(),
        clock=runtime.clock,
        chance=runtime.chance,
        log=runtime.log,
        refused=runtime.metrics.refused,
        standing=runtime.limits.standing,
    )
    listener = listen("127.0.0.1", 0)
    ready, stop = asyncio.Event(), asyncio.Event()
    edge = Edge(ports)
    work = serve_edge(
        edge,
        listener,
        limits=ConnectionLimits(),
        drain_seconds=1,
        stages=Stages(ready.set, stop.set, runtime.engine.stop),
        until=stop,
    )
    serving = asyncio.ensure_future(work)
    await ready.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", edge
    finally:
        stop.set()
        await serving


def _provider(name: str, simulator: Simulator) -> str:
    table = f'\n[providers.{name}]\nkind = "openai"\nbase_url = "{simulator.base_url}"\napi_key = "env:SIM_KEY"\n'
    price = f'[prices."{name}/*"]\ninput_usd_per_million_tokens = 1\noutput_usd_per_million_tokens = 2\n'
    return table + price
