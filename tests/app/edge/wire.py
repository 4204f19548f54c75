"""A client that shows every byte of one connection: what the tests of the edge look at it with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import orjson

ANSWER_SECONDS_MOST = 1.0
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """One answer: header names in lower case, the body without its chunks, the statuses of what came before it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for known, value in self.headers if known == name]

    def header(self, name: str) -> str | None:
        """A header's first value."""
        return next(iter(self.all(name)), None)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of a failure; None when the body is not one."""
        try:
            return str(self.json["error"]["code"])
        except (orjson.JSONDecodeError, LookupError, TypeError):
            return None

    def __repr__(self) -> str:
        return f"<{self.status} {self.code or self.body[:60]!r} connection={self.header('connection')}>"


class Wire(asyncio.Protocol):
    """One connection. `raw` is what came and was not taken as an answer; `end` is `eof` or `reset` once it is over."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.raw = bytearray()
        self.end: str | None = None
        self._interim: list[int] = []
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.raw += data
        self._changed.set()

    def eof_received(self) -> None:
        self._over("eof")

    def connection_lost(self, error: Exception | None) -> None:
        self._over("eof" if error is None else "reset")

    def send(self, content: bytes) -> None:
        """Send, or hold what does not go out yet."""
        self.transport.write(content)

    async def answer(self, method: str = "GET", seconds: float = ANSWER_SECONDS_MOST) -> Answer:
        """The next answer, to a request of that method; fails when none has come in that time."""
        found = await self.answer_or_end(seconds, method)
        assert found is not None, f"{self.end} without an answer, after {bytes(self.raw)[:200]!r}"
        return found

    async def answer_or_end(self, seconds: float, method: str = "GET") -> Answer | None:
        """The next answer, or None once there is none to come; fails when neither has come in that time."""
        try:
            async with asyncio.timeout(seconds):
                while (found := self._take(method)) is None and self.end is None:
                    await self._change()
        except TimeoutError:
            raise AssertionError(f"no answer in {seconds} s, only {bytes(self.raw)[:200]!r}") from None
        return found

    async def over(self, seconds: float = ANSWER_SECONDS_MOST) -> tuple[str, bytes]:
        """How the connection ended, and what came until then; fails when it has not ended in that time."""
        try:
            async with asyncio.timeout(seconds):
                while self.end is None:
                    await self._change()
        except TimeoutError:
            raise AssertionError(f"still open after {seconds} s, with {bytes(self.raw)[:200]!r}") from None
        return self.end, bytes(self.raw)

    async def seen(self, part: bytes, seconds: float = ANSWER_SECONDS_MOST) -> None:
        """Wait until these bytes are among those that came."""
        async with asyncio.timeout(seconds):
            while part not in self.raw:
                assert self.end is None, f"{self.end}, after {bytes(self.raw)[:200]!r}"
                await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _over(self, end: str) -> None:
        self.end = self.end or end
        self._changed.set()

    def _take(self, method: str) -> Answer | None:
        while (at := self.raw.find(_END_OF_HEAD)) >= 0:
            status, headers = _head(bytes(self.raw[:at]))
            if status >= 200:
                return self._taken(method, status, headers, at + len(_END_OF_HEAD))
            self._interim.append(status)
            del self.raw[: at + len(_END_OF_HEAD)]
        return None

    def _taken(self, method: str, status: int, headers: tuple[tuple[str, str], ...], start: int) -> Answer | None:
        named = dict(headers)
        if method == "HEAD" or status in (204, 304):
            found: tuple[bytes, int] | None = (b"", start)
        elif named.get("transfer-encoding") == "chunked":
            found = _chunks(bytes(self.raw), start)
        else:
            size = int(named["content-length"])
            found = (bytes(self.raw[start : start + size]), start + size) if len(self.raw) >= start + size else None
        if found is None:
            return None
        del self.raw[: found[1]]
        interim, self._interim = tuple(self._interim), []
        return Answer(status, headers, found[0], interim)


def _head(head: bytes) -> tuple[int, tuple[tuple[str, str], ...]]:
    line, *lines = head.decode("latin-1").split("\r\n")
    version, status, _ = line.split(" ", 2)
    assert version == "HTTP/1.1", line
    pairs = [each.split(": ", 1) for each in lines]
    return int(status), tuple((name.lower(), value) for name, value in pairs)


def _chunks(raw: bytes, at: int) -> tuple[bytes, int] | None:
    joined = b""
    while (end := raw.find(b"\r\n", at)) >= 0:
        size = int(raw[at:end], 16)
        after = end + 2 + size + 2
        if len(raw) < after:
            return None
        if size == 0:
            return joined, after
        joined += raw[end + 2 : end + 2 + size]
        at = after
    return None


@asynccontextmanager
async def connected(port: int, *, buffer_bytes: int | None = None) -> AsyncIterator[Wire]:
    """A connection to a port of this machine, its buffers in the system of about that size; reset at the end."""
    client = socket.socket()
    client.setblocking(False)
    if buffer_bytes is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    transport, wire = await loop.create_connection(Wire, sock=client)
    try:
        yield wire
    finally:
        transport.abort()
