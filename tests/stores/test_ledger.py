"""The ledger: what is booked and what is spent never exceed a limit, and what an attempt cost is counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from oneflow_ai.core.failure import INSUFFICIENT_QUOTA, Failure
from oneflow_ai.stores import ledger_book
from oneflow_ai.stores.ledger import LEASE_SECONDS, Ledger
from oneflow_ai.stores.ledger_book import Standing
from oneflow_ai.stores.ledger_budgets import OVERRUN, Budget, Period, begins_at, ends_at
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import ledger_accounts, ledger_slices, ledger_transfers

USD = 1_000_000_000
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Moments:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Database]:
    database = await Database.open(path)
    try:
        yield database
    finally:
        await database.close()


async def ledger_of(database: Database, clock: Moments, budgets: Iterable[Budget] = (), holder: str = "a") -> Ledger:
    ledger = Ledger(database, clock, holder=holder)
    await ledger.open(tuple(budgets))
    return ledger


async def account(database: Database, name: str) -> Standing:
    found = await database.read(lambda connection: ledger_book.standing(connection, name))
    return found or Standing()


def _sums(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    held = {row.id: row.held_nanos for row in connection.execute(select(ledger_accounts)) if row.held_nanos}
    slices = select(ledger_slices.c.account, func.sum(ledger_slices.c.nanos)).group_by(ledger_slices.c.account)
    return held, dict(map(tuple, connection.execute(slices)))


async def check_sound(database: Database) -> None:
    """What accounts have held is what slices hold, and what they have posted is what transfers moved."""
    held, sliced = await database.read(_sums)
    assert held == sliced
    moved = select(ledger_transfers.c.source, func.sum(ledger_transfers.c.nanos)).group_by(ledger_transfers.c.source)
    rows = await database.read(lambda connection: connection.execute(moved).all())
    spent = sum(total for source, total in rows if source != "credit")
    posted = select(func.sum(ledger_accounts.c.posted_nanos))
    assert (await database.read(lambda connection: connection.execute(posted).scalar()) or 0) == spent


DAILY = Budget("all", Period.DAILY, 10 * USD)
DAILY_ACCOUNT = "budget all daily 2026-11-26"


async def test_a_hold_settles_to_the_cost_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [DAILY])
        for _ in range(3):
            await ledger.hold("c.1", "key_1", "sim", USD)
        for _ in range(3):
            await ledger.settle("c.1", USD // 4)
        ledger.void("c.1")
        assert (await account(database, DAILY_ACCOUNT)).posted_nanos == USD // 4
        await ledger.close()
        assert await account(database, DAILY_ACCOUNT) == Standing(10 * USD, USD // 4, 0)
        await check_sound(database)


async def test_a_replayed_settle_of_another_process_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        for holder in "ab":
            ledger = await ledger_of(database, Moments(), [DAILY], holder)
            await ledger.hold("c.1", "key_1", "sim", USD)
            await ledger.settle("c.1", USD)
            await ledger.close()
        assert await account(database, DAILY_ACCOUNT) == Standing(10 * USD, USD, 0)


async def test_a_void_gives_everything_back(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [DAILY])
        await ledger.hold("c.1", "key_1", "sim", 10 * USD)
        ledger.void("c.1")
        ledger.void("c.1")
        await ledger.settle("c.1", USD)
        await ledger.hold("c.2", "key_1", "sim", 10 * USD)
        ledger.void("c.2")
        await ledger.close()
        assert await account(database, DAILY_ACCOUNT) == Standing(10 * USD, 0, 0)


async def test_what_does_not_fit_is_refused_by_name_and_holds_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        provider = Budget("provider:sim", Period.TOTAL, USD)
        ledger = await ledger_of(database, Moments(), [DAILY, provider])
        with pytest.raises(Failure) as caught:
            await ledger.hold("c.1", "key_1", "sim", 2 * USD)
        assert caught.value.kind is INSUFFICIENT_QUOTA
        assert caught.value.param == "budget provider:sim total"
        assert "$1 of $1 left" in caught.value.message
        await ledger.hold("c.2", "key_1", "other", 10 * USD)
        with pytest.raises(Failure) as caught:
            await ledger.hold("c.3", "key_1", "other", 1)
        assert caught.value.param == "budget all daily"
        assert caught.value.retry_after_seconds == 12 * 3600
        assert "begins anew at 2026-11-27T00:00:00Z" in caught.value.message
        await check_sound(database)


async def test_a_keys_budget_at_one_provider_limits_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [Budget("key:key_1 provider:sim", Period.TOTAL, USD)])
        with pytest.raises(Failure) as caught:
            await ledger.hold("c.1", "key_1", "sim", 2 * USD)
        assert caught.value.param == "budget key:key_1 provider:sim total"
        await ledger.hold("c.2", "key_1", "other", 2 * USD)
        await ledger.hold("c.3", "key_2", "sim", 2 * USD)
        await ledger.hold("c.4", "key_1", "sim", USD)
        await check_sound(database)


async def test_a_day_begins_anew_and_the_old_one_keeps_its_calls(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        clock = Moments()
        ledger = await ledger_of(database, clock, [DAILY])
        await ledger.hold("c.1", "key_1", "sim", 10 * USD)
        clock.seconds += 12 * 3600
        await ledger.tend()
        await ledger.hold("c.2", "key_1", "sim", 10 * USD)
        await ledger.settle("c.1", 3 * USD)
        await ledger.settle("c.2", 4 * USD)
        assert (await account(database, DAILY_ACCOUNT)).posted_nanos == 3 * USD
        assert (await account(database, "budget all daily 2026-11-27")).posted_nanos == 4 * USD


async def test_a_wallet_limits_its_key_and_everybodys_all(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments())
        before = ledger.active
        await ledger.hold("c.0", "key_1", "sim", 1000 * USD)
        assert await ledger.add_credit("p1", "key_1", 2 * USD)
        assert not await ledger.add_credit("p1", "key_1", 2 * USD)
        assert (before, ledger.active) == (False, True)
        await ledger.hold("c.1", "key_1", "sim", 2 * USD)
        await ledger.hold("c.2", "key_2", "sim", 1000 * USD)
        with pytest.raises(Failure) as caught:
            await ledger.hold("c.3", "key_1", "sim", 1)
        assert caught.value.param == "wallet key:key_1"
        await ledger.settle("c.1", USD)
        standing = await ledger.wallet_standing("key_1")
        assert standing == Standing(2 * USD, USD, 0)
        await ledger.add_credit("p2", None, USD)
        with pytest.raises(Failure) as caught:
            await ledger.hold("c.4", "key_2", "sim", USD + 1)
        assert caught.value.param == "wallet"


async def test_a_slice_is_booked_once_for_many_calls_while_plenty_is_left(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [DAILY])
        cost = USD // 1000
        await ledger.hold("c.0", "key_1", "sim", cost)
        booked = (await account(database, DAILY_ACCOUNT)).held_nanos
        assert booked == 10 * USD // 50
        for number in range(1, 100):
            await ledger.hold(f"c.{number}", "key_1", "sim", cost)
        assert (await account(database, DAILY_ACCOUNT)).held_nanos == booked
        assert (await ledger.budget_standing(DAILY)).held_nanos == 100 * cost


async def test_200_calls_at_once_on_a_budget_for_50(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [Budget("all", Period.DAILY, 50 * USD)])

        async def one(number: int) -> bool:
            try:
                await ledger.hold(f"c.{number}", f"key_{number % 3}", "sim", USD)
            except Failure as failure:
                return failure.kind is not INSUFFICIENT_QUOTA
            await asyncio.sleep(0.2)
            await ledger.settle(f"c.{number}", USD)
            return True

        done = await asyncio.gather(*map(one, range(200)))
        assert sum(done) == 50
        await ledger.close()
        assert await account(database, DAILY_ACCOUNT) == Standing(50 * USD, 50 * USD, 0)
        await check_sound(database)


async def test_two_processes_never_spend_more_than_one_limit(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as first, opened(tmp_path / "l.db") as second:
        budget = Budget("all", Period.TOTAL, 50 * USD)
        ledgers = [await ledger_of(each, Moments(), [budget], name) for each, name in ((first, "a"), (second, "b"))]

        async def one(number: int) -> bool:
            ledger = ledgers[number % 2]
            try:
                await ledger.hold(f"c.{number}", "key_1", "sim", USD)
            except Failure:
                return False
            await ledger.settle(f"c.{number}", USD)
            return True

        done = await asyncio.gather(*map(one, range(200)))
        assert sum(done) == 50
        await ledgers[0].close()
        await ledgers[1].close()
        assert await account(first, "budget all total") == Standing(50 * USD, 50 * USD, 0)


async def test_what_a_dead_process_booked_is_free_after_its_lease_and_what_it_spent_stays(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        clock = Moments()
        dead = await ledger_of(database, clock, [DAILY], "dead")
        await dead.hold("c.1", "key_1", "sim", 5 * USD)
        await dead.settle("c.1", 2 * USD)
        await dead.hold("c.2", "key_1", "sim", 5 * USD)
        heir = await ledger_of(database, clock, [DAILY], "heir")
        with pytest.raises(Failure):
            await heir.hold("c.3", "key_1", "sim", 8 * USD)
        clock.seconds += LEASE_SECONDS + 1
        await heir.tend()
        await heir.hold("c.3", "key_1", "sim", 8 * USD)
        # The dead one was only asleep: what it settles now, nobody can be charged.
        await dead.settle("c.2", USD)
        await heir.settle("c.3", 8 * USD)
        assert (await account(database, DAILY_ACCOUNT)).posted_nanos == 10 * USD
        assert (await account(database, OVERRUN)).posted_nanos == USD == dead.overrun_nanos
        with pytest.raises(Failure):
            await dead.hold("c.4", "key_1", "sim", 1)
        await check_sound(database)


async def test_idle_slices_go_back_and_those_in_use_are_renewed(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        clock = Moments()
        ledger = await ledger_of(database, clock, [DAILY])
        await ledger.hold("c.1", "key_1", "sim", USD // 1000)
        for _ in range(10):
            clock.seconds += 10
            await ledger.tend()
        assert (await account(database, DAILY_ACCOUNT)).held_nanos == USD // 1000
        await ledger.settle("c.1", USD // 1000)
        assert await account(database, DAILY_ACCOUNT) == Standing(10 * USD, USD // 1000, 0)


async def test_a_call_that_is_given_up_while_it_books_leaves_nothing_behind(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [DAILY])
        holding = asyncio.ensure_future(ledger.hold("c.1", "key_1", "sim", 10 * USD))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        ledger.void("c.1")
        await ledger.hold("c.2", "key_1", "sim", 10 * USD)
        ledger.void("c.2")
        await ledger.close()
        assert await account(database, DAILY_ACCOUNT) == Standing(10 * USD, 0, 0)


async def test_a_budget_is_set_changed_and_taken_away(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger, other = await ledger_of(database, Moments()), await ledger_of(database, Moments(), holder="b")
        told: list[bool] = []
        other.changed = told.append
        await ledger.set_budget(Budget("all", Period.DAILY, USD))
        await other.tend()
        with pytest.raises(Failure):
            await other.hold("c.1", "key_1", "sim", 2 * USD)
        await ledger.set_budget(Budget("all", Period.DAILY, 3 * USD))
        await other.tend()
        await other.hold("c.1", "key_1", "sim", 2 * USD)
        assert await ledger.remove_budget("all", Period.DAILY)
        assert not await ledger.remove_budget("all", Period.DAILY)
        await other.tend()
        assert (told, other.active) == ([True, True, False], False)


async def test_a_budget_of_the_file_and_of_the_database_is_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path / "l.db") as database:
        ledger = await ledger_of(database, Moments(), [DAILY])
        with pytest.raises(ValueError, match="set in the configuration"):
            await ledger.set_budget(DAILY)
        await (await ledger_of(database, Moments())).set_budget(DAILY)
        with pytest.raises(ValueError, match="oneflow budget remove all daily"):
            await ledger_of(database, Moments(), [DAILY])


@pytest.mark.parametrize("scope", ["", "everyone", "key:", "provider:a\nb", "team:x"])
def test_a_scope_is_one_of_three(scope: str) -> None:
    with pytest.raises(ValueError, match="the scope of a budget is"):
        Budget(scope, Period.DAILY, 1)


def test_periods_begin_and_end_in_utc() -> None:
    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC).astimezone()
    assert begins_at(Period.WEEKLY, at) == datetime(2026, 12, 28, tzinfo=UTC)
    assert ends_at(Period.DAILY, at) == ends_at(Period.MONTHLY, at) == datetime(2027, 1, 1, tzinfo=UTC)
    assert ends_at(Period.WEEKLY, at) == datetime(2027, 1, 4, tzinfo=UTC)
    assert ends_at(Period.TOTAL, at) is None
    assert ends_at(Period.MONTHLY, NOON) == datetime(2026, 12, 1, tzinfo=UTC)
