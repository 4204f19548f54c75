"""What a connection held is free with its end: nothing waits for the garbage collector, which a server seldom runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from oneflow_ai.edge.connection import Connection
from oneflow_ai.edge.reader import Reader
from oneflow_ai.edge.turn import Turn
from tests.app.edge.front import Front
from tests.app.edge.heads import BAD_AUTH, post
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTLE_SECONDS_MOST = 5.0
WAYS = {
    "nothing": b"",
    "half a head": post()[:20],
    "half a body": post()[:-5],
    "a call": post(),
    "two calls": post() + post(),
    "a call and half of one": post() + post()[:-5],
    "a refused call": post(BAD_AUTH),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "a stream": post(body=b'{"model":"sim/gpt-6-luna","stream":true,"messages":[{"role":"user","content":"Hi"}]}'),
}


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Garbage stays where it is."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def there() -> list[object]:
    """The objects of connections that there are, those of other tests too."""
    return [each for each in gc.get_objects() if type(each) in (Connection, Reader, Turn)]


def held(before: list[object]) -> list[str]:
    """What has been made since."""
    known = set(map(id, before))
    return [type(each).__name__ for each in there() if id(each) not in known]


async def nothing_held(before: list[object]) -> None:
    ends = asyncio.get_running_loop().time() + SETTLE_SECONDS_MOST
    while found := held(before):
        assert asyncio.get_running_loop().time() < ends, found
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("abort", [False, True], ids=["closed", "aborted"])
@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
async def test_nothing_of_a_connection_outlives_it(front: Front, content: bytes, abort: bool) -> None:
    before = there()
    async with connected(front.port) as wire:
        wire.send(content)
        await asyncio.sleep(0.05)
        assert held(before) or wire.end
        if abort:
            wire.transport.abort()
    await front.settled()
    await nothing_held(before)
