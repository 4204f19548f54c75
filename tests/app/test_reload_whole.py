"""A reload takes up a whole configuration, or nothing of it; both planes go by the one that is in force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oneflow_ai.app.runtime import Runtime
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from tests.app.reloading import KEYED, PRICED, SIM, answered, loaded, serving

CHAT = ("POST", "/v1/chat/completions")


async def test_a_configuration_that_needs_a_restart_is_not_taken_up_in_part(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        text = "[server]\nport = 9000\ndrain_seconds = 1\ncalls_most = 5\n[retry]\nattempts = 7\n"
        assert not await bench.reload(KEYED + text)
        event, fields = bench.told[-1]
        assert event == "the new configuration is not used"
        assert fields["reason"] == "server.port, server.drain_seconds: cannot change while the server runs; restart it"
        assert bench.runtime.desk.snapshot.retry.attempts == 4
        assert bench.runtime.loaded.settings.server.port == 8_000
        assert await answered(*CHAT, {}, calls_open=5)(bench) == 400
        assert bench.looks == []


async def test_a_configuration_that_leads_nowhere_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        text = '[server]\ncalls_most = 5\n[routes.fast]\ntask = "text"\ntargets = ["nowhere"]\nsimulate_last = true\n'
        assert not await bench.reload(KEYED + text)
        assert "route fast: target nowhere" in str(bench.told[-1][1]["reason"])
        assert bench.runtime.simulator is None
        assert await answered(*CHAT, {}, calls_open=5)(bench) == 400


async def test_a_route_that_newly_ends_at_the_simulator_is_answered_by_it_until_it_no_longer_does(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, SIM + PRICED) as bench:
        chat = {"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}
        retried = f"{SIM}{PRICED}[retry]\nattempts = 1\n[routes.fast]\ntask = 'text'\ntargets = ['sim/m']\n"
        assert await bench.reload(f"{retried}simulate_last = true\n")
        reply = await bench.ask(*CHAT, chat)
        assert (reply.status, reply.headers["x-oneflow-simulated"]) == (200, "true")
        assert await bench.reload(retried)
        assert (await bench.ask(*CHAT, chat)).status == 503
        assert (await bench.ask(*CHAT, chat | {"model": "simulator/fast"})).code == "model_not_found"
        assert await bench.reload(f"{retried}simulate_last = true\n")
        assert (await bench.ask(*CHAT, chat)).status == 200


async def test_both_planes_let_in_by_the_door_that_is_in_force(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        assert (await bench.ask("GET", "/api/status", authorization="")).status == 401
        assert await bench.reload(f'{KEYED}[server]\nauth = "none"\n')
        assert (await bench.ask("GET", "/api/status", authorization="")).status == 200
        assert await bench.reload(KEYED)
        assert (await bench.ask("GET", "/api/status", authorization="")).status == 401


async def test_demo_mode_ends_at_a_restart_only(tmp_path: Path) -> None:
    nothing = load(None, {"ONEFLOW_HOME": str(tmp_path)}, tmp_path, kinds=TABLE)
    (tmp_path / "oneflow.toml").write_text(KEYED)
    async with Runtime(nothing) as runtime:
        assert runtime.demo
        with pytest.raises(ValueError, match="demo mode cannot begin or end while the server runs; restart it"):
            await runtime.reload(loaded(tmp_path))
        assert runtime.loaded is nothing


async def test_every_mistake_of_a_refused_configuration_is_told_on_one_line(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        assert not await bench.reload(f"{KEYED}[server]\nprot = 1\n[retry]\nattempts = -1\n")
        reason = str(bench.told[-1][1]["reason"])
        assert "prot" in reason and "attempts" in reason
        assert "\n" not in reason


async def test_a_fault_of_ours_during_a_reload_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        sound = bench.server._again

        def broken() -> Loaded:
            raise ArithmeticError("no such configuration")

        bench.server._again = replace(sound, load=broken)
        assert not await bench.reload(KEYED)
        assert bench.told[-1][0] == "the new configuration is not used, by a fault of the gateway"
        bench.server._again = sound
        assert await bench.reload(KEYED)
