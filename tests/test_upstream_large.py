"""Bodies that are read as they are sent: whole at the provider, never held, given up when it does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.ports import HttpRequest
from tests.upstreams import KINDS, Kind, failure_of, request_to, soon, upstream_of, whole

PIECE = bytes(range(256)) * 256
PIECES = 300
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Counted:
    """A body that counts how far it was read, and may break."""

    def __init__(self, breaks_after: int = PIECES) -> None:
        self.size_bytes = PIECES * len(PIECE)
        self.read = self.begun = 0
        self._breaks_after = breaks_after

    def pieces(self) -> Iterator[bytes]:
        self.begun += 1
        for number in range(PIECES):
            if number >= self._breaks_after:
                raise OSError("the disk is gone")
            self.read += 1
            yield PIECE


class Reader:
    """A provider of raw sockets that reads as it is told, and remembers."""

    def __init__(self, *, takes: int | None = None, early: bool = False) -> None:
        self._takes = takes
        self._early = early
        self.digests: list[str] = []
        self.connections = 0
        self.base_url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                if self._early:
                    writer.write(ANSWER.replace(b"200 OK", b"413 Too Large"))
                if self._takes is not None:
                    await reader.readexactly(self._takes)
                    await asyncio.sleep(60)
                digest = sha256()
                while length:
                    piece = await reader.read(min(length, 1 << 16))
                    if not piece:
                        return
                    digest.update(piece)
                    length -= len(piece)
                self.digests.append(digest.hexdigest())
                if not self._early:
                    writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def reading(**how: object) -> AsyncIterator[Reader]:
    provider = Reader(**how)  # type: ignore[arg-type]
    tasks: set[asyncio.Task[None]] = set()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(provider.serve(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    provider.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield provider
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def large(base_url: str, body: Counted, head: bytes = b"") -> HttpRequest:
    return replace(request_to(base_url), body=head, large=body)


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


async def test_all_of_it_arrives_after_what_goes_before_and_the_connection_is_kept(kind: Kind) -> None:
    async with reading() as provider, upstream_of(kind) as upstream:
        for _ in range(2):
            assert await whole(upstream, large(provider.base_url, Counted(), b"first")) == (200, b"{}")
        assert provider.digests == [sha256(b"first" + PIECE * PIECES).hexdigest()] * 2
        assert provider.connections == 1


async def test_no_more_is_read_than_the_provider_takes(kind: Kind) -> None:
    body = Counted()
    async with reading(takes=len(PIECE)) as provider, upstream_of(kind) as upstream:
        failure = await failure_of(lambda: upstream.send(large(provider.base_url, body), soon(5)))
    assert failure.kind is kinds.UPSTREAM_TIMEOUT
    assert "does not read" in failure.message or kind is KINDS["aiohttp"]
    # What the sockets of both sides hold, some megabytes, is out of our hands.
    assert body.read < PIECES


async def test_an_early_answer_is_told_and_the_connection_not_used_again(kind: Kind) -> None:
    async with reading(early=True) as provider, upstream_of(kind) as upstream:
        status, _ = await whole(upstream, large(provider.base_url, Counted()))
        assert status == 413
        await whole(upstream, request_to(provider.base_url))
        assert provider.connections == 2


async def test_a_file_that_can_no_longer_be_read_is_no_fault_of_the_provider(kind: Kind) -> None:
    async with reading() as provider, upstream_of(kind) as upstream:
        failure = await failure_of(lambda: upstream.send(large(provider.base_url, Counted(3)), soon()))
        assert failure.kind is kinds.STORAGE_UNAVAILABLE
        assert provider.digests == []
