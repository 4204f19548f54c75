"""The ledger's rows: each function is one step of a transaction, exact, and harmless where it says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from oneflow_ai.stores.ledger_budgets import OVERRUN, WALLET, Budget, Line, Period
from oneflow_ai.stores.tables import ledger_accounts, ledger_budgets, ledger_slices, ledger_transfers

CREDIT = "credit"
SPENT = "spent"
SLICE_HOLDS_LEAST = 200
"""A slice is booked only while so many holds of this size are left; below it each call books what it needs."""

SLICE_SHARE = 50
"""A slice is the 50th part of what is left."""

_account = ledger_accounts.c
_slice = ledger_slices.c
# Made once: making a statement costs more than running it.
_NEW_TRANSFER = insert(ledger_transfers).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands, in nano-USD."""

    limit_nanos: int = 0
    posted_nanos: int = 0
    held_nanos: int = 0

    @property
    def left_nanos(self) -> int:
        """What may still be booked of it; below 0 where the limit was lowered under what is spent."""
        return self.limit_nanos - self.posted_nanos - self.held_nanos


@dataclass(frozen=True, slots=True)
class Posting:
    """What one attempt cost, to be put on these accounts."""

    id: str
    nanos: int
    accounts: tuple[str, ...]
    at: int


class Short(Exception):
    """An account has not enough left."""

    def __init__(self, line: Line, left_nanos: int) -> None:
        super().__init__(line.account)
        self.line = line
        self.left_nanos = left_nanos


def standing(connection: Connection, account: str) -> Standing | None:
    """How an account stands; None for one that was never opened."""
    columns = _account.limit_nanos, _account.posted_nanos, _account.held_nanos
    row = connection.execute(select(*columns).where(_account.id == account)).one_or_none()
    return None if row is None else Standing(*row)


