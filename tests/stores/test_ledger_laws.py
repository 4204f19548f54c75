"""The ledger's laws, in whatever order things happen: two processes, crashes, restarts, late settles, new limits."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, select

from oneflow_ai.core.failure import INSUFFICIENT_QUOTA, Failure
from oneflow_ai.stores.ledger import LEASE_SECONDS, Ledger
from oneflow_ai.stores.ledger_book import SPENT, Posting, post
from oneflow_ai.stores.ledger_budgets import WALLET, Budget, Period
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import ledger_transfers
from tests.stores.test_ledger import Moments, account, check_sound

BUDGET = Budget("all", Period.TOTAL, 100_000)
BUDGET_ACCOUNT = "budget all total"
PROCESSES = st.integers(0, 1)
AMOUNTS = st.integers(5_000, 30_000) | st.integers(1, 300)


class Money(RuleBasedStateMachine):
    """Two processes that draw on one budget and one wallet."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Moments()
        self.born = self.numbered = 0
        self.credited = 60_000
        self.holds: list[dict[str, int]] = [{}, {}]
        self.costs: dict[str, int] = {}

    @initialize()
    def begin(self) -> None:
        self.database = self.runner.run(Database.open(Path(self.folder.name) / "l.db"))
        self.ledgers = [self.made(), self.made()]
        self.runner.run(self.ledgers[0].add_credit("first", None, self.credited))
        self.runner.run(self.ledgers[1].refresh())

    def made(self) -> Ledger:
        self.born += 1
        ledger = Ledger(self.database, self.clock, holder=f"process {self.born}")
        self.runner.run(ledger.open([BUDGET]))
        return ledger

    @rule(calls=st.lists(st.tuples(PROCESSES, AMOUNTS), min_size=1, max_size=8))
    def hold(self, calls: list[tuple[int, int]]) -> None:
        """At once, as calls come."""
        self.runner.run(self.all_held(calls))

    async def all_held(self, calls: list[tuple[int, int]]) -> None:
        await asyncio.gather(*(self.held(process, nanos) for process, nanos in calls))

    async def held(self, process: int, nanos: int) -> None:
        self.numbered += 1
        name = f"call.{self.numbered}"
        try:
            await self.ledgers[process].hold(name, "key", "sim", nanos)
        except Failure as failure:
            if failure.kind is not INSUFFICIENT_QUOTA:
                raise
        else:
            self.holds[process][name] = nanos

    @rule(process=PROCESSES, share=st.floats(0.5, 1.2))
    def settle_all(self, process: int, share: float) -> None:
        """At once: in one batch."""
        holds, self.holds[process] = self.holds[process], {}
        self.costs |= {name: min(int(held * share), held) for name, held in holds.items()}
        self.runner.run(self.all_settled(process, {name: int(held * share) for name, held in holds.items()}))

    async def all_settled(self, process: int, costs: dict[str, int]) -> None:
        await asyncio.gather(*(self.ledgers[process].settle(name, cost) for name, cost in costs.items()))

    @rule(late=st.booleans())
    def replay(self, late: bool) -> None:
        """What was kept is sent again, as after a commit of which nobody heard."""
        if self.costs:
            name = max(self.costs) if late else min(self.costs)
            posting = Posting(name, self.costs[name], _SOURCES, 0)
            if posting.nanos:
                self.runner.run(self.database.write(lambda connection: post(connection, "process 1", [posting])))

    @rule(process=PROCESSES, share=st.floats(0, 1.5), times=st.integers(1, 2))
    def settle(self, process: int, share: float, times: int) -> None:
        if self.holds[process]:
            name, held = self.holds[process].popitem()
            for _ in range(times):
                self.runner.run(self.ledgers[process].settle(name, int(held * share)))
            self.costs[name] = min(int(held * share), held)

    @rule(process=PROCESSES, times=st.integers(1, 2))
    def void(self, process: int, times: int) -> None:
        if self.holds[process]:
            name, _ = self.holds[process].popitem()
            for _ in range(times):
                self.ledgers[process].void(name)

    @rule(process=PROCESSES)
    def crash(self, process: int) -> None:
        """What it held is nobody's: its successor is another holder."""
        self.holds[process] = {}
        self.ledgers[process] = self.made()

    @rule(process=PROCESSES)
    def stop_well(self, process: int) -> None:
        for name in self.holds[process]:
            self.ledgers[process].void(name)
        self.holds[process] = {}
        self.runner.run(self.ledgers[process].close())
        self.ledgers[process] = self.made()

    @rule(process=PROCESSES, seconds=st.sampled_from([0.0, 1.0, 6.0, LEASE_SECONDS + 1, 3_600.0]))
    def time_passes(self, process: int, seconds: float) -> None:
        """Only one of the two looks after what it booked: the other may have been asleep."""
        self.clock.seconds += seconds
        self.runner.run(self.ledgers[process].tend())

    @rule(nanos=AMOUNTS)
    def top_up(self, nanos: int) -> None:
        self.runner.run(self.ledgers[0].add_credit(f"credit {self.credited}", None, nanos))
        self.credited += nanos

    @invariant()
    def nothing_is_over_its_limit(self) -> None:
        if not self.born:
            return
        for name, limit in ((BUDGET_ACCOUNT, BUDGET.limit_nanos), (WALLET, self.credited)):
            standing = self.runner.run(account(self.database, name))
            assert standing.posted_nanos + standing.held_nanos <= limit
            assert min(standing.posted_nanos, standing.held_nanos) >= 0
        self.runner.run(check_sound(self.database))

    @invariant()
    def every_cost_is_on_record_once(self) -> None:
        if self.born:
            spent = self.runner.run(self.database.read(_spent))
            assert spent == {(name, source): cost for name, cost in self.costs.items() if cost for source in _SOURCES}

    def teardown(self) -> None:
        if not self.born:
            self.runner.close()
            return
        # Whoever is gone leaves nothing: after the lease all that is not spent can be had.
        for process in (0, 1):
            self.stop_well(process)
        self.clock.seconds += LEASE_SECONDS + 1
        self.runner.run(self.ledgers[0].tend())
        assert self.runner.run(account(self.database, WALLET)).held_nanos == 0
        assert self.runner.run(account(self.database, BUDGET_ACCOUNT)).held_nanos == 0
        self.runner.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()


_SOURCES = (BUDGET_ACCOUNT, WALLET)


def _spent(connection: Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute(select(ledger_transfers).where(ledger_transfers.c.destination == SPENT))
    return {(row.id, row.source): row.nanos for row in rows}


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
