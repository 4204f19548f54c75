"""Budgets and prepaid credit over HTTP: how they stand, set and taken away, and credit added once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.ports import ControlPorts, Ports
from oneflow_ai.control.shapes import NAME_CHARACTERS_MOST, Asked, Moment, Name, Shown
from oneflow_ai.core.failure import INVALID_VALUE, NOT_FOUND, Failure
from oneflow_ai.core.money import nanos_from_usd, usd_float
from oneflow_ai.stores.ledger_budgets import EVERYBODY, Budget, Period, ends_at

USD_MOST = 1_000_000_000
Usd = Annotated[float, Field(strict=True, ge=0, le=USD_MOST, allow_inf_nan=False)]

_BUDGET: dict[str, Any] = {
    "scope": "all",
    "period": "daily",
    "limit_usd": 10.0,
    "spent_usd": 1.25,
    "held_usd": 0.02,
    "left_usd": 8.73,
    "ends_at": "2026-11-27T00:00:00Z",
    "source": "database",
}
_WALLET: dict[str, Any] = {
    "key_id": None,
    "prepaid": True,
    "credited_usd": 100.0,
    "spent_usd": 12.5,
    "held_usd": 0.02,
    "balance_usd": 87.5,
}


class BudgetShown(Shown):
    """A budget in its present period. `held_usd` is what calls under way may cost at most, and other processes booked.

    `source` is where it is set: `configuration` or `database`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_BUDGET]})

    scope: str
    period: Period
    limit_usd: float
    spent_usd: float
    held_usd: float
    left_usd: float
    ends_at: Moment | None
    source: str


class BudgetsShown(Shown):
    """Every budget in force."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"budgets": [_BUDGET]}]})

    budgets: list[BudgetShown]


class BudgetAsked(Asked):
    """A budget to set, or to take away (`limit_usd` null)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"scope": "provider:acme", "period": "monthly", "limit_usd": 50}]}
    )

    scope: str = Field(
        EVERYBODY,
        max_length=NAME_CHARACTERS_MOST,
        description="Whose calls: `all`, `provider:NAME`, `key:ID` or `key:ID provider:NAME`.",
    )
    period: Period = Field(description="`daily`, `weekly` (from Monday), `monthly`, in UTC, or `total`.")
    limit_usd: Usd | None = Field(description="The most that they may cost, in US dollars; null: no budget.")


class WalletShown(Shown):
    """Prepaid credit of everybody together, or of one key. `prepaid` is false where none was ever added: no limit.

    `balance_usd` is what is not spent; of that, `held_usd` is held by calls under way.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_WALLET]})

    key_id: str | None
    prepaid: bool
    credited_usd: float
    spent_usd: float
    held_usd: float
    balance_usd: float


class CreditAsked(Asked):
    """Credit to add. With an `id` of your own it is added once, however often you send it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount_usd": 25, "id": "invoice-1024"}]})

    amount_usd: Usd = Field(description="US dollars, above 0; 1 credit is 1 US dollar.")
    key_id: Name | None = Field(None, description="Whose; left out: everybody's together.")
    id: Name | None = Field(None, description="Of your own choice, for example of the payment.")


@needs(Role.VIEWER)
async def budgets(ports: Ports) -> BudgetsShown:
    """The budgets in force, and how they stand."""
    return await _shown(ports)


@needs(Role.ADMINISTRATOR)
async def set_budget(ports: Ports, asked: BudgetAsked) -> BudgetsShown:
    """Set a budget, change it, or take it away. It counts what calls cost from then on."""
    ledger = ports.running.ledger
    try:
        if asked.limit_usd is None:
            await ledger.remove_budget(asked.scope, asked.period)
        else:
            await ledger.set_budget(Budget(asked.scope, asked.period, _nanos(asked.limit_usd, "limit_usd")))
    except ValueError as error:
        raise Failure(INVALID_VALUE, f"scope: {error}", param="scope") from None
    return await _shown(ports)


@needs(Role.VIEWER)
async def wallet(
    ports: Ports, key_id: Annotated[Name | None, Query(description="Whose; left out: everybody's.")] = None
) -> WalletShown:
    """Prepaid credit: how much was added, spent, and is left."""
    return await _wallet(ports, key_id)


@needs(Role.ADMINISTRATOR)
async def add_credit(ports: Ports, asked: CreditAsked) -> WalletShown:
    """Add prepaid credit. From the first credit on, calls are refused that may cost more than is left."""
    nanos = _nanos(asked.amount_usd, "amount_usd")
    if not nanos:
        raise Failure(INVALID_VALUE, "amount_usd: give an amount above 0", param="amount_usd")
    if asked.key_id is not None and not await ports.keys.has(asked.key_id):
        raise Failure(NOT_FOUND, "there is no key of this id", param="key_id")
    credit_id = f"credit {asked.id}" if asked.id is not None else ports.running.new_id("credit")
    await ports.running.ledger.add_credit(credit_id, asked.key_id, nanos)
    return await _wallet(ports, asked.key_id)


def add_routes(router: APIRouter) -> None:
    """Add these endpoints."""
    router.get("/api/budget", tags=["money"])(budgets)
    router.put("/api/budget", tags=["money"])(set_budget)
    router.get("/api/wallet", tags=["money"])(wallet)
    router.post("/api/credits/add", tags=["money"])(add_credit)


def _nanos(amount_usd: float, param: str) -> int:
    try:
        return nanos_from_usd(amount_usd)
    except ValueError:
        raise Failure(INVALID_VALUE, f"{param}: give at most 9 decimals", param=param) from None


async def _shown(ports: ControlPorts) -> BudgetsShown:
    ledger, now = ports.running.ledger, ports.running.clock.utc()
    shown = []
    for budget in ledger.budgets:
        standing = await ledger.budget_standing(budget)
        shown.append(
            BudgetShown(
                scope=budget.scope,
                period=budget.period,
                limit_usd=usd_float(standing.limit_nanos),
                spent_usd=usd_float(standing.posted_nanos),
                held_usd=usd_float(standing.held_nanos),
                left_usd=usd_float(max(standing.left_nanos, 0)),
                ends_at=ends_at(budget.period, now),
                source="configuration" if budget in ledger.file_budgets else "database",
            )
        )
    return BudgetsShown(budgets=shown)


async def _wallet(ports: ControlPorts, key_id: str | None) -> WalletShown:
    standing = await ports.running.ledger.wallet_standing(key_id)
    if standing is None:
        return WalletShown(key_id=key_id, prepaid=False, credited_usd=0, spent_usd=0, held_usd=0, balance_usd=0)
    return WalletShown(
        key_id=key_id,
        prepaid=True,
        credited_usd=usd_float(standing.limit_nanos),
        spent_usd=usd_float(standing.posted_nanos),
        held_usd=usd_float(standing.held_nanos),
        balance_usd=usd_float(standing.limit_nanos - standing.posted_nanos),
    )