def book(
    connection: Connection, holder: str, needs: Sequence[tuple[Line, int]], hold_nanos: int, until: int
) -> list[int]:
    """Book of every account what is needed, and a slice more where plenty is left; gives what was booked of each.

    Raises `Short` where one has not enough; whoever runs the transaction must then undo it whole.
    """
    booked = []
    for line, need in needs:
        if line.limit_nanos is not None:
            limit = {"limit_nanos": line.limit_nanos}
            new = insert(ledger_accounts).values(id=line.account, **limit)
            connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=limit))
        left = (standing(connection, line.account) or Standing()).left_nanos
        if left < need:
            raise Short(line, left)
        nanos = max(need, left // SLICE_SHARE if left >= SLICE_HOLDS_LEAST * hold_nanos else 0)
        connection.execute(
            update(ledger_accounts).where(_account.id == line.account).values(held_nanos=_account.held_nanos + nanos)
        )
        new = insert(ledger_slices).values(holder=holder, account=line.account, nanos=nanos, until=until)
        more = {"nanos": _slice.nanos + nanos, "until": until}
        connection.execute(new.on_conflict_do_update(index_elements=["holder", "account"], set_=more))
        booked.append(nanos)
    return booked


def post(connection: Connection, holder: str, postings: Iterable[Posting]) -> int:
    """Put what attempts cost on their accounts, each attempt once; gives what nobody can be charged for."""
    spent: Counter[str] = Counter()
    for posting in postings:
        for account in posting.accounts:
            moved = {"source": account, "destination": SPENT, "nanos": posting.nanos, "at": posting.at}
            if connection.execute(_NEW_TRANSFER, {"id": posting.id, **moved}).rowcount:
                spent[account] += posting.nanos
    return sum(_charge(connection, holder, account, nanos) for account, nanos in spent.items())


def _charge(connection: Connection, holder: str, account: str, nanos: int) -> int:
    """Turn what was booked into what was spent; of what is no longer booked, as much as is left. Gives the rest."""
    chosen = update(ledger_accounts).where(_account.id == account)
    if _take(connection, holder, account, nanos):
        connection.execute(
            chosen.values(held_nanos=_account.held_nanos - nanos, posted_nanos=_account.posted_nanos + nanos)
        )
        return 0
    now = standing(connection, account) or Standing()
    charged = min(nanos, max(now.left_nanos, 0))
    connection.execute(chosen.values(posted_nanos=_account.posted_nanos + charged))
    _add(connection, OVERRUN, "posted_nanos", nanos - charged)
    return nanos - charged


def give_back(connection: Connection, holder: str, amounts: Mapping[str, int]) -> None:
    """Return what was booked and is not needed."""
    for account, nanos in amounts.items():
        if _take(connection, holder, account, nanos):
            _release(connection, account, nanos)


def _take(connection: Connection, holder: str, account: str, nanos: int) -> bool:
    mine = _slice.holder == holder, _slice.account == account
    changed = update(ledger_slices).where(*mine, _slice.nanos >= nanos).values(nanos=_slice.nanos - nanos)
    if not connection.execute(changed).rowcount:
        return False
    connection.execute(delete(ledger_slices).where(*mine, _slice.nanos == 0))
    return True


def _release(connection: Connection, account: str, nanos: int) -> None:
    chosen = update(ledger_accounts).where(_account.id == account)
    connection.execute(chosen.values(held_nanos=_account.held_nanos - nanos))


def renew(connection: Connection, holder: str, until: int) -> frozenset[str]:
    """Keep what this process has booked for longer; gives the accounts of which it still has something."""
    mine = _slice.holder == holder
    connection.execute(update(ledger_slices).where(mine).values(until=until))
    return frozenset(connection.execute(select(_slice.account).where(mine)).scalars())


def overdue(connection: Connection, now: int) -> bool:
    """Whether the lease of something has ended."""
    return connection.execute(select(_slice.holder).where(_slice.until < now).limit(1)).first() is not None


def sweep(connection: Connection, now: int, gone: Iterable[str]) -> int:
    """Free what is booked by processes that are gone, or whose lease has ended; gives how much that was."""
    stale = select(ledger_slices).where((_slice.until < now) | _slice.holder.in_(tuple(gone)))
    freed = 0
    for row in connection.execute(stale).all():
        _release(connection, row.account, row.nanos)
        connection.execute(delete(ledger_slices).where(_slice.holder == row.holder, _slice.account == row.account))
        freed += row.nanos
    return freed


def holders(connection: Connection) -> list[str]:
    """The processes that have booked something."""
    return list(connection.execute(select(_slice.holder).distinct()).scalars())


def credit(connection: Connection, credit_id: str, account: str, nanos: int, at: int) -> bool:
    """Add prepaid credit, once for each id; gives whether it was new."""
    moved = {"source": CREDIT, "destination": account, "nanos": nanos, "at": at}
    if not connection.execute(_NEW_TRANSFER, {"id": credit_id, **moved}).rowcount:
        return False
    _add(connection, account, "limit_nanos", nanos)
    return True


def _add(connection: Connection, account: str, column: str, nanos: int) -> None:
    new = insert(ledger_accounts).values({"id": account, column: nanos})
    more = {column: _account[column] + nanos}
    connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=more))


def set_budget(connection: Connection, budget: Budget) -> None:
    """Keep a budget, in place of the one of its scope and period."""
    limit = {"limit_nanos": budget.limit_nanos}
    new = insert(ledger_budgets).values(scope=budget.scope, period=budget.period.value, **limit)
    connection.execute(new.on_conflict_do_update(index_elements=["scope", "period"], set_=limit))


def remove_budget(connection: Connection, scope: str, period: Period) -> bool:
    """Take a budget away; gives whether there was one. What was spent under it stays on record."""
    chosen = ledger_budgets.c.scope == scope, ledger_budgets.c.period == period.value
    return connection.execute(delete(ledger_budgets).where(*chosen)).rowcount > 0


def defined(connection: Connection) -> tuple[tuple[Budget, ...], frozenset[str]]:
    """The budgets that are kept, and the accounts of all wallets."""
    rows = connection.execute(select(ledger_budgets).order_by(ledger_budgets.c.scope, ledger_budgets.c.period))
    budgets = tuple(Budget(row.scope, Period(row.period), row.limit_nanos) for row in rows)
    wallets = connection.execute(select(_account.id).where(_account.id.startswith(WALLET))).scalars()
    return budgets, frozenset(wallets)
