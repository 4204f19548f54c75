"""What limits money is known as soon as it is set, whatever else the ledger was just reading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Connection

from oneflow_ai.stores.ledger import Ledger
from oneflow_ai.stores.ledger_budgets import EVERYBODY, Budget, Period
from oneflow_ai.stores.sqlite import Database
from tests.stores.test_ledger import USD, Moments, opened

T = TypeVar("T")


class LateReader:
    """A database of which one read, when it is asked to, has its answer but does not give it yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keeps_back = False
        self.read_once = asyncio.Event()
        self.go = asyncio.Event()

    def keep_back(self) -> None:
        """Keep the next answer back."""
        self._keeps_back = True

    async def read(self, work: Callable[[Connection], T]) -> T:
        late, self._keeps_back = self._keeps_back, False
        found = await self._database.read(work)
        if late:
            self.read_once.set()
            await self.go.wait()
        return found

    async def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        return await self._database.write(work, durable=durable)


async def test_a_budget_that_is_set_while_the_ledger_looks_is_in_force_at_once_and_stays(tmp_path: Path) -> None:
    budget = Budget(EVERYBODY, Period.TOTAL, USD)
    async with opened(tmp_path / "oneflow.db") as database:
        late = LateReader(database)
        ledger = Ledger(cast(Database, late), Moments(), holder="a")
        await ledger.open()
        late.keep_back()
        looking = asyncio.create_task(ledger.refresh())
        await late.read_once.wait()
        setting = asyncio.create_task(ledger.set_budget(budget))
        await asyncio.wait((setting,), timeout=0.2)
        late.go.set()
        await looking
        await setting
        assert ledger.active
        assert ledger.budgets == (budget,)
