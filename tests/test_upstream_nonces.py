"""Whose answer comes: each request is marked, and no call ever gets another's answer (F46)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.nonces import NonceWays
from oneflow_ai.upstream.ways import Ways
from tests.upstreams import failure_of, request_to, soon

CALLERS = 40
CALLS_EACH = 25
CANCEL_SECONDS_MOST = 0.004
# The general client takes the ways with a proxy; the simulator is none, but answers one's requests as any other.
WAYS = {"own": False, "aiohttp": True}


@asynccontextmanager
async def _marked(simulator: Simulator, proxied: bool, alarms: list[str]) -> AsyncIterator[Ways]:
    proxy = simulator.base_url.removesuffix("/v1") if proxied else None
    ways = NonceWays({"sim": Way(proxy=proxy), "other": Way(proxy=proxy)}, alarms.append)
    try:
        yield ways
    finally:
        await ways.close()


@pytest.mark.parametrize("proxied", WAYS.values(), ids=list(WAYS))
async def test_the_answer_to_another_request_is_refused_and_its_way_closed(proxied: bool) -> None:
    alarms: list[str] = []
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _marked(simulator, proxied, alarms) as ways:
        hung = asyncio.ensure_future(ways.send(request_to(simulator.base_url, b"sim-F9"), soon()))
        await simulator.record.until(lambda record: record.counts.in_flight == 1)
        failure = await failure_of(lambda: ways.send(request_to(simulator.base_url, b"sim-F46"), soon()))
        assert (failure.kind, failure.status) == (kinds.UPSTREAM_BAD_RESPONSE, 502)
        assert alarms == ["sim"]
        with pytest.raises(Failure):
            await hung
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.connections_open == 0), 1)
        answer = await ways.send(request_to(simulator.base_url), soon())
        assert answer.status == 200
        answer.close()


@pytest.mark.parametrize("proxied", WAYS.values(), ids=list(WAYS))
async def test_calls_left_at_any_moment_never_give_their_answer_to_the_next(proxied: bool) -> None:
    alarms: list[str] = []
    chance = Random(46)
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator, _marked(simulator, proxied, alarms) as ways:

        async def call(number: int) -> None:
            body = b'{"model":"gpt-6-luna","stream":%b,"messages":[{"role":"user","content":"Call %d"}]}'
            content = body % (b"true" if number % 2 else b"false", number)
            answer = await ways.send(request_to(simulator.base_url, body=content), soon())
            try:
                while await answer.read(soon()):
                    pass
            finally:
                answer.close()

        async def caller(first: int) -> None:
            for number in range(first, first + CALLS_EACH):
                task = asyncio.ensure_future(call(number))
                asyncio.get_running_loop().call_later(chance.uniform(0, CANCEL_SECONDS_MOST), task.cancel)
                await asyncio.wait((task,))
                assert task.cancelled() or task.exception() is None

        await asyncio.gather(*(caller(each * CALLS_EACH) for each in range(CALLERS)))
        assert alarms == []
        await call(0)
        await asyncio.wait_for(simulator.record.until(lambda record: record.counts.in_flight == 0), 1)
