"""As many connections as may be open: those that ask nothing make room for those that come."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from oneflow_ai.edge.served import ConnectionLimits
from tests.app.edge.front import fronting
from tests.app.edge.heads import AUTH, BODY, HOST, JSON, START, get, length, lines
from tests.app.edge.refusal import assert_usable
from tests.app.edge.wire import connected

MOST = 4
EXPECT = b"expect: 100-continue"


async def test_those_that_have_asked_nothing_for_longest_make_room(tmp_path: Path) -> None:
    async with fronting(tmp_path, connection=ConnectionLimits(open_most=MOST)) as front, AsyncExitStack() as stack:
        wires = []
        for number in range(MOST):
            wires.append(wire := await stack.enter_async_context(connected(front.port)))
            if number != 1:
                # The second says nothing at all.
                await assert_usable(wire)
            # The loop's clock counts milliseconds.
            await asyncio.sleep(0.02)
        await assert_usable(wires[0])
        for first in (1, 2):
            await assert_usable(await stack.enter_async_context(connected(front.port)))
            assert await wires[first].over() == ("eof", b"")
        await assert_usable(wires[0])
        await assert_usable(wires[3])
        assert front.connections_open() == MOST


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
            # Now it asks nothing.
            assert (await second.answer()).status == 200
            assert await first.over() == ("eof", b"")
