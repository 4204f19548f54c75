"""The data plane: path to operation, key to account, body to call, call to engine.

A request is that of a connection of our own, or of a guest, which any ASGI server brings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import Chance, Clock, RateHints
from oneflow_ai.dialects import elevenlabs, gemini
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.table import FORMS, Teller, lister_at, spoken_at, told_at
from oneflow_ai.edge.addresses import BASE, CALLS, DATA_PLANE, PROBES, check_read, nowhere
from oneflow_ai.edge.answer import ReplyClient, failure_reply, id_headers
from oneflow_ai.edge.asgi import Application, Headers, Message, Scope
from oneflow_ai.edge.caller import Caller, client_id
from oneflow_ai.edge.door import Door
from oneflow_ai.edge.form import FormReader
from oneflow_ai.edge.head import RequestHead
from oneflow_ai.edge.lookups import lookup_model, other_voices
from oneflow_ai.edge.models import ModelPages
from oneflow_ai.edge.reply import Reply, Request
from oneflow_ai.edge.turnstile import Turnstile
from oneflow_ai.flow.engine import Desk, Engine
from oneflow_ai.flow.places import KEY_SHARE, Bodies
from oneflow_ai.policy.overload import Overload
from oneflow_ai.policy.waits import turned_away
from oneflow_ai.telemetry.log import Log

_TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
_TOO_MANY = "too many calls are in flight; try again"
_KEY_TOO_LARGE = "the bodies of this key's calls in flight are as large as those of one of several may be; try again"
_KEY_FULL = "this key has as many calls in flight as one of several keys may; try again"


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Bounds of the data plane: a body's bytes, calls in flight, their bodies' bytes, a call's longest time (s).

    `upload_bytes_most` is for a form with files, which are not held in memory.
    """

    body_bytes_most: int = 64 << 20
    calls_most: int = 1_000
    bodies_bytes_most: int = 1 << 30
    deadline_seconds: float = 600.0
    upload_bytes_most: int = 512 << 20


@dataclass(frozen=True, slots=True)
class EdgePorts:
    """What the edge works with. `control` serves what is not of the data plane; `refused` counts a code; `standing`
    tells what is left of a key's limits; `overload` says when calls are turned away. `spool` is the folder for files of
    requests; none: the system's own.
    """

    desk: Desk
    engine: Engine
    door: Door
    control: Application
    limits: EdgeLimits
    overload: Overload
    clock: Clock
    chance: Chance
    log: Log
    refused: Callable[[str], None]
    standing: Callable[[Account], RateHints | None]
    spool: Path | None = None


