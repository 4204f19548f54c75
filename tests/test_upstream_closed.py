"""A way that was closed: a call still under way may send once more, and leaves no connection behind."""

from __future__ import annotations

import asyncio

import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.upstream import Way
from tests.upstreams import KINDS, Kind, failure_of, request_to, soon, upstream_of, whole


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """One behaviour, two implementations of the port."""
    found: Kind = request.param
    return found


async def _until_open(simulator: Simulator, count: int) -> None:
    await asyncio.wait_for(simulator.record.until(lambda record: record.counts.connections_open == count), 2.0)


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
async def test_a_late_call_is_answered_and_its_connection_closes_with_it(kind: Kind, used: bool) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        upstream = kind(Way())
        if used:
            await whole(upstream, request_to(simulator.base_url))
        await upstream.close()
        await _until_open(simulator, 0)
        for _ in range(2):
            assert (await whole(upstream, request_to(simulator.base_url)))[0] == 200
            await _until_open(simulator, 0)


async def test_a_late_call_that_is_left_in_the_middle_closes_its_connection(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        upstream = kind(Way())
        await upstream.close()
        answer = await upstream.send(request_to(simulator.base_url, b"sim-F11"), soon())
        await _until_open(simulator, 1)
        answer.close()
        await _until_open(simulator, 0)


async def test_a_late_call_that_ends_in_a_failure_or_is_cancelled_leaves_nothing(kind: Kind) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        upstream = kind(Way())
        await upstream.close()
        assert (
            await failure_of(lambda: upstream.send(request_to(simulator.base_url, b"sim-F9"), soon(0.1)))
        ).kind is kinds.UPSTREAM_TIMEOUT
        await _until_open(simulator, 0)
        late = asyncio.create_task(upstream.send(request_to(simulator.base_url, b"sim-F9"), soon()))
        await simulator.record.until(lambda record: record.counts.in_flight == 1)
        late.cancel()
        await asyncio.wait((late,))
        await _until_open(simulator, 0)


async def test_calls_in_every_state_are_told_when_their_way_is_closed(kind: Kind) -> None:
    async with (
        Simulator(SimulatorOptions(pace=FAST)) as simulator,
        upstream_of(kind, Way(connections_most=2)) as upstream,
    ):
        calls = [
            asyncio.create_task(upstream.send(request_to(simulator.base_url, b"sim-F9"), soon())) for _ in range(4)
        ]
        await simulator.record.until(lambda record: record.counts.in_flight == 2)
        await upstream.close()
        outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 2.0)
        found = sorted(one.kind.code for one in outcomes if isinstance(one, Failure))
        sent, waited = kinds.UPSTREAM_CLOSED.code, kinds.UPSTREAM_UNREACHABLE.code
        assert found == [sent, sent, waited, waited]
        await _until_open(simulator, 0)
