"""Keys that others made or revoked are taken up while the server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import text, update

from oneflow_ai.core.call import Account
from oneflow_ai.core.failure import STORAGE_UNAVAILABLE, Failure
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys
from oneflow_ai.stores.tables import api_keys
from tests.app.reloading import KEYED, serving

MODELS = ("GET", "/v1/models")


async def test_keys_are_looked_for_again_after_a_first_look_that_failed(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        revoked = asyncio.Event()

        class Failing(Keys):
            """Keys whose database is gone at the first look, and which have all been revoked at the second."""

            looks = 0

            async def version(self) -> tuple[int, ...]:
                self.looks += 1
                if self.looks == 1:
                    raise Failure(STORAGE_UNAVAILABLE, "the database is gone")
                revoked.set()
                return await super().version()

            async def load_all(self) -> dict[bytes, Account]:
                return {}

        keys = Failing(bench.runtime.database, KeyDigest(b"pepper of the tests"), bench.runtime.clock)
        assert (await bench.ask(*MODELS)).status == 200
        bench.runtime.keep(bench.server._refresh(bench.runtime, keys))
        await asyncio.wait_for(revoked.wait(), 5.0)
        # What was read is in force a few turns of the loop later.
        await asyncio.sleep(0.2)
        assert (await bench.ask(*MODELS)).status == 401
        assert "the keys cannot be read anew" in bench.told[0][0]


async def test_keys_are_looked_for_again_after_a_fault_of_the_gateway(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        revoked = asyncio.Event()

        class Faulty(Keys):
            """Keys that meet a bug at the first three looks, and which have all been revoked at the fourth."""

            looks = 0

            async def load_all(self) -> dict[bytes, Account]:
                self.looks += 1
                if self.looks < 4:
                    raise ValueError("a fault of ours")
                revoked.set()
                return {}

        keys = Faulty(bench.runtime.database, KeyDigest(b"pepper of the tests"), bench.runtime.clock)
        bench.runtime.keep(bench.server._refresh(bench.runtime, keys))
        await asyncio.wait_for(revoked.wait(), 5.0)
        await asyncio.sleep(0.2)
        assert (await bench.ask(*MODELS)).status == 401
        assert [line for line, _ in bench.told] == ["the keys cannot be read anew; those known stay in force"]


async def test_a_key_that_cannot_be_read_is_told_and_keeps_no_other_in_force(tmp_path: Path) -> None:
    async with serving(tmp_path, KEYED) as bench:
        keys = Keys(bench.runtime.database, KeyDigest(b"pepper of the tests"), bench.runtime.clock)
        bad = await keys.create("Bob")
        spoil = update(api_keys).where(api_keys.c.id == bad.row.id).values(models=text("'{not json'"))
        await bench.runtime.database.write(lambda connection: connection.execute(spoil).close())
        assert (await bench.ask(*MODELS)).status == 200
        revoke = update(api_keys).where(api_keys.c.id != bad.row.id).values(revoked_at=1)
        await bench.runtime.database.write(lambda connection: connection.execute(revoke).close())
        bench.runtime.keep(bench.server._refresh(bench.runtime, keys))
        await asyncio.sleep(1.5)
        assert (await bench.ask(*MODELS)).status == 401
        assert bench.told == [("keys that cannot be read open nothing", {"key": bad.row.id, "count": 1})]
