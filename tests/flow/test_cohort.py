"""Calls beside each other go stage by stage; one that is alone, or holds much, does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from oneflow_ai.core.failure import CLIENT_CLOSED
from oneflow_ai.flow.cohort import ALONE_STAGES, HELD_BYTES_MOST, STAGES_OF_A_CALL, Cohort
from oneflow_ai.testing import ListeningClient, SeededChance, VirtualClock, run_virtual
from tests.flow.test_engine import HELLO, PRICED, Office, place

STAGES = "abc"


async def walk(cohort: Cohort, name: int, trace: list[str], held_bytes: int = 0) -> None:
    for stage in STAGES:
        trace.append(f"{stage}{name}")
        await cohort.stage(held_bytes)


async def together(cohort: Cohort, count: int, held_bytes: int = 0) -> list[str]:
    trace: list[str] = []
    await asyncio.gather(*(walk(cohort, name, trace, held_bytes) for name in range(count)))
    return trace


def turns(cohort: Cohort) -> int:
    """How many turns of the loop the next stage takes."""

    async def passed() -> None:
        await cohort.stage()

    coroutine, taken = passed(), 0
    while True:
        try:
            coroutine.send(None)
        except StopIteration:
            return taken
        taken += 1


async def looking() -> Cohort:
    """One that looks for company at its next stage."""
    cohort = Cohort()
    for _ in range(ALONE_STAGES):
        await cohort.stage()
    return cohort


async def test_calls_that_are_ready_together_go_stage_by_stage() -> None:
    cohort = await looking()
    assert await together(cohort, 4) == [f"{stage}{name}" for stage in STAGES for name in range(4)]
    # Who has found company looks for it again.
    assert await together(cohort, 4) == [f"{stage}{name}" for stage in STAGES for name in range(4)]


async def test_a_call_that_holds_much_goes_on_at_once() -> None:
    cohort = await looking()
    assert await together(cohort, 3, HELD_BYTES_MOST + 1) == [f"{stage}{name}" for name in range(3) for stage in STAGES]


async def test_who_is_alone_waits_once_and_then_not_for_long() -> None:
    cohort = await looking()
    assert [turns(cohort) for _ in range(ALONE_STAGES + 2)] == [1, *[0] * ALONE_STAGES, 1]


async def test_a_call_that_ends_at_a_stage_is_waited_for_by_nobody() -> None:
    cohort = await looking()
    trace: list[str] = []
    tasks = [asyncio.create_task(walk(cohort, name, trace)) for name in range(4)]
    await asyncio.sleep(0)
    for task in tasks[:3]:
        task.cancel()
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [True, True, True, False]
    # All have left: one by itself is found alone.
    await asyncio.wait([asyncio.create_task(walk(cohort, 9, trace))])
    assert [turns(cohort) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("turns_before", range(STAGES_OF_A_CALL + 1))
def test_a_client_that_leaves_at_a_stage_leaves_nothing_held_and_one_record(turns_before: int) -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, HELLO, replace(place(), price=PRICED))
        async with company(office):
            asked = asyncio.create_task(office.serve(ListeningClient()))
            for _ in range(turns_before + 1):
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
        (record,) = office.records
        assert (office.held, office.engine.calls_open, office.engine.at_work) == (0, 0, 0)
        if asked.cancelled():
            assert (record.outcome, record.status) == (CLIENT_CLOSED.code, CLIENT_CLOSED.status)
        else:
            assert record.outcome == "ok"
        # Paid for is what was answered, whether or not somebody was there to take it.
        assert (record.cost_nanos > 0) == (record.usage is not None)

    run_virtual(run)


@pytest.mark.parametrize("turns_before", range(STAGES_OF_A_CALL + 1))
def test_a_stop_at_a_stage_keeps_back_no_answer_that_is_paid_for(turns_before: int) -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office, client = Office(clock, HELLO, replace(place(), price=PRICED)), ListeningClient()
        async with company(office):
            asked = asyncio.create_task(office.serve(client))
            for _ in range(turns_before + 1):
                await asyncio.sleep(0)
            await office.engine.end(1.0)
            await asked
        (record,) = office.records
        assert (office.held, office.engine.calls_open, office.engine.at_work) == (0, 0, 0)
        assert (record.outcome == "ok") == (client.end is not None)
        assert (record.outcome == "ok") == (record.cost_nanos > 0)
        assert record.outcome in ("ok", "draining")

    run_virtual(run)


@asynccontextmanager
async def company(office: Office) -> AsyncIterator[None]:
    """Meanwhile others are at every stage that a call comes to."""
    cohort = office.engine._ways.cohort
    for _ in range(ALONE_STAGES):
        await cohort.stage()
    others = [asyncio.create_task(_beside(cohort)) for _ in range(2)]
    await asyncio.sleep(0)
    yield
    for other in others:
        other.cancel()
    await asyncio.wait(others)


async def turns_of(passing: Coroutine[Any, Any, None]) -> int:
    """How many turns of the loop it takes."""
    task, taken = asyncio.create_task(passing), 0
    while not task.done():
        await asyncio.sleep(0)
        taken += 1
    return taken


def test_a_call_passes_as_many_stages_as_are_told() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        office = Office(clock, HELLO, place())
        cohort = office.engine._ways.cohort
        # The doubles take turns of their own.
        alone = await turns_of(office.serve(ListeningClient())), await turns_of(cohort.through())
        async with company(office):
            beside = await turns_of(office.serve(ListeningClient())), await turns_of(cohort.through())
        assert [more - less for more, less in zip(beside, alone, strict=True)] == [STAGES_OF_A_CALL] * 2

    run_virtual(run)


async def test_who_only_looks_on_is_no_company() -> None:
    cohort = await looking()

    async def walk_far(name: int) -> None:
        for _ in range(STAGES_OF_A_CALL):
            await walk(cohort, name, [])

    await asyncio.gather(walk_far(0), walk_far(1), cohort.through())
    # Two were too few.
    assert [turns(cohort) for _ in range(3)] == [0, 0, 0]


async def _beside(cohort: Cohort) -> None:
    while True:
        await cohort.stage()
