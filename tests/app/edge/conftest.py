"""One gateway for a module's tests, on the loop that `oneflow serve` runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import pytest_asyncio
import uvloop

from oneflow_ai.edge.served import ConnectionLimits
from tests.app.edge.front import Front, fronting

LIMIT_SECONDS = 0.3


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The production loop alone."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="_front")
async def _module_front(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    async with fronting(tmp_path_factory.mktemp("front")) as front:
        yield front


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="_quick")
async def _module_quick(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    limits = ConnectionLimits(LIMIT_SECONDS, LIMIT_SECONDS, LIMIT_SECONDS)
    async with fronting(tmp_path_factory.mktemp("quick"), connection=limits) as front:
        yield front


@pytest.fixture
def front(_front: Front) -> Iterator[Front]:
    """A gateway with the usual time limits; a test that makes it log an error fails."""
    yield from _watched(_front)


@pytest.fixture
def quick(_quick: Front) -> Iterator[Front]:
    """A gateway whose time limits are `LIMIT_SECONDS`; a test that makes it log an error fails."""
    yield from _watched(_quick)


def _watched(front: Front) -> Iterator[Front]:
    front.simulator.record.clear()
    front.log.errors.clear()
    yield front
    assert front.log.errors == []
