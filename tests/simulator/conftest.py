"""A simulator without waits for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """A fast simulator with a control port, always the same."""
    running = await Simulator(SimulatorOptions(pace=FAST, seed=7, record_body_bytes=4_096)).start(control_port=0)
    async with running:
        yield running
