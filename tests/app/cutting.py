"""Streams of golden exchanges, played up to a byte by a real server, for clients that then hang up."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson

from oneflow_ai.core.events import Raw, Usage
from oneflow_ai.core.ports import HttpAnswer, HttpRequest, Mark, Take
from oneflow_ai.core.record import Exchange
from oneflow_ai.upstream import Way, Ways
from tests.app.gateway import KEY, MESSAGES, Gateway, running
from tests.wire.golden import HERE
from tests.wire.golden import body_of as text_of
from tests.wire.test_bedrock_golden import written

STREAMS = (
    *(("openai", name) for name in ("stream-text", "stream-usage-asked", "stream-tools", "stream-mistral")),
    *(("anthropic", name) for name in ("stream-text", "stream-thinking", "stream-tools", "stream-usage-cache")),
    *(("responses", name) for name in ("stream-text", "stream-tools")),
    *(("gemini", name) for name in ("stream-text", "stream-thoughts")),
    *(("bedrock", name) for name in ("stream-text", "stream-tools")),
)
_PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini/m:streamGenerateContent?alt=sse",
}
_TYPES = {"bedrock": b"application/vnd.amazon.eventstream"}
SETTLED_SECONDS = 2.0
RESET, CLOSED = "reset", "closed"
WAYS = (RESET, CLOSED)
"""How a client goes: by a reset, which is noticed at once, or by a FIN, which a client that still listens sends too."""

_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass
class Stage:
    """What the server plays: the bytes up to where its client is cut; `taken` once the gateway has worked on them.

    The `rest` it plays to the end once the client has `left`; without any it stays silent.
    """

    content: bytes = b""
    rest: bytes = b""
    media_type: bytes = b"text/event-stream"
    read_bytes: int = 0
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def play(self, content: bytes, media_type: bytes, rest: bytes) -> None:
        self.content, self.media_type, self.read_bytes, self.rest = content, media_type, 0, rest
        self.taken, self.left = asyncio.Event(), asyncio.Event()


class _Answer:
    """An answer that tells when all that was played has been read, and worked on."""

    def __init__(self, answer: HttpAnswer, stage: Stage) -> None:
        self._answer = answer
        self._stage = stage
        self.status, self.headers, self.sent_seconds = answer.status, answer.headers, answer.sent_seconds

    async def read(self, until_seconds: float) -> bytes:
        if self._stage.read_bytes >= len(self._stage.content):
            self._stage.taken.set()
        piece = await self._answer.read(until_seconds)
        self._stage.read_bytes += len(piece)
        return piece

    async def pour(self, take: Take, until_seconds: float) -> None:
        stage = self._stage

        def watched(piece: bytes) -> float | None:
            stage.read_bytes += len(piece)
            further = take(piece)
            if stage.read_bytes >= len(stage.content):
                stage.taken.set()
            return further

        if not stage.content:
            stage.taken.set()
        await self._answer.pour(watched, until_seconds)

    def release(self) -> None:
        self._stage.taken.set()
        self._answer.release()

    def close(self) -> None:
        self._stage.taken.set()
        self._answer.close()

    def discard(self) -> None:
        self._stage.taken.set()
        self._answer.discard()


class _Ways(Ways):
    """The real ways out, whose answers are watched."""

    def __init__(self, ways: Mapping[str, Way], stage: Stage) -> None:
        super().__init__(ways)
        self._stage = stage

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        return _Answer(await super().send(request, until_seconds, mark), self._stage)


@dataclass
class Theatre:
    """A gateway before a server that plays what its stage says, and each call's record as it ends."""

    gateway: Gateway
    stage: Stage
    records: asyncio.Queue[Exchange]

    async def cut(self, wire: str, content: bytes, rest: bytes = b"", way: str = RESET) -> Exchange:
        """Ask for a stream, hang up once the gateway has worked on these bytes of it, and give the call's record.

        With a `rest` the gateway reads on, and gets it.
        """
        engine = self.gateway.runtime.engine
        engine.reading_on.answers_most = 1 if rest else 0
        _, writer = await self._ask(wire, content, rest)
        if way == RESET:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()
        else:
            writer.close()
        async with asyncio.timeout(SETTLED_SECONDS):
            while rest and engine.calls_open and not engine.reading_on.answers:  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.001)
            self.stage.left.set()
            return await self.records.get()

    async def half_close(self, wire: str, content: bytes, rest: bytes) -> tuple[Exchange, bytes]:
        """Ask for a stream, say after these bytes of it that nothing more is sent, and listen on.

        Gives the call's record, and all that came.
        """
        reader, writer = await self._ask(wire, content, rest)
        writer.write_eof()
        async with asyncio.timeout(SETTLED_SECONDS):
            self.stage.left.set()
            came = await reader.read()
            writer.close()
            return await self.records.get(), came

    async def _ask(self, wire: str, content: bytes, rest: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.stage.play(content, _TYPES.get(wire, b"text/event-stream"), rest)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.port)
        writer.write(_request(wire))
        async with asyncio.timeout(5.0):
            await self.stage.taken.wait()
        return reader, writer


