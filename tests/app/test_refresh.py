"""Keys that others made or revoked are taken up while the server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from oneflow_ai.core.call import Account
from oneflow_ai.core.failure import STORAGE_UNAVAILABLE, Failure
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys
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
