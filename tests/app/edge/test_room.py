"""As many connections as may be open: those that ask nothing make room for those that come."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.edge.server import UNUSED_SECONDS_LEAST
from tests.app.edge.front import fronting
from tests.app.edge.heads import AUTH, BODY, HOST, JSON, START, get, length, lines, post
from tests.app.edge.refusal import assert_usable
from tests.app.edge.wire import Wire, connected
from tests.crowding import no_file_left

MOST = 4
EXPECT = b"expect: 100-continue"


async def test_those_that_have_asked_nothing_for_longest_make_room(tmp_path: Path) -> None:
    async with fronting(tmp_path, connection=ConnectionLimits(open_most=MOST)) as front, AsyncExitStack() as stack:
        wires = []
        for number in range(MOST):
            wires.append(wire := await stack.enter_async_context(connected(front.port)))
            if number != 2:
                # The third says nothing at all, so it goes first.
                await assert_usable(wire)
            # The loop's clock counts milliseconds.
            await asyncio.sleep(0.02)
        await asyncio.sleep(UNUSED_SECONDS_LEAST)
        for first in (2, 0):
            await assert_usable(await stack.enter_async_context(connected(front.port)))
            assert await wires[first].over() == ("eof", b"")
        await assert_usable(wires[1])
        await assert_usable(wires[3])
        assert front.connections_open() == MOST


@pytest.mark.parametrize("said", [b"", START + b"\r\n"], ids=["nothing yet", "half a head"])
async def test_who_only_just_came_makes_no_room(tmp_path: Path, said: bytes) -> None:
    limits = ConnectionLimits(open_most=1)
    async with fronting(tmp_path, connection=limits) as front, connected(front.port) as first:
        first.send(said)
        async with connected(front.port) as second:
            second.send(get())
            await asyncio.sleep(UNUSED_SECONDS_LEAST / 5)
            first.send(post().removeprefix(said))
            assert (await first.answer()).status == 200
            assert (await second.answer()).status == 200


async def test_one_beyond_the_last_file_has_one_that_asks_nothing_make_room(tmp_path: Path) -> None:
    """The bound is far, but there are no more files: it is found out as the next is accepted."""
    async with fronting(tmp_path) as front, connected(front.port) as idle, connected(front.port) as kept:
        await assert_usable(idle)
        await asyncio.sleep(UNUSED_SECONDS_LEAST)
        await assert_usable(kept)
        client = socket.socket()
        client.setblocking(False)
        with no_file_left():
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", front.port))
            assert await idle.over() == ("eof", b"")
        wire = (await asyncio.get_running_loop().create_connection(Wire, sock=client))[1]
        await assert_usable(wire)
        await assert_usable(kept)
        wire.transport.abort()


async def test_a_request_under_way_makes_no_room(tmp_path: Path) -> None:
    limits = ConnectionLimits(open_most=1)
    async with fronting(tmp_path, connection=limits) as front, connected(front.port) as first:
        first.send(lines(START, HOST, AUTH, JSON, length(), EXPECT))
        await first.seen(b"100 Continue")
        async with connected(front.port) as second:
            second.send(get())
            await asyncio.sleep(0.3)
            assert (first.end, bytes(second.raw)) == (None, b"")
            first.send(BODY)
            assert (await first.answer()).status == 200
            # Now it asks nothing, and soon has asked nothing for long enough.
            assert (await second.answer()).status == 200
            assert await first.over() == ("eof", b"")
