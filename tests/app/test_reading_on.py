"""P6: where the provider goes on without its client, so does the gateway, to know what it bills."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oneflow_ai.core.record import Exchange
from oneflow_ai.simulator import Pace, SimulatorOptions
from tests.app.gateway import Gateway, running
from tests.app.test_hang_up import _hang_up as hang_up

SLOW = SimulatorOptions(pace=Pace(first_token_seconds=0.3, tokens_per_second=100.0, whole_seconds_most=1.0))
PRICE = '[prices."sim/gpt-6-luna"]\ninput_usd_per_million_tokens = 1.0\noutput_usd_per_million_tokens = 2.0\n'


async def left(gateway: Gateway, *, stream: bool, after_bytes: int) -> Exchange:
    """The record of a call whose client has hung up."""
    records = asyncio.Queue[Exchange]()
    gateway.runtime.follow_with([records.put_nowait])
    await hang_up(gateway, "sim/gpt-6-luna", stream=stream, after_bytes=after_bytes, seconds=0.15)
    async with asyncio.timeout(8.0):
        return await records.get()


@pytest.mark.parametrize(("stream", "after_bytes"), [(True, 400), (True, 0), (False, 0)])
async def test_what_goes_on_is_read_to_its_end_and_settled_exactly(
    tmp_path: Path, stream: bool, after_bytes: int
) -> None:
    async with running(tmp_path, options=SLOW, providers={"sim": 'kind = "groq"\n'}, configuration=PRICE) as gateway:
        exchange = await left(gateway, stream=stream, after_bytes=after_bytes)
        assert exchange.outcome == "client_closed"
        assert exchange.usage is not None
        assert exchange.usage.source == "provider"
        assert not exchange.estimated
        assert exchange.cost_nanos > 0
        await gateway.quiet()
        assert gateway.runtime.engine.reading_on.answers == 0


@pytest.mark.parametrize("bound", ["seconds_most", "answers_most"])
async def test_beyond_its_bounds_an_answer_is_cut_and_estimated(tmp_path: Path, bound: str) -> None:
    async with running(tmp_path, options=SLOW, providers={"sim": 'kind = "groq"\n'}, configuration=PRICE) as gateway:
        setattr(gateway.runtime.engine.reading_on, bound, 0)
        exchange = await left(gateway, stream=True, after_bytes=400)
        assert exchange.outcome == "client_closed"
        assert exchange.estimated
        assert exchange.cost_nanos > 0
        await gateway.quiet()


async def test_the_end_of_the_drain_ends_it_and_it_is_still_paid_for(tmp_path: Path) -> None:
    records: list[Exchange] = []
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.05, tokens_per_second=5.0, whole_seconds_most=60.0))
    async with running(tmp_path, options=slow, providers={"sim": 'kind = "groq"\n'}, configuration=PRICE) as gateway:
        gateway.runtime.follow_with([records.append])
        await hang_up(gateway, "sim/gpt-6-luna", stream=True, after_bytes=400)
        while not gateway.runtime.engine.reading_on.answers:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.005)
        engine = gateway.runtime.engine
    (exchange,) = records
    assert exchange.outcome == "client_closed"
    assert exchange.estimated
    assert exchange.cost_nanos > 0
    assert (engine.calls_open, engine.reading_on.answers) == (0, 0)
