"""A running server takes up the vault's keys, lets an old key end in its time and removes it, and tells of old ones."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from oneflow_ai.app.clock import SystemClock
from oneflow_ai.app.key_keeper import KeyKeeper
from oneflow_ai.app.keys import open_vault
from oneflow_ai.app.provider_keys import keys_end
from oneflow_ai.app.runtime import Runtime
from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.policy.rotation import rotated
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, credentials, load
from oneflow_ai.settings.keys_file import KEYS_FILE, written
from oneflow_ai.stores.private_file import replace as write_private
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.vault import Vault
from oneflow_ai.testing import StepClock
from tests.app.reloading import KEYED, ListLog, serving

ORIGIN = "https://api.openai.com"
DAY = timedelta(days=1).total_seconds()


@dataclass
class Served:
    """What serves with the keys, as far as their keeper sees it; with `refusal` it takes none up."""

    loaded: Loaded
    clock: StepClock
    times: int = 0
    refusal: str = ""

    def take_up_keys(self, vault: Mapping[str, tuple[KeptKey, ...]]) -> None:
        if self.refusal:
            raise ValueError(self.refusal)
        self.times += 1
        self.loaded = replace(self.loaded, vault=vault, at=self.clock.utc())

    @property
    def keys_end(self) -> datetime | None:
        return keys_end(self.loaded)

    def keys(self, name: str = "openai") -> list[str]:
        return [key.reveal() for key in credentials(self.loaded, name)]


@dataclass
class Bench:
    served: Served
    vault: Vault
    log: ListLog
    keeper: KeyKeeper

    async def keep(self, *keys: str) -> None:
        now = self.served.clock.utc()
        made = [KeptKey(Secret(key), now + timedelta(microseconds=at)) for at, key in enumerate(keys)]
        await self.vault.change("openai", ORIGIN, lambda _: made, replacing=True)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = StepClock()
    loaded = load(None, {"ONEFLOW_HOME": str(tmp_path)}, tmp_path, kinds=TABLE, at=clock.utc())
    database = await Database.open(tmp_path / "oneflow.db")
    vault, log, served = await open_vault(loaded, database, clock), ListLog(), Served(loaded, clock)
    yield Bench(served, vault, log, KeyKeeper(served, vault, log, asyncio.Lock()))
    await database.close()


async def test_without_a_change_nothing_is_taken_up(bench: Bench) -> None:
    for _ in range(3):
        await bench.keeper.look()
    assert (bench.served.times, bench.log.told) == (0, [])


async def test_keys_are_taken_up_as_they_come_and_go(bench: Bench) -> None:
    for keys in (["a"], ["a", "b"], ["b"], []):
        await bench.keep(*keys)
        await bench.keeper.look()
        assert bench.served.keys() == keys
    assert bench.served.times == 4


async def test_an_old_key_ends_in_its_time_and_is_removed(bench: Bench) -> None:
    clock = bench.served.clock
    await bench.keep("old")
    await bench.keeper.look()
    now = clock.utc()
    await bench.vault.change("openai", ORIGIN, lambda keys: rotated(keys, KeptKey(Secret("new"), now), now))
    await bench.keeper.look()
    assert bench.served.keys() == ["new", "old"]
    clock.jump_wall(DAY - 1)
    await bench.keeper.look()
    assert bench.served.keys() == ["new", "old"]
    clock.jump_wall(1)
    await bench.keeper.look()
    assert bench.served.keys() == ["new"]
    assert [key.secret.reveal() for key in (await bench.vault.open()).keys["openai"]] == ["new"]
    assert bench.log.told == [("a provider's old key has ended", {})]


async def test_an_old_key_in_a_file_ends_and_is_removed_too(bench: Bench, tmp_path: Path) -> None:
    clock, path = bench.served.clock, tmp_path / KEYS_FILE
    now = clock.utc()
    write_private(
        path, written({"openai": rotated([KeptKey(Secret("old"), now)], KeptKey(Secret("new"), now), now)}).encode()
    )
    await bench.keeper.look()
    assert bench.served.keys() == ["new", "old"]
    clock.jump_wall(DAY)
    await bench.keeper.look()
    assert bench.served.keys() == ["new"]
    assert [entry["key"] for entry in json.loads(path.read_text())["openai"]] == ["new"]


@pytest.mark.parametrize(("days", "told"), [(79, 0), (80, 1), (90, 1)])
async def test_an_old_key_is_told_of_once_a_day(bench: Bench, tmp_path: Path, days: int, told: int) -> None:
    clock, path = bench.served.clock, tmp_path / KEYS_FILE
    added = clock.utc() - timedelta(days=days)
    write_private(path, written({"openai": [KeptKey(Secret("sk-old"), added)]}).encode())
    for _ in range(3):
        await bench.keeper.look()
    assert len(bench.log.told) == told
    clock.jump_wall(DAY)
    await bench.keeper.look()
    assert [fields["provider"] for _, fields in bench.log.told] == ["openai"] * (2 * told or days == 79)
    assert "sk-old" not in f"{bench.log.told}"


async def test_a_look_that_fails_keeps_the_keys_and_is_told_once(bench: Bench) -> None:
    await bench.keep("a")
    await bench.keeper.look()
    await bench.keep("b")
    bench.served.refusal = "demo mode cannot begin"
    task = asyncio.create_task(bench.keeper.run())
    for _ in range(200):
        await asyncio.sleep(0.005)
        bench.served.clock.step(1)
        if bench.log.told:
            break
    bench.served.clock.step(1)
    await asyncio.sleep(0.05)
    task.cancel()
    ((words, fields),) = bench.log.told
    assert words == "the providers' keys cannot be read anew; those known stay in force"
    assert fields == {"reason": "demo mode cannot begin"}
    assert bench.served.keys() == ["a"]


async def test_a_vault_that_cannot_be_opened_keeps_the_keys(bench: Bench, tmp_path: Path) -> None:
    await bench.keep("a")
    await bench.keeper.look()
    (tmp_path / "secret.key").unlink()
    other = await Database.open(tmp_path / "oneflow.db")
    stranger = load(None, {"ONEFLOW_HOME": str(tmp_path), "S": "o" * 32, "ONEFLOW_SERVER__SECRET": "env:S"}, tmp_path)
    foreign = await open_vault(stranger, other, bench.served.clock)
    await foreign.change("groq", "", lambda _: [KeptKey(Secret("g"))], replacing=True)
    await other.close()
    with pytest.raises(Exception, match="was sealed with another server secret"):
        await bench.keeper.look()
    assert bench.served.keys() == ["a"]


async def test_a_gateway_calls_with_the_keys_that_it_took_up(tmp_path: Path) -> None:
    """Of several, the first has the number 1; the API keys of clients stay what they are."""
    async with serving(tmp_path, KEYED.replace('api_key = "env:KEY"', "")) as bench:
        assert not bench.runtime.desk.snapshot.providers["sim"].configured
        keys = tuple(KeptKey(Secret(key), origin="http://127.0.0.1:9") for key in ("sk-v1", "sk-v2"))
        bench.runtime.take_up_keys({"sim": keys})
        assert [bench.target(at).credential.id for at in (0, 1)] == ["sim#1", "sim#2"]
        assert dict(bench.target().headers)["authorization"] == "Bearer sk-v1"
        assert (await bench.ask("GET", "/v1/models")).status == 200
        assert await bench.reload((tmp_path / "oneflow.toml").read_text() + "[retry]\nattempts = 2\n")


async def test_demo_mode_does_not_end_for_a_key_while_the_server_runs(tmp_path: Path) -> None:
    loaded = load(None, {"ONEFLOW_HOME": str(tmp_path)}, tmp_path, kinds=TABLE)
    async with Runtime(loaded) as runtime:
        with pytest.raises(ValueError, match="demo mode cannot begin or end"):
            runtime.take_up_keys({"openai": (KeptKey(Secret("sk-v"), origin=ORIGIN),)})
        assert runtime.demo
        assert runtime.loaded is loaded


async def test_a_program_that_calls_by_itself_lets_an_old_key_end_too(tmp_path: Path) -> None:
    now = SystemClock().utc()
    path = tmp_path / KEYS_FILE
    write_private(path, written({"openai": [KeptKey(Secret("new")), KeptKey(Secret("old"), now, now)]}).encode())
    before = now - timedelta(seconds=1)
    loaded = load(None, {"ONEFLOW_HOME": str(tmp_path)}, tmp_path, kinds=TABLE, at=before)
    async with Runtime(loaded, in_process=True) as runtime:
        await asyncio.sleep(0)
        for _ in range(100):
            if runtime.keys_end is None:
                break
            await asyncio.sleep(0.01)
        targets = runtime.desk.snapshot.providers["openai"].targets("gpt-6-luna")
        assert [dict(target.headers)["authorization"] for target in targets] == ["Bearer new"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_a_file_that_others_can_read_is_told_and_the_keys_stay(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / KEYS_FILE
    write_private(path, b'{"openai": "a"}')
    path.chmod(0o644)
    with pytest.raises(ValueError, match=f"chmod 600 {path}"):
        await bench.keeper.look()
