"""A library that is closed with calls under way: they are told, and the history and the books agree on them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai import AsyncOneFlow, OneFlow, OneFlowAI, OneFlowError
from oneflow_ai.settings import Loaded
from oneflow_ai.simulator import FAST, Rule, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.library import library_settings
from tests.manager.world import enter, variables

SECONDS_MOST = 10.0


@pytest.fixture
def simulator() -> Iterator[ThreadedSimulator]:
    """A provider that takes every call and answers none."""
    with run_in_thread(SimulatorOptions(pace=FAST, rules=(Rule(fault="F9"),))) as simulator:
        yield simulator


@pytest.fixture
def settings(simulator: ThreadedSimulator, tmp_path: Path) -> Loaded:
    routes = '[routes.text]\ntargets = ["sim/gpt-6-luna"]\n[routes.image]\ntargets = ["sim/gpt-image-2"]\n'
    configuration = f"{routes}[budgets]\ndaily_usd = 10\n"
    return library_settings(simulator, tmp_path, configuration, prices="usd_per_image = 0.01\n")


CALLS: dict[str, Callable[[Any], Any]] = {
    "image": lambda flow: flow.image("A fox", size="1024x1024"),
    "text": lambda flow: flow.text("A fox"),
    "stream": lambda flow: list(flow.stream("A fox")),
}


def reached(simulator: ThreadedSimulator) -> None:
    until = time.monotonic() + SECONDS_MOST
    while not simulator.do(lambda running: running.record.counts.requests):
        assert time.monotonic() < until
        time.sleep(0.01)


def rows(home: Path, statement: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(home / "oneflow.db")) as database:
        return database.execute(statement).fetchall()


def settled(home: Path) -> None:
    """The history has the call, and the books no more than it says."""
    assert rows(home, "SELECT outcome, status FROM requests") == [("draining", 503)]
    assert rows(home, "SELECT sum(held_nanos), sum(posted_nanos) FROM ledger_accounts") == [(0, 0)]
    assert rows(home, "SELECT sum(cost_nanos) FROM requests") == [(0,)]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_under_way_is_told_and_recorded(settings: Loaded, simulator: ThreadedSimulator, name: str) -> None:
    flow, errors = OneFlow(settings=settings), list[BaseException]()

    def ask() -> None:
        try:
            CALLS[name](flow)
        except BaseException as error:  # noqa: BLE001 - what it is is looked at
            errors.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    reached(simulator)
    began = time.monotonic()
    flow.close()
    assert time.monotonic() - began < 5.0
    asking.join(SECONDS_MOST)
    (error,) = errors
    assert isinstance(error, OneFlowError)
    assert (error.code, error.status, error.attempts) == ("draining", 503, 1)
    assert error.request_id.startswith("req_")
    settled(settings.home)


def test_what_was_said_before_is_paid_for(settings: Loaded, simulator: ThreadedSimulator) -> None:
    simulator.do(lambda running: setattr(running, "rules", ()))
    flow = OneFlow(settings=settings)
    pieces = flow.stream("A fox", model="sim/sim-F12@event:3")
    said = next(pieces)
    flow.close()
    with pytest.raises(OneFlowError) as caught:
        said += "".join(pieces)
    assert said
    assert caught.value.code == "draining"
    ((outcome, cost_nanos),) = rows(settings.home, "SELECT outcome, cost_nanos FROM requests")
    assert (outcome, cost_nanos > 0) == ("draining", True)
    assert rows(settings.home, "SELECT held_nanos, posted_nanos FROM ledger_accounts") == [(0, cost_nanos)]


async def test_a_task_that_outlives_its_flow_is_told_and_goes_on(
    settings: Loaded, simulator: ThreadedSimulator
) -> None:
    async def ask(flow: AsyncOneFlow) -> str:
        try:
            await flow.image("A fox", size="1024x1024")
        except OneFlowError as error:
            # Nobody cancelled the task itself: what it waits for now is waited for.
            async with asyncio.timeout(SECONDS_MOST):
                await asyncio.sleep(0.01)
            return error.code
        return ""

    async with AsyncOneFlow(settings=settings) as flow:
        task = asyncio.create_task(ask(flow))
        await asyncio.to_thread(reached, simulator)
    assert (await task, task.cancelling()) == ("draining", 0)
    settled(settings.home)


async def test_a_task_that_was_cancelled_before_stays_so(settings: Loaded, simulator: ThreadedSimulator) -> None:
    async with AsyncOneFlow(settings=settings) as flow:
        task = asyncio.create_task(flow.text("A fox"))
        await asyncio.to_thread(reached, simulator)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rows(settings.home, "SELECT outcome FROM requests") == [("client_closed",)]


def test_an_account_that_is_closed_tells_whom_it_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    never = Rule(fault="F9", path="/v1/images/*")
    with run_in_thread(SimulatorOptions(pace=FAST, rules=(never,))) as simulator:
        enter(monkeypatch, tmp_path, variables(tmp_path, simulator, "openai"))
        account, results = OneFlowAI(5, use_real_api=True), list[Any]()
        asking = threading.Thread(target=lambda: results.append(account.process_request("image", "A fox")), daemon=True)
        asking.start()
        reached(simulator)
        account.close()
        asking.join(SECONDS_MOST)
    (result,) = results
    assert (result["status"], result["attempted_providers"], result["balance"]) == ("error", ["openai"], 5.0)
    assert result["error"].startswith("draining: ")
    settled(tmp_path)


@pytest.mark.parametrize("name", CALLS)
def test_after_its_end_every_call_is_refused_as_over_http(settings: Loaded, name: str) -> None:
    flow, other = OneFlow(settings=settings), OneFlow(settings=settings)
    flow.close()
    for _ in range(2):
        # With the loop of another, and then with none.
        with pytest.raises(OneFlowError, match="after its end") as caught:
            CALLS[name](flow)
        assert (caught.value.code, caught.value.status) == ("draining", 503)
        other.close()


async def test_one_that_was_closed_may_be_opened_again(settings: Loaded, simulator: ThreadedSimulator) -> None:
    simulator.do(lambda running: setattr(running, "rules", ()))
    flow = AsyncOneFlow(settings=settings)
    await flow.close()
    with pytest.raises(OneFlowError, match="after its end"):
        await flow.text("Hello")
    async with flow:
        assert (await flow.text("Hello")).text
