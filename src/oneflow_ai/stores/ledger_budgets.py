"""Budgets and wallets by name: which accounts a call draws on, and when a budget begins anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

EVERYBODY = "all"
PROVIDER = "provider:"
KEY = "key:"
WALLET = "wallet"
OVERRUN = "overrun"
"""The operator's account: what a call cost beyond what its owner can be charged."""

_DECEMBER = 12


class Period(StrEnum):
    """How long a budget lasts before it begins anew: days, weeks from Monday, and months, in UTC; `total` never."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that calls may cost in a period: all of them, those of a provider or a key, or a key's at a provider.

    `scope` is `all`, `provider:NAME`, `key:ID` or `key:ID provider:NAME`. Raises `ValueError` for another, and for a
    limit below 0.
    """

    scope: str
    period: Period
    limit_nanos: int

    def __post_init__(self) -> None:
        kind, colon, name = self.scope.partition(":")
        if self.scope != EVERYBODY and not (f"{kind}{colon}" in (PROVIDER, KEY) and name and name.isprintable()):
            raise ValueError(f"the scope of a budget is {EVERYBODY}, {PROVIDER}NAME or {KEY}ID")
        if self.limit_nanos < 0:
            raise ValueError("a budget cannot be below 0")

    @property
    def name(self) -> str:
        """What people call it: `all daily`."""
        return f"{self.scope} {self.period}"

    def account(self, at: datetime) -> str:
        """The account that its period, the one of this moment, is kept on."""
        begun = begins_at(self.period, at)
        return f"budget {self.name}" if begun is None else f"budget {self.name} {begun.date().isoformat()}"


def begins_at(period: Period, at: datetime) -> datetime | None:
    """When the period of a moment began; None for one without an end."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case Period.DAILY:
            return day
        case Period.WEEKLY:
            return day - timedelta(days=day.weekday())
        case Period.MONTHLY:
            return day.replace(day=1)
        case Period.TOTAL:
            return None


def ends_at(period: Period, at: datetime) -> datetime | None:
    """When the next period begins; None for one without an end."""
    begun = begins_at(period, at)
    if begun is None:
        return None
    if period is Period.MONTHLY:
        return begun.replace(year=begun.year + begun.month // _DECEMBER, month=begun.month % _DECEMBER + 1)
    return begun + timedelta(days=1 if period is Period.DAILY else 7)


def wallet_account(key_id: str | None) -> str:
    """The account of a key's prepaid credit, or of everybody's."""
    return WALLET if key_id is None else f"{WALLET} {KEY}{key_id}"


@dataclass(frozen=True, slots=True)
class Line:
    """One account that a call draws on; `limit_nanos` is what its budget says, None where the account itself does."""

    account: str
    limit_nanos: int | None
    budget: Budget | None


def lines_of(
    budgets: Collection[Budget], wallets: Collection[str], key_id: str, provider: str, at: datetime
) -> Iterator[Line]:
    """The accounts that a call of this key at this provider draws on."""
    scopes = (EVERYBODY, f"{KEY}{key_id}", f"{PROVIDER}{provider}", f"{KEY}{key_id} {PROVIDER}{provider}")
    for budget in budgets:
        if budget.scope in scopes:
            yield Line(budget.account(at), budget.limit_nanos, budget)
    for account in (wallet_account(None), wallet_account(key_id)):
        if account in wallets:
            yield Line(account, None, None)
