"""An engine that nobody closes ends with its owner, or with the program, and its history is written."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from oneflow_ai import AsyncOneFlow, initialize_provider_manager
from oneflow_ai.client import THREAD
from oneflow_ai.loop_thread import LoopThread
from oneflow_ai.simulator import ThreadedSimulator
from oneflow_ai.stores.history import Filters
from tests.manager.world import variables

SCRIPTS = {
    "left open": "manager = initialize_provider_manager(use_real_api=True)\n"
    'print(manager.execute_with_fallback("text", "Hello")["status"])\n',
    "dropped at once": 'print(initialize_provider_manager(use_real_api=True).execute_with_fallback("text", "Hello")'
    '["status"])\n',
    "ended by an error": "manager = initialize_provider_manager(use_real_api=True)\n"
    'print(manager.execute_with_fallback("text", "Hello")["status"], flush=True)\nraise SystemExit(3)\n',
}


async def outcomes() -> list[str]:
    """How the calls of this home's history ended."""
    async with AsyncOneFlow() as flow:
        runtime = await flow._ready()
        return [record.outcome for record in (await runtime.history.page(Filters())).records]


@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_program_that_closes_nothing_loses_no_history(
    world: ThreadedSimulator, tmp_path: Path, script: str
) -> None:
    code = f"from provider_manager import initialize_provider_manager\n{SCRIPTS[script]}"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **variables(tmp_path, world)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (told.stdout, told.stderr) == ("success\n", "")
    assert told.returncode == (3 if script == "ended by an error" else 0)
    assert await outcomes() == ["ok"]


def test_a_manager_that_is_dropped_gives_its_engine_back(world: ThreadedSimulator) -> None:
    manager = initialize_provider_manager(use_real_api=True)
    assert manager.execute_with_fallback("text", "Hello")["status"] == "success"
    del manager
    gc.collect()
    THREAD.settle()
    for thread in threading.enumerate():
        if thread.name == "oneflow":
            thread.join(10.0)
    assert not any(thread.name == "oneflow" for thread in threading.enumerate())


def test_closing_twice_is_harmless(world: ThreadedSimulator) -> None:
    manager = initialize_provider_manager(use_real_api=True)
    manager.close()
    manager.close()


def test_the_loop_ends_after_the_last_words_of_who_left() -> None:
    thread = LoopThread("lent")
    thread.borrow()
    said: list[str] = []

    async def last() -> None:
        said.append("bye")

    thread.leave(last)
    thread.settle()
    for one in threading.enumerate():
        if one.name == "lent":
            one.join(10.0)
    assert said == ["bye"]
    assert not any(one.name == "lent" for one in threading.enumerate())
    thread.leave(last)
    assert said == ["bye"]
