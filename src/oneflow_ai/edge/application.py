"""The data plane as one raw ASGI callable: path to operation, key to account, body to call, call to engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Chance, Clock
from oneflow_ai.dialects import openai
from oneflow_ai.edge.answer import AsgiClient, send_failure
from oneflow_ai.edge.asgi import Application, Headers, Receive, Scope, Send, respond
from oneflow_ai.edge.door import Door
from oneflow_ai.flow.engine import Desk, Engine
from oneflow_ai.telemetry.log import Log

TAG_CHARACTERS_MOST = 64
_CALLS: Mapping[bytes, Operation] = {
    b"/v1/chat/completions": Operation.CHAT,
    b"/v1/completions": Operation.COMPLETION,
}
_MODELS = b"/v1/models"
_DATA_PLANE = b"/v1/"
_PROBES = (b"/health/live", b"/health/ready")
ROUTES = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{id}"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
)
_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
OVERLOADED_SECONDS = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Bounds of the data plane: a body's bytes, calls in flight, and a call's longest time in seconds."""

    body_bytes_most: int = 64 << 20
    calls_most: int = 1_000
    deadline_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class EdgePorts:
    """What the edge works with. `control` serves what is not of the data plane; `refused` counts a code."""

    desk: Desk
    engine: Engine
    door: Door
    control: Application
    limits: EdgeLimits
    clock: Clock
    chance: Chance
    log: Log
    refused: Callable[[str], None]


