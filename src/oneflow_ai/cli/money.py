"""`oneflow budget` and `oneflow wallet`: what calls may cost, and prepaid credit, in the local database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.output import Column, note, say, say_json, say_table
from oneflow_ai.cli.spread import Common
from oneflow_ai.core.money import nanos_from_usd, usd_float, usd_text

if TYPE_CHECKING:
    from oneflow_ai.settings import Loaded
    from oneflow_ai.stores.ledger import Ledger
    from oneflow_ai.stores.ledger_book import Standing
    from oneflow_ai.stores.ledger_budgets import Budget, Period

T = TypeVar("T")

USD_MOST = 1_000_000_000
Scope = Annotated[
    str, typer.Argument(metavar="SCOPE", help="`all`, `provider:NAME`, `key:ID` or `key:ID provider:NAME`.")
]
Length = Annotated[str, typer.Argument(metavar="PERIOD", help="`daily`, `weekly`, `monthly` or `total`.")]
Amount = Annotated[str, typer.Argument(metavar="USD", help="US dollars.")]


@dataclass(frozen=True, slots=True)
class WalletOptions(Common):
    """What the verbs of a wallet take."""

    key: Annotated[
        str | None, typer.Option("--key", metavar="ID", help="A key's own wallet; left out: everybody's.")
    ] = None


@dataclass(frozen=True, slots=True)
class CreditOptions(WalletOptions):
    """What `wallet add` takes beside the amount."""

    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Of your own choice: the same is added only once.")
    ] = None


def budgets(context: typer.Context, options: Common) -> None:
    """List the budgets, and how they stand; or set one, or take one away."""
    if context.invoked_subcommand is not None:
        return
    found = _with_ledger(options, _standings)
    if options.as_json:
        say_json([_shown(budget, standing) for budget, standing in found])
    elif not found:
        note("nothing is limited: `oneflow budget set all daily 10` sets a budget")
    else:
        columns = (
            Column("scope", fold=True),
            Column("period"),
            Column("limit", right=True),
            Column("spent", right=True),
            Column("held", right=True),
            Column("left", right=True),
        )
        say_table(columns, [_cells(budget, standing) for budget, standing in found])


def set_budget(scope: Scope, period: Length, usd: Amount, options: Common) -> None:
    """Set a budget, or change it.

    Running servers keep to it within a second or two.
    """
    from oneflow_ai.stores.ledger_budgets import Budget

    nanos = _nanos(usd, "budget set")
    try:
        budget = Budget(scope, _period(period, "budget set"), nanos)
        _with_ledger(options, lambda ledger: ledger.set_budget(budget))
    except ValueError as error:
        raise misuse(f"oneflow budget set: {error}") from None
    if options.as_json:
        say_json({"scope": scope, "period": period, "limit_usd": usd_float(nanos)})
    else:
        say(f"{budget.name}: at most ${usd_text(nanos)}")


def remove_budget(scope: Scope, period: Length, options: Common) -> None:
    """Take a budget away."""
    length = _period(period, "budget remove")

    async def removed(ledger: Ledger) -> bool:
        return await ledger.remove_budget(scope, length)

    try:
        found = _with_ledger(options, removed, configured=False)
    except ValueError as error:
        raise misuse(f"oneflow budget remove: {error}") from None
    if not found:
        raise Refused("oneflow budget remove: there is no such budget; `oneflow budget` shows them")
    if options.as_json:
        say_json({"scope": scope, "period": period, "limit_usd": None})
    else:
        say(f"{scope} {period}: no budget")


def wallet(context: typer.Context, options: WalletOptions) -> None:
    """Show prepaid credit; or add some."""
    if context.invoked_subcommand is None:
        _say_wallet(options, _with_ledger(options, lambda ledger: ledger.wallet_standing(options.key)))


def add_credit(usd: Amount, options: CreditOptions) -> None:
    """Add prepaid credit.

    From the first on, calls are refused that may cost more than is left.
    """
    nanos = _nanos(usd, "wallet add")
    if not nanos:
        raise misuse("oneflow wallet add: give an amount above 0")

    async def added(ledger: Ledger) -> Standing | None:
        from os import urandom

        await ledger.add_credit(f"credit {options.id or urandom(12).hex()}", options.key, nanos)
        return await ledger.wallet_standing(options.key)

    _say_wallet(options, _with_ledger(options, added, key_id=options.key))


def _say_wallet(options: WalletOptions, standing: Standing | None) -> None:
    if options.as_json:
        balance = 0 if standing is None else standing.limit_nanos - standing.posted_nanos
        say_json(
            {
                "key_id": options.key,
                "prepaid": standing is not None,
                "credited_usd": usd_float(standing.limit_nanos if standing else 0),
                "spent_usd": usd_float(standing.posted_nanos if standing else 0),
                "held_usd": usd_float(standing.held_nanos if standing else 0),
                "balance_usd": usd_float(balance),
            }
        )
    elif standing is None:
        note("no credit was ever added, so none limits calls: `oneflow wallet add 25` adds some")
    else:
        spent, credited = usd_text(standing.posted_nanos), usd_text(standing.limit_nanos)
        say(f"${usd_text(standing.limit_nanos - standing.posted_nanos)} left of ${credited}; spent ${spent}")


def _with_ledger(
    options: Common, use: Callable[[Ledger], Awaitable[T]], *, key_id: str | None = None, configured: bool = True
) -> T:
    from oneflow_ai.cli.configured import load_settings

    return asyncio.run(_used(load_settings(options.config, vault=None), use, key_id, configured))


async def _used(loaded: Loaded, use: Callable[[Ledger], Awaitable[T]], key_id: str | None, configured: bool) -> T:
    from oneflow_ai.app.clock import SystemClock
    from oneflow_ai.app.money import configured_budgets
    from oneflow_ai.settings import database_path
    from oneflow_ai.stores.keys import key_was_made
    from oneflow_ai.stores.ledger import Ledger
    from oneflow_ai.stores.sqlite import Database

    database = await Database.open(database_path(loaded))
    try:
        if key_id is not None and not await key_was_made(database, key_id):
            raise Refused("oneflow wallet add: there is no key of this id; `oneflow tokens list` shows them")
        ledger = Ledger(database, SystemClock())
        await ledger.open(configured_budgets(loaded) if configured else ())
        return await use(ledger)
    finally:
        await database.close()


async def _standings(ledger: Ledger) -> list[tuple[Budget, Standing]]:
    return [(budget, await ledger.budget_standing(budget)) for budget in ledger.budgets]


def _nanos(text: str, verb: str) -> int:
    try:
        nanos = nanos_from_usd(text)
    except ValueError as error:
        raise misuse(f"oneflow {verb}: {error}") from None
    if not 0 <= nanos <= nanos_from_usd(USD_MOST):
        raise misuse(f"oneflow {verb}: an amount is from 0 to {USD_MOST:,} US dollars")
    return nanos


def _period(text: str, verb: str) -> Period:
    from oneflow_ai.stores.ledger_budgets import Period

    try:
        return Period(text)
    except ValueError:
        raise misuse(f"oneflow {verb}: a period is {', '.join(Period)}") from None


def _shown(budget: Budget, standing: Standing) -> dict[str, Any]:
    from oneflow_ai.stores.ledger_budgets import ends_at

    end = ends_at(budget.period, _now())
    return {
        "scope": budget.scope,
        "period": budget.period.value,
        "limit_usd": usd_float(standing.limit_nanos),
        "spent_usd": usd_float(standing.posted_nanos),
        "held_usd": usd_float(standing.held_nanos),
        "left_usd": usd_float(max(standing.left_nanos, 0)),
        "ends_at": None if end is None else end.isoformat().replace("+00:00", "Z"),
    }


def _now() -> datetime:
    from oneflow_ai.app.clock import SystemClock

    return SystemClock().utc()


def _cells(budget: Budget, standing: Standing) -> tuple[str, ...]:
    amounts = standing.limit_nanos, standing.posted_nanos, standing.held_nanos, max(standing.left_nanos, 0)
    return budget.scope, budget.period.value, *(f"${usd_text(nanos)}" for nanos in amounts)