def _request(wire: str) -> bytes:
    fields: dict[str, Any] = {"model": f"{wire}/m", "messages": MESSAGES, "stream": True, "max_tokens": 4_000}
    if wire == "gemini":
        parts = [{"text": message["content"]} for message in MESSAGES]
        fields = {"contents": [{"parts": parts}], "generationConfig": {"maxOutputTokens": 4_000}}
    if wire == "responses":
        fields = {"model": "openai/m", "input": MESSAGES, "stream": True, "max_output_tokens": 4_000}
    body = orjson.dumps(fields)
    path = _PATHS.get(wire, _PATHS["openai"])
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def theatre(home: Path) -> AsyncIterator[Theatre]:
    """A gateway and a server, over real sockets."""
    stage, records = Stage(), asyncio.Queue[Exchange]()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        chunk = b"%x\r\n%b\r\n" % (len(stage.content), stage.content) if stage.content else b""
        writer.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n%b"
            % (stage.media_type, chunk)
        )
        if stage.rest:
            await stage.left.wait()
            writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(stage.rest), stage.rest))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(play, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        kinds = {
            wire: f'kind = "{wire}"\nbase_url = "{address}/v1"\n{more}'
            for wire, more in (("openai", ""), ("anthropic", ""), ("gemini", ""), ("bedrock", 'region = "eu-west-1"\n'))
        }
        async with running(home, providers=kinds, upstream=lambda ways: _Ways(ways, stage)) as gateway:
            gateway.runtime.follow_with([records.put_nowait])
            yield Theatre(gateway, stage, records)


def stream_of(wire: str, name: str) -> tuple[dict[str, Any], bytes]:
    """A golden file, and the bytes of its stream."""
    file = json.loads((HERE / wire / f"{name}.json").read_text("utf-8"))
    answer = file["response"]
    return file, b"".join(map(written, answer["messages"])) if "messages" in answer else text_of(file)


def cuts_of(file: dict[str, Any], body: bytes, random_most: int) -> list[int]:
    """Where a client is cut: after each event, before the first, and at random bytes, the same ones each time."""
    messages = file["response"].get("messages")
    ends = set(_ends(list(map(written, messages)))) if messages else _blanks(body)
    chance = Random(body)
    return sorted({0, len(body)} | ends | set(chance.sample(range(len(body)), random_most)))


def _ends(pieces: list[bytes]) -> Iterator[int]:
    place = 0
    for piece in pieces:
        place += len(piece)
        yield place


def _blanks(body: bytes) -> set[int]:
    return {place + 2 for place in range(len(body)) if body.startswith(b"\n\n", place)}


def told(exchange: Exchange, content: bytes) -> tuple[Usage | None, int]:
    """What those bytes tell of the usage, and how many pieces of content they hold: the provider's word as decoded."""
    (attempt,) = exchange.attempts
    decoder = attempt.target.adapter.decoder(exchange.call, attempt.target)
    events = [*decoder.feed(content), *decoder.close()]
    usage = next((event for event in events if isinstance(event, Usage)), None)
    return usage, sum(event.content_events for event in events if isinstance(event, Raw))