class Edge:
    """Serves the data plane, and hands the rest to the control plane."""

    def __init__(self, ports: EdgePorts) -> None:
        self._desk = ports.desk
        self._engine = ports.engine
        self._door = ports.door
        self._control = ports.control
        self._limits = ports.limits
        self._overload = ports.overload
        self._bodies = Bodies()
        # `_arriving`: calls whose bodies are. `_aside`: what is no call, calls that the engine counts, and refusals.
        self.at_hand = self._arriving = self._aside = 0
        self._clock = ports.clock
        self._chance = ports.chance
        self._log = ports.log
        self._refused, self._standing = ports.refused, ports.standing
        self._spool = ports.spool
        self._turnstile = Turnstile(self._written)
        self._pages = ModelPages(int(ports.clock.utc().timestamp()))
        self.draining = self.ready = False

    def adopt(self, limits: EdgeLimits, door: Door) -> None:
        """Serve by these bounds and through this door from the next request on."""
        self._limits, self._door = limits, door

    async def answer(self, request: Request) -> None:
        """Serve one request, of which `busy` was asked before it was read on."""
        head = request.head
        try:
            if not request.whole:
                self._check_length(head)
            if spoken_at(head.path) is not None:
                await self._call(head, request)
            elif (operation := elevenlabs.lookup_at(head.path)) is not None:
                await self._look_up(head, operation, request)
            else:
                await self._elsewhere(request.scope(), request)
        except Failure as failure:
            # It may be slow to take it.
            self._aside += 1
            try:
                await request.respond(*self.refusal(failure, head.headers, head.path))
            finally:
                self._aside -= 1

    async def _elsewhere(self, scope: Scope, request: Request) -> None:
        path: bytes = scope["raw_path"]
        self._aside += 1
        try:
            if path in PROBES:
                await self._probe(path, scope, request)
            elif path.startswith(DATA_PLANE):
                await self._list(path, scope, request)
            else:
                self._door.check_host(dict(scope["headers"]))
                if spoken_at(BASE + path) is not None:
                    raise nowhere(path)
                await self._control(scope, request.receive, request.send)
        finally:
            self._aside -= 1

    @property
    def at_work(self) -> int:
        """How many calls have something to do, here or in the engine, but wait."""
        return self.at_hand - self._arriving - self._aside + self._engine.at_work

    def busy(self, path: bytes) -> Failure | None:
        """Why a request is not even read: what is under way comes first. Only calls are ever turned away."""
        engine, limits, overload = self._engine, self._limits, self._overload
        calls_open = engine.calls_open + self._arriving
        full = calls_open >= limits.calls_most or self._bodies.total_bytes > limits.bodies_bytes_most
        if not full and not self.draining and overload.calm:
            return None
        if path not in CALLS and spoken_at(path) is None:
            return None
        if self.draining:
            return self._turned_away(kinds.DRAINING, "the gateway is stopping; try again")
        words = _TOO_MANY if full else overload.refuses(calls_open, self.at_work)
        return None if words is None else self._turned_away(kinds.OVERLOADED, words)

    def ready_refusal(self, failure: Failure, head: RequestHead, date: Headers) -> bytes | None:
        """The whole answer to a call that is turned away; None where its client gave it an id, or wants no body."""
        spoken = spoken_at(head.path)
        if spoken is None or head.method != b"POST" or not head.keep or b"x-request-id" in head.headers:
            return None
        pieces = self._turnstile.pieces(failure, head, spoken[0].DIALECT, date)
        self._refused(failure.code)
        return self._id(self._clock.utc()).encode().join(pieces)

    def refusal(
        self, failure: Failure, headers: Mapping[bytes, bytes], path: bytes = b""
    ) -> tuple[int, Headers, bytes]:
        """The answer to a request that did not become a call, counted."""
        self._refused(failure.code)
        return self._written(failure, headers, path)

    def _written(self, failure: Failure, headers: Mapping[bytes, bytes], path: bytes) -> tuple[int, Headers, bytes]:
        dialect: Teller = told_at(path) or lister_at(path, headers)
        request_id = (client_id(headers) or self._id(self._clock.utc()).encode()).decode()
        told = id_headers(request_id, dialect)
        if failure.kind is kinds.METHOD_NOT_ALLOWED:
            told.append((b"allow", b"GET" if spoken_at(path) is None else b"POST"))
        if failure.kind in (kinds.REQUEST_TOO_LARGE, kinds.REQUEST_TIMEOUT, kinds.DRAINING):
            told.append((b"connection", b"close"))
        return failure_reply(failure, told, dialect, request_id)

    def failed(self, error: Exception) -> None:
        """A fault of the gateway outside of any call."""
        self._log.error("a request failed by a fault of the gateway", error=error)

    async def _call(self, head: RequestHead, request: Request) -> None:
        started = self._clock.monotonic()
        caller = head.known
        if type(caller) is not Caller or not caller.holds(self._door, self._desk.snapshot):
            caller = head.known = Caller(head, self._door, self._desk.snapshot)
        # Others may have come since this one was let in.
        if self._engine.calls_open + self._arriving >= self._limits.calls_most:
            raise self._turned_away(kinds.OVERLOADED, _TOO_MANY)
        places, key_id, size = self._engine.key_places, caller.account.key_id, 0
        if not places.enter(key_id):
            raise self._turned_away(kinds.OVERLOADED, _KEY_FULL)
        try:
            if caller.boundary is not None:
                await self._upload(request, caller, started)
                return
            body = request.body()
            if body is None:
                body = await self._received(request, key_id)
                if body is None:
                    return
            if len(body) > self._limits.body_bytes_most:
                raise self._too_large()
            self._hold_body(key_id, len(body))
            size = len(body)
            received = self._clock.utc()
            envelope = self._envelope(caller, received, started)
            await self._run(caller.dialect.parse(body, envelope), request)
        finally:
            self._bodies.drop(key_id, size)
            places.leave(key_id)

    async def _look_up(self, head: RequestHead, operation: Operation, request: Request) -> None:
        """A call without a body: what a provider tells of its voices and of its account."""
        check_read(head.method)
        started, snapshot = self._clock.monotonic(), self._desk.snapshot
        digest, account = self._door.entry(head.headers, snapshot, head.query)
        named, received = (client_id(head.headers) or b"").decode(), self._clock.utc()
        call_id, model = self._id(received), lookup_model(snapshot, account)
        if model is None:
            told: Headers = [(b"content-type", b"application/json"), *id_headers(named or call_id, elevenlabs)]
            await request.respond(200, told, other_voices(head, operation, snapshot, account))
            return
        places = self._engine.key_places
        if not places.enter(account.key_id):
            raise self._turned_away(kinds.OVERLOADED, _KEY_FULL)
        try:
            until_seconds = started + self._limits.deadline_seconds
            envelope = Envelope(
                call_id, account, operation, received, started, until_seconds, client_id=named, owner=digest or b"",
                path=head.path, query=head.query,
            )  # fmt: skip
            await self._run(elevenlabs.parse_lookup(envelope, model), request)
        finally:
            places.leave(account.key_id)

    async def _upload(self, request: Request, caller: Caller, started_seconds: float) -> None:
        """A call whose body is a form: its files are not held in memory, so only what is kept of them counts there."""
        assert caller.boundary is not None and caller.form is not None
        key_id = caller.account.key_id
        reader = FormReader(caller.boundary, self._spool, self._limits.upload_bytes_most)
        held_bytes, arriving = 0, 1
        self._arriving += arriving
        try:
            whole = request.body()
            message: Message = {"type": "http.request", "body": whole} if whole is not None else await request.receive()
            while message["type"] == "http.request":
                await reader.feed(message.get("body", b""))
                kept_bytes = reader.kept_bytes
                self._hold_body(key_id, kept_bytes - held_bytes)
                held_bytes = kept_bytes
                self._check_bodies()
                if not message.get("more_body"):
                    self._arriving -= arriving
                    arriving = 0
                    envelope = self._envelope(caller, self._clock.utc(), started_seconds)
                    await self._run(caller.form(reader.form(), envelope), request)
                    return
                message = await request.receive()
        finally:
            self._arriving -= arriving
            self._bodies.drop(key_id, held_bytes)
            reader.close()

    def _envelope(self, caller: Caller, received: datetime, started_seconds: float) -> Envelope:
        return Envelope(
            self._id(received), caller.account, caller.operation, received, started_seconds,
            started_seconds + min(self._limits.deadline_seconds, caller.seconds), caller.tags, caller.client_id,
            caller.forwarded, caller.owner, caller.path, caller.query,
        )  # fmt: skip

    async def _run(self, call: Call, request: Request) -> None:
        client = ReplyClient(call, request, self._standing)
        self._aside += 1
        try:
            request.watched(call.deadline_seconds)
            await self._engine.serve(call, client)
        except Exception as error:  # noqa: BLE001 - the request's outermost edge: a bug of ours ends one call, with its record
            await self._faulted(error, call, client)
        finally:
            self._aside -= 1

    async def _faulted(self, error: Exception, call: Call, client: ReplyClient) -> None:
        self._log.error("a call failed by a fault of the gateway", error=error, request=call.id)
        await client.fault(Failure(kinds.INTERNAL_ERROR, "the gateway failed; the fault is in its log"))

    def _turned_away(self, kind: kinds.Kind, words: str) -> Failure:
        return turned_away(kind, words, self._chance.random())

    def _too_large(self) -> Failure:
        return Failure(kinds.REQUEST_TOO_LARGE, f"the body is larger than {self._limits.body_bytes_most} bytes")

    def _hold_body(self, key_id: str, size_bytes: int) -> None:
        """Count so much more of a body; raises `Failure` when this key, one of several, holds too much by itself."""
        share = KEY_SHARE if self._engine.key_places.most is not None else math.inf
        if not self._bodies.take(key_id, size_bytes, self._limits.bodies_bytes_most * share):
            raise self._turned_away(kinds.OVERLOADED, _KEY_TOO_LARGE)

    def _check_bodies(self) -> None:
        if self._bodies.total_bytes > self._limits.bodies_bytes_most:
            raise self._turned_away(kinds.OVERLOADED, "the bodies of calls in flight are too large; try again")

    def _check_length(self, head: RequestHead) -> None:
        most = self._limits.upload_bytes_most if head.path in FORMS else self._limits.body_bytes_most
        if head.length_bytes > most:
            raise Failure(kinds.REQUEST_TOO_LARGE, f"the body is larger than {most} bytes")

    async def _received(self, request: Request, key_id: str) -> bytes | None:
        pieces: list[bytes] = []
        size = 0
        self._arriving += 1
        try:
            message = await request.receive()
            while message["type"] == "http.request":
                piece = message.get("body", b"")
                self._hold_body(key_id, len(piece))
                pieces.append(piece)
                size += len(piece)
                if size > self._limits.body_bytes_most:
                    raise self._too_large()
                self._check_bodies()
                if not message.get("more_body"):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
                message = await request.receive()
            return None
        finally:
            self._bodies.drop(key_id, size)
            self._arriving -= 1

    async def _probe(self, path: bytes, scope: Scope, reply: Reply) -> None:
        check_read(scope["method"].encode())
        if path == b"/health/live":
            await reply.respond(200, _TEXT, b"live")
        elif self.draining:
            await reply.respond(503, _TEXT, b"draining")
        elif not self.ready:
            await reply.respond(503, _TEXT, b"starting")
        else:
            await reply.respond(200, _TEXT, b"ready")

    async def _list(self, path: bytes, scope: Scope, reply: Reply) -> None:
        models = next((each for each in gemini.MODELS_PATHS if path == each or path.startswith(each + b"/")), None)
        if models is None:
            raise nowhere(path)
        check_read(scope["method"].encode())
        headers = dict(scope["headers"])
        account = self._door.account(headers, self._desk.snapshot, scope["query_string"])
        dialect, snapshot, now = lister_at(path, headers), self._desk.snapshot, self._clock.utc()
        # The official clients write the slash of `provider/model` as %2F.
        one = unquote(path[len(models) + 1 :].decode("ascii", "replace"))
        if one:
            body = await self._pages.page(one, snapshot, account, dialect, now)
        else:
            body = await self._pages.listed(snapshot, account, dialect, now)
        request_id = (client_id(headers) or self._id(now).encode()).decode()
        told: Headers = [(b"content-type", b"application/json"), *id_headers(request_id, dialect)]
        await reply.respond(200, told, body)

    def _id(self, at: datetime) -> str:
        """An id that nobody else has; later ones sort after earlier ones, which keeps the history's index compact."""
        microseconds = int(at.timestamp() * 1_000_000)
        return f"req_{microseconds:014x}{int(self._chance.random() * (1 << 40)):010x}"
