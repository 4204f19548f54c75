"""The budgets that a configuration sets, as the ledger takes them."""

from __future__ import annotations

from collections.abc import Iterator

from oneflow_ai.core.money import nanos_from_usd
from oneflow_ai.settings import Loaded, configured_providers
from oneflow_ai.stores.ledger_budgets import EVERYBODY, PROVIDER, Budget, Period


def configured_budgets(loaded: Loaded) -> tuple[Budget, ...]:
    """Every budget of the configuration."""
    return tuple(_budgets(loaded))


def _budgets(loaded: Loaded) -> Iterator[Budget]:
    yield from _of(EVERYBODY, loaded.settings.budgets, "")
    for name, table in configured_providers(loaded).items():
        yield from _of(f"{PROVIDER}{name}", table, "budget_")


def _of(scope: str, table: object, prefix: str) -> Iterator[Budget]:
    for period in Period:
        if limit_usd := getattr(table, f"{prefix}{period}_usd"):
            yield Budget(scope, period, nanos_from_usd(limit_usd))
