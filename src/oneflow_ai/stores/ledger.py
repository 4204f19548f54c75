"""Money: what calls may spend of budgets and wallets, held before they run and settled once to what they cost.

A process books a slice of an account in the database, under a lease, and admits calls against it in memory; what a call
cost is in the database before its last byte goes out. What is booked and what is spent never exceed an account's limit
together, whatever ends a process and whenever.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from oneflow_ai.core.failure import INSUFFICIENT_QUOTA, STORAGE_UNAVAILABLE, Failure
from oneflow_ai.core.money import usd_text
from oneflow_ai.core.ports import Clock
from oneflow_ai.stores import ledger_book
from oneflow_ai.stores.ledger_book import Posting, Short, Standing
from oneflow_ai.stores.ledger_budgets import Budget, Line, Period, ends_at, lines_of, wallet_account
from oneflow_ai.stores.moments import as_microseconds
from oneflow_ai.stores.sqlite import Database

LEASE_SECONDS = 30.0
RENEW_SECONDS = 5.0
SKEW_SECONDS = 5.0
"""A process stops drawing on a slice so long before the lease ends for the others."""

POSTINGS_WAITING_MOST = 10_000

T = TypeVar("T")


@dataclass(slots=True)
class Slice:
    """What this process has booked of an account and no call holds."""

    free_nanos: int = 0
    used: bool = True


@dataclass(frozen=True, slots=True)
class _Hold:
    nanos: int
    slices: tuple[tuple[str, Slice], ...]


class Ledger:
    """The money of one database, as one event loop uses it. `file_budgets` are those that the configuration sets.

    `active` says whether any call is limited; `changed` is told it whenever that may have changed. `overrun_nanos` is
    what could not be charged to anybody since the start.
    """

    def __init__(self, database: Database, clock: Clock, *, holder: str | None = None) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder or f"{socket.gethostname()} {os.getpid()} {os.urandom(8).hex()}"
        self._file_budgets: tuple[Budget, ...] = ()
        self._kept: tuple[Budget, ...] = ()
        self._wallets: frozenset[str] = frozenset()
        self._slices: dict[str, Slice] = {}
        self._open: dict[str, _Hold] = {}
        self._booking = asyncio.Lock()
        self._learning = asyncio.Lock()
        self._until_seconds = 0.0
        self._waiting: list[Posting] = []
        self._added = self._posted_count = 0
        self._posting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.overrun_nanos = 0
        self.changed: Callable[[bool], None] = lambda active: None

    async def open(self, file_budgets: Collection[Budget] = ()) -> int:
        """Free what processes had booked that are gone, and learn what is limited; gives how much was freed.

        Raises `ValueError` for a budget that both the configuration and the database set.
        """
        now = as_microseconds(self._clock.utc())

        def work(connection: Connection) -> int:
            return ledger_book.sweep(connection, now, filter(_gone, ledger_book.holders(connection)))

        stale = await self._database.read(ledger_book.holders)
        freed = await self._database.write(work) if stale else 0
        await self.refresh()
        self.configure(file_budgets)
        return freed

    def configure(self, file_budgets: Collection[Budget]) -> None:
        """Take up the budgets of another configuration; raises `ValueError` for one that the database sets too."""
        self.check(file_budgets)
        if self._file_budgets and self._file_budgets != tuple(file_budgets):
            _ = self._task(self._return_all())
        self._file_budgets = tuple(file_budgets)
        self.changed(self.active)

    def check(self, file_budgets: Collection[Budget]) -> None:
        """Raise `ValueError` for a budget that the database sets too."""
        kept = {(budget.scope, budget.period) for budget in self._kept}
        for budget in file_budgets:
            if (budget.scope, budget.period) in kept:
                raise ValueError(
                    f"the budget {budget.name} is set in the configuration and in the database: take it out of one "
                    f"(`oneflow budget remove {budget.scope} {budget.period}`)"
                )

    async def refresh(self) -> None:
        """Learn what others have set."""
        # One at a time: what was read before a change must not be taken up after it.
        async with self._learning:
            found = await self._database.read(ledger_book.defined)
            if found != (self._kept, self._wallets):
                self._kept, self._wallets = found
                self.changed(self.active)
                await self._return_all()

    @property
    def active(self) -> bool:
        """Whether anything is limited."""
        return bool(self._file_budgets or self._kept or self._wallets)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """All budgets in force."""
        return self._file_budgets + self._kept

    @property
    def file_budgets(self) -> tuple[Budget, ...]:
        """Those that the configuration sets."""
        return self._file_budgets

    async def hold(self, attempt_id: str, key_id: str, provider: str, nanos: int) -> None:
        """Hold an upper bound with every account that the attempt draws on, or with none. Harmless if repeated.

        Raises `Failure`: `insufficient_quota`, naming the scope that has not enough, or `storage_unavailable`.
        """
        if attempt_id in self._open or not nanos:
            return
        lines = sorted(
            lines_of(self.budgets, self._wallets, key_id, provider, self._clock.utc()), key=lambda line: line.account
        )
        if not lines:
            return
        while not self._fits(lines, nanos):
            # In a task of its own, so that what was booked is known here even if this call is given up meanwhile.
            await asyncio.shield(self._task(self._book(lines, nanos)))
        self._take(attempt_id, lines, nanos)

    async def settle(self, attempt_id: str, nanos: int) -> None:
        """Turn a hold into what the attempt cost, at most what was held; done once it is kept. Harmless if repeated.

        Raises `Failure` (`storage_unavailable`) where it could not be kept for now: it is tried again by `tend`.
        """
        hold = self._open.pop(attempt_id, None)
        if hold is None:
            return
        nanos = min(nanos, hold.nanos)
        for _, piece in hold.slices:
            piece.free_nanos += hold.nanos - nanos
        if not nanos or not hold.slices:
            return
        accounts = tuple(account for account, _ in hold.slices)
        self._waiting.append(Posting(attempt_id, nanos, accounts, as_microseconds(self._clock.utc())))
        self._added += 1
        await self._posted()

    def void(self, attempt_id: str) -> None:
        """Give a hold back whole. Harmless if repeated, or settled before."""
        hold = self._open.pop(attempt_id, None)
        if hold is not None:
            for _, piece in hold.slices:
                piece.free_nanos += hold.nanos

    async def tend(self) -> None:
        """Once in a while: learn what others set, keep what is booked, give back what is idle, try again to post."""
        await self.refresh()
        async with self._booking:
            age_seconds = self._clock.monotonic() - self._until_seconds + LEASE_SECONDS - SKEW_SECONDS
            if self._slices and age_seconds > RENEW_SECONDS:
                await self._renew()
            await self._give_back(idle_only=True)
        if self._waiting:
            await self._posted()
        now = as_microseconds(self._clock.utc())
        if await self._database.read(lambda connection: ledger_book.overdue(connection, now)):
            await self._database.write(lambda connection: ledger_book.sweep(connection, now, ()))

    async def close(self) -> None:
        """Post what waits, and free all that is still booked."""
        await self._posted()
        async with self._booking:
            if self._until_seconds:
                self._slices, self._open, self._until_seconds = {}, {}, 0.0
                await self._database.write(lambda connection: ledger_book.sweep(connection, 0, (self._holder,)))

    async def set_budget(self, budget: Budget) -> None:
        """Keep a budget; raises `ValueError` for one that the configuration sets."""
        self._check_free(budget.scope, budget.period)
        await self._change(lambda connection: ledger_book.set_budget(connection, budget))

    async def remove_budget(self, scope: str, period: Period) -> bool:
        """Take a budget away; gives whether there was one. Raises `ValueError` for one that the configuration sets."""
        self._check_free(scope, period)
        return await self._change(lambda connection: ledger_book.remove_budget(connection, scope, period))

    async def add_credit(self, credit_id: str, key_id: str | None, nanos: int) -> bool:
        """Add prepaid credit to everybody's wallet or a key's, once for each id; gives whether it was new."""
        if nanos <= 0:
            raise ValueError("credit is above 0")
        now, account = as_microseconds(self._clock.utc()), wallet_account(key_id)
        return await self._change(lambda connection: ledger_book.credit(connection, credit_id, account, nanos, now))

    async def budget_standing(self, budget: Budget) -> Standing:
        """How a budget stands in the period of this moment."""
        found = await self._standing(budget.account(self._clock.utc())) or Standing()
        return Standing(budget.limit_nanos, found.posted_nanos, found.held_nanos)

    async def wallet_standing(self, key_id: str | None) -> Standing | None:
        """How a wallet stands; None where no credit was ever added."""
        return await self._standing(wallet_account(key_id))

    async def _standing(self, account: str) -> Standing | None:
        """As the database has it, without what is only booked: what calls of this process hold, and others' slices."""
        found = await self._database.read(lambda connection: ledger_book.standing(connection, account))
        if found is None or account not in self._slices:
            return found
        idle = self._slices[account].free_nanos
        return Standing(found.limit_nanos, found.posted_nanos, max(found.held_nanos - idle, 0))

    async def _change(self, work: Callable[[Connection], T]) -> T:
        result = await self._database.write(work, durable=True)
        await self.refresh()
        return result

    def _check_free(self, scope: str, period: Period) -> None:
        if any((budget.scope, budget.period) == (scope, period) for budget in self._file_budgets):
            raise ValueError(f"the budget {scope} {period} is set in the configuration: change it there")

    def _fits(self, lines: Iterable[Line], nanos: int) -> bool:
        if self._clock.monotonic() >= self._until_seconds:
            return False
        slices = self._slices
        return all(line.account in slices and slices[line.account].free_nanos >= nanos for line in lines)

    def _take(self, attempt_id: str, lines: Iterable[Line], nanos: int) -> None:
        taken = tuple((line.account, self._slices[line.account]) for line in lines)
        for _, piece in taken:
            piece.free_nanos -= nanos
            piece.used = True
        self._open[attempt_id] = _Hold(nanos, taken)

    async def _book(self, lines: Collection[Line], nanos: int) -> None:
        """Have enough of every account in memory, or raise `Failure`."""
        async with self._booking:
            if self._clock.monotonic() >= self._until_seconds:
                await self._renew()
            have = {line.account: self._slices.setdefault(line.account, Slice()) for line in lines}
            # Some may have been booked by others while this one waited, or come back from calls that ended.
            needs = [(line, need) for line in lines if (need := nanos - have[line.account].free_nanos) > 0]
            if not needs:
                return
            if len(self._waiting) >= POSTINGS_WAITING_MOST:
                raise Failure(STORAGE_UNAVAILABLE, "the database has not kept what calls cost for too long")
            holder, now = self._holder, self._clock.utc()
            until = as_microseconds(now + timedelta(seconds=LEASE_SECONDS))
            try:
                booked = await self._database.write(
                    lambda connection: ledger_book.book(connection, holder, needs, nanos, until)
                )
            except Short as short:
                raise _refusal(short, nanos, now) from None
            for (line, _), amount in zip(needs, booked, strict=True):
                have[line.account].free_nanos += amount

    async def _renew(self) -> None:
        """Keep what is booked for longer; what others have freed, since the lease had ended, is forgotten."""
        began_seconds, holder = self._clock.monotonic(), self._holder
        until = as_microseconds(self._clock.utc() + timedelta(seconds=LEASE_SECONDS))
        mine = await self._database.write(lambda connection: ledger_book.renew(connection, holder, until))
        self._slices = {account: piece for account, piece in self._slices.items() if account in mine}
        self._until_seconds = began_seconds + LEASE_SECONDS - SKEW_SECONDS

    async def _return_all(self) -> None:
        """Give back what no call holds: it was booked of a limit that is another now."""
        async with self._booking:
            await self._give_back(idle_only=False)

    async def _give_back(self, *, idle_only: bool) -> None:
        """Return what no call holds, if nobody used it for a while; whoever calls this has the lock."""
        amounts: dict[str, int] = {}
        for account, piece in list(self._slices.items()):
            if piece.free_nanos and not (idle_only and piece.used):
                amounts[account], piece.free_nanos = piece.free_nanos, 0
            piece.used = False
        if not amounts:
            return
        try:
            await asyncio.shield(
                self._database.write(lambda connection: ledger_book.give_back(connection, self._holder, amounts))
            )
        except Failure:
            for account, nanos in amounts.items():
                self._slices[account].free_nanos += nanos
            raise

    async def _posted(self) -> None:
        """Wait until all that was added by now is kept; what comes while a batch is written goes with the next."""
        added = self._added
        while self._posted_count < added:
            if self._posting is None:
                self._posting = self._task(self._post())
            await asyncio.shield(self._posting)

    async def _post(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            overrun = await self._database.write(lambda connection: ledger_book.post(connection, self._holder, batch))
            self._posted_count += len(batch)
            self.overrun_nanos += overrun
        except BaseException:
            self._waiting = batch + self._waiting
            raise
        finally:
            self._posting = None

    def _task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever waits is told; if nobody does any more, nobody need be.
            task.exception()


def _gone(holder: str) -> bool:
    """Whether a holder was a process of this machine that no longer runs."""
    host, _, rest = holder.rpartition(" ")[0].rpartition(" ")
    if host != socket.gethostname() or not rest.isdecimal():
        return False
    if int(rest) == os.getpid():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _refusal(short: Short, nanos: int, now: datetime) -> Failure:
    budget, left = short.line.budget, usd_text(max(short.left_nanos, 0))
    cost = f"this call may cost up to ${usd_text(nanos)}"
    if budget is None:
        words = f"the {short.line.account} has ${left} left, {cost}: add credit"
        return Failure(INSUFFICIENT_QUOTA, words, param=short.line.account)
    end = ends_at(budget.period, now)
    again = "" if end is None else f"; it begins anew at {end.isoformat().replace('+00:00', 'Z')}"
    words = f"the budget {budget.name} has ${left} of ${usd_text(budget.limit_nanos)} left, {cost}{again}"
    wait_seconds = None if end is None else (end - now).total_seconds()
    return Failure(INSUFFICIENT_QUOTA, words, param=f"budget {budget.name}", retry_after_seconds=wait_seconds)
