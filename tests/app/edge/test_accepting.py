"""Connections that come together are accepted together: a turn of a busy loop is long."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket

import pytest

from oneflow_ai.edge.accepting import ACCEPTED_A_TURN, Acceptor
from tests.app.edge.front import Front

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTIONS = 256
TURNS_BESIDE = 4


async def test_a_turn_accepts_many(front: Front) -> None:
    await front.empty()
    with contextlib.ExitStack() as clients:
        for _ in range(CONNECTIONS):
            clients.enter_context(socket.create_connection(("127.0.0.1", front.port)))
        turns = 0
        while front.connections_open() < CONNECTIONS:
            await asyncio.sleep(0)
            turns += 1
            assert turns <= CONNECTIONS / ACCEPTED_A_TURN + TURNS_BESIDE
    await front.empty()


class Full(socket.socket):
    """A listening socket of a process that has no file left for a while."""

    refusals = 2

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


async def test_without_a_file_left_it_is_told_and_tried_again() -> None:
    told: list[Exception] = []
    connected = asyncio.Event()

    class Taken(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            connected.set()
            transport.close()

    with Full(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        acceptor = Acceptor(listener, Taken, told.append, lambda: 1, lambda: False)
        acceptor.open()
        with socket.create_connection(listener.getsockname()):
            async with asyncio.timeout(10):
                await connected.wait()
        assert [getattr(error, "errno", None) for error in told] == [errno.EMFILE] * 2
        acceptor.close()
        with socket.create_connection(listener.getsockname()):
            await asyncio.sleep(0.05)
            # It is still there for whoever accepts.
            listener.accept()[0].close()