class Edge:
    """The ASGI application of the data plane."""

    def __init__(self, ports: EdgePorts) -> None:
        self._desk = ports.desk
        self._engine = ports.engine
        self._door = ports.door
        self._control = ports.control
        self._limits = ports.limits
        self._clock = ports.clock
        self._chance = ports.chance
        self._log = ports.log
        self._refused = ports.refused
        self._created = int(ports.clock.utc().timestamp())
        self.draining = False
        self.ready = False

    def adopt(self, limits: EdgeLimits, door: Door) -> None:
        """Serve by these bounds and through this door from the next request on."""
        self._limits, self._door = limits, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        path: bytes = scope["raw_path"]
        operation = _CALLS.get(path)
        try:
            if operation is not None:
                await self._call(operation, scope, receive, send)
            elif path in _PROBES:
                await self._probe(path, send)
            elif path.startswith(_DATA_PLANE):
                await self._list(path, scope, send)
            else:
                self._door.check_host(dict(scope["headers"]))
                await self._control(scope, receive, send)
        except Failure as failure:
            self._refused(failure.code)
            await self._refuse(failure, operation, send)

    async def _refuse(self, failure: Failure, operation: Operation | None, send: Send) -> None:
        headers: Headers = [(b"x-request-id", self._id().encode())]
        if failure.kind is kinds.METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"POST" if operation is not None else b"GET"))
        if failure.kind in (kinds.REQUEST_TOO_LARGE, kinds.REQUEST_TIMEOUT, kinds.DRAINING):
            headers.append((b"connection", b"close"))
        await send_failure(send, failure, headers)

    async def _call(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._clock.monotonic()
        headers = dict(scope["headers"])
        if scope["method"] != "POST":
            raise Failure(kinds.METHOD_NOT_ALLOWED, "this address takes POST")
        account = self._door.account(headers, self._desk.snapshot)
        self._check_load()
        _check_content(headers)
        body = await self._body(headers, receive)
        if body is None:
            return
        envelope = openai.Envelope(
            self._id(), account, operation, self._clock.utc(), started, started + self._seconds(headers), _tags(headers)
        )
        call = openai.parse(body, envelope)
        connection = scope.get("oneflow.connection")
        client = AsgiClient(call, send, connection)
        try:
            await self._serve(call, client, connection, receive)
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: a bug of ours ends one call, with its record
            self._log.error("a call failed by a fault of the gateway", error=error, request=call.id)
            await client.fault(Failure(kinds.INTERNAL_ERROR, "the gateway failed; the fault is in its log"))

    async def _serve(self, call: Call, client: AsgiClient, connection: Any, receive: Receive) -> None:
        if connection is None:
            await _watched(self._engine.serve(call, client), receive)
            return
        connection.call_task = asyncio.current_task()
        try:
            await self._engine.serve(call, client)
        except asyncio.CancelledError:
            # The client is gone, or the server's drain is over: the engine has accounted for the call.
            if not connection.transport.is_closing():
                connection.transport.close()
        finally:
            connection.call_task = None

    def _check_load(self) -> None:
        if self._engine.calls_open >= self._limits.calls_most or self.draining:
            least, most = OVERLOADED_SECONDS
            wait = least + (most - least) * self._chance.random()
            if self.draining:
                raise Failure(kinds.DRAINING, "the gateway is stopping; try again", retry_after_seconds=wait)
            raise Failure(kinds.OVERLOADED, "too many calls are in flight; try again", retry_after_seconds=wait)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
        """The request's body; None when the client went away meanwhile."""
        most = self._limits.body_bytes_most
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length[:20]) > most:
            raise Failure(kinds.REQUEST_TOO_LARGE, f"the body is larger than {most} bytes")
        message = await receive()
        pieces: list[bytes] = []
        size = 0
        while message["type"] == "http.request":
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > most:
                raise Failure(kinds.REQUEST_TOO_LARGE, f"the body is larger than {most} bytes")
            if not message.get("more_body"):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            message = await receive()
        return None

    def _seconds(self, headers: Mapping[bytes, bytes]) -> float:
        seconds = self._limits.deadline_seconds
        for name, unit in ((b"x-oneflow-timeout-ms", 0.001), (b"x-stainless-read-timeout", 1.0)):
            text = headers.get(name)
            if text is not None and len(text) <= 12 and text.replace(b".", b"", 1).isdigit():
                asked = float(text) * unit
                seconds = min(seconds, asked) if asked > 0 else seconds
        return seconds

    async def _probe(self, path: bytes, send: Send) -> None:
        if path == b"/health/live":
            await respond(send, 200, [*_TEXT], b"live")
        elif self.draining:
            await respond(send, 503, [*_TEXT], b"draining")
        elif not self.ready:
            await respond(send, 503, [*_TEXT], b"starting")
        else:
            await respond(send, 200, [*_TEXT], b"ready")

    async def _list(self, path: bytes, scope: Scope, send: Send) -> None:
        if path != _MODELS and not path.startswith(_MODELS + b"/"):
            raise Failure(kinds.UNKNOWN_URL, "there is nothing at this address")
        if scope["method"] != "GET":
            raise Failure(kinds.METHOD_NOT_ALLOWED, "this address takes GET")
        account = self._door.account(dict(scope["headers"]), self._desk.snapshot)
        models = self._models(account)
        # The official clients write the slash of `provider/model` as %2F.
        one = unquote(path[len(_MODELS) + 1 :].decode("ascii", "replace")) or None
        if one is not None and one not in models:
            raise Failure(kinds.MODEL_NOT_FOUND, "no route and no configured provider has this model", param="model")
        headers: Headers = [(b"content-type", b"application/json"), (b"x-request-id", self._id().encode())]
        await respond(send, 200, headers, openai.models_body(models, self._created, one))

    def _models(self, account: Account) -> dict[str, str]:
        snapshot = self._desk.snapshot
        served = {operation.task for operation in _CALLS.values()}
        routes = snapshot.routes.items()
        models = {name: "oneflow" for name, route in routes if route.targets and route.task in served}
        for provider in snapshot.providers.values():
            if provider.configured:
                models.update((f"{provider.name}/{model}", provider.name) for model in sorted(provider.models))
        return {name: owner for name, owner in models.items() if account.may_use(name)}

    def _id(self) -> str:
        """An id that nobody else has; later ones sort after earlier ones, which keeps the history's index compact."""
        microseconds = int(self._clock.utc().timestamp() * 1_000_000)
        return f"req_{microseconds:014x}{int(self._chance.random() * (1 << 40)):010x}"


def _check_content(headers: Mapping[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise Failure(kinds.UNSUPPORTED_MEDIA_TYPE, "send the body as application/json")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Failure(kinds.UNSUPPORTED_ENCODING, "send the body without a Content-Encoding")


def _tags(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    text = headers.get(b"x-oneflow-tags")
    if text is None:
        return ()
    found = [tag.strip()[:TAG_CHARACTERS_MOST] for tag in text.decode("ascii", "replace").split(",")]
    return tuple(tag for tag in found if tag)[: openai.TAGS_MOST]


async def _watched(serving: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Serve on a server that does not tell when the client is gone: watch for it, and cancel."""
    task = asyncio.ensure_future(serving)
    watch = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
        task.cancel()
        await asyncio.wait((task, watch))
    if not task.cancelled():
        task.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
