"""A client that shows every byte: what these tests look at the simulator with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from oneflow_ai.simulator import Simulator

READ_BYTES_MOST = 32 << 20
SECONDS_MOST = 10.0

CHAT: Mapping[str, Any] = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Tell me about bees."}]}
STREAM: Mapping[str, Any] = {**CHAT, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 8}


@dataclass(frozen=True, slots=True)
class Seen:
    """The bytes that came, and how they ended: `eof`, `reset`, or `open` when the client stopped reading."""

    raw: bytes
    end: str

    @property
    def status(self) -> int:
        return int(self.raw[9:12])

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        lines = [line.partition(": ") for line in self.head.split("\r\n")[1:]]
        return {name.lower(): value for name, _, value in lines}

    @property
    def after_head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def body(self) -> bytes:
        """The body, chunks joined as far as they go."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.after_head
        rest, joined = self.after_head, b""
        while (size := rest.partition(b"\r\n")[0]) not in (b"", b"0"):
            start = len(size) + 2
            joined += rest[start : start + int(size, 16)]
            rest = rest[start + int(size, 16) + 2 :]
        return joined

    @property
    def whole_chunks(self) -> bool:
        return self.raw.endswith(b"0\r\n\r\n")

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def datas(self) -> list[bytes]:
        """The data of each event of a stream."""
        blocks = self.body.split(b"\n\n")
        return [block.partition(b"data: ")[2] for block in blocks if block]

    @property
    def contents(self) -> int:
        """How many events carry content."""
        return sum(1 for data in self.datas if b'"delta":{"content":"' in data and b'"role"' not in data)


def request(
    document: Any = None,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    key: str = "key",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request on the wire; without a connection header, so that it stays open."""
    body = b"" if document is None else document if isinstance(document, bytes) else orjson.dumps(document)
    told = {"host": "127.0.0.1", "content-length": str(len(body))}
    told |= {"authorization": f"Bearer {key}"} if key else {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (told | dict(headers or {})).items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class _Watcher(asyncio.Protocol):
    """Keeps what came, also what came just before a break."""

    def __init__(self, until: bytes | None) -> None:
        self.raw = bytearray()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._until = until

    def data_received(self, data: bytes) -> None:
        self.raw += data
        if (self._until is not None and self._until in self.raw) or len(self.raw) > READ_BYTES_MOST:
            self._end("open")

    def connection_lost(self, error: Exception | None) -> None:
        self._end("eof" if error is None else "reset")

    def _end(self, how: str) -> None:
        if not self.over.done():
            self.over.set_result(how)


async def ask(simulator: Simulator, content: bytes, until: bytes | None = None) -> Seen:
    """Send bytes on a connection of their own and read to its end, or until something was seen."""
    loop = asyncio.get_running_loop()
    transport, watcher = await loop.create_connection(lambda: _Watcher(until), "127.0.0.1", simulator.port)
    try:
        transport.write(content)
        async with asyncio.timeout(SECONDS_MOST):
            end = await watcher.over
        return Seen(bytes(watcher.raw), end)
    finally:
        transport.abort()


async def once(simulator: Simulator, document: Any = None, until: bytes | None = None, **more: Any) -> Seen:
    """One request on a connection that closes after it."""
    headers = {"connection": "close", **more.pop("headers", {})}
    return await ask(simulator, request(document, headers=headers, **more), until)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> Seen:
    """One request on an open connection whose answer has a length."""
    writer.write(content)
    head = await reader.readuntil(b"\r\n\r\n")
    seen = Seen(head, "open")
    return Seen(head + await reader.readexactly(int(seen.headers["content-length"])), "open")
