"""The catalogue, read from the files of this package: the one answer to what a model costs and what it can do."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

from oneflow_ai.catalog.compile import row_price, supplement_price
from oneflow_ai.catalog.facts import Facts, ModelFacts
from oneflow_ai.catalog.snapshot import Header, PriceSnapshot, exact_names, find_row, read_snapshot
from oneflow_ai.core.call import Task
from oneflow_ai.core.price import Price


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is known of models, by provider id (the names of providers/table.py) and model id.

    Prices come from the supplement, else from the snapshot; an operator's own price comes before both, and is not here.
    """

    snapshot: PriceSnapshot
    supplement: Mapping[str, tuple[tuple[str, Price], ...]]
    facts: Facts

    @property
    def source(self) -> Header:
        """Where the snapshot comes from."""
        return self.snapshot.header

    def price(self, provider_id: str, model: str) -> Price | None:
        """The price of a model, or None when no source knows one: then a call to it is to be refused."""
        for pattern, price in self.supplement.get(provider_id, ()):
            if model == pattern or (pattern.endswith("*") and model.startswith(pattern[:-1])):
                return price
        found = find_row(self.snapshot.providers, self._rows_id(provider_id), model)
        return row_price(found[0], tiers=found[1]) if found is not None else None

    def model(self, provider_id: str, model: str) -> ModelFacts | None:
        """The facts of a model, or None when nothing is known of it."""
        found = find_row(self.snapshot.providers, self._rows_id(provider_id), model)
        facts = self.facts.of(provider_id, model, found[0].context_window_tokens if found is not None else None)
        known = found is not None or facts.gone or facts.shutdown is not None or model in self._own(provider_id)
        return facts if known else None

    def models(self, provider_id: str) -> tuple[str, ...]:
        """The ids of a provider's models, in order: those that have ended too, for their successors' sake."""
        rows = self.snapshot.providers.get(self._rows_id(provider_id))
        names = {name for row in rows.models for name in exact_names(row)} if rows is not None else set()
        names.update(self._own(provider_id))
        return tuple(sorted(name for name in names if self.facts.served(provider_id, name)))

    def ended(self, provider_id: str, model: str, on: date) -> bool:
        """Whether a provider refuses a model on that UTC day: the quick part of `model`."""
        return self.facts.ended(provider_id, model, on)

    def tasks(self, model: str) -> tuple[Task, ...]:
        """What a model is for, by its name: the quick part of `model`; none where it is for nothing served here."""
        return self.facts.tasks_of(model)

    def reasons(self, model: str) -> bool:
        """Whether a model reasons before it answers."""
        return self.facts.reasons(model)

    def default_model(self, provider_id: str, task: Task) -> str | None:
        """The model used when a caller names only the task; None where the provider has none for it."""
        return self.facts.defaults.get(provider_id, {}).get(task.value)

    def default_voice(self, provider_id: str) -> str | None:
        """The voice that speaks when a caller names none; None for a provider that does not speak."""
        return self.facts.defaults.get(provider_id, {}).get("voice")

    def _rows_id(self, provider_id: str) -> str:
        return self.facts.snapshot.get(provider_id, provider_id)

    def _own(self, provider_id: str) -> Iterator[str]:
        yield from (name for name, _ in self.supplement.get(provider_id, ()) if not name.endswith("*"))
        yield from self.facts.listed(provider_id)


def load_catalog() -> Catalog:
    """The catalogue of this installation, read anew (about 10 ms). Raises `ValueError` for a bad row."""
    tables = _toml("models.toml")
    return Catalog(
        snapshot=read_snapshot(files(__package__).joinpath("prices.json").read_bytes()),
        supplement=_supplement(_toml("supplement.toml")["price"]),
        facts=Facts(**tables),
    )


def _supplement(rows: list[dict[str, Any]]) -> dict[str, tuple[tuple[str, Price], ...]]:
    found: dict[str, list[tuple[str, Price]]] = {}
    for row in rows:
        price = supplement_price(row)
        found.setdefault(row["provider"], []).extend((model, price) for model in row["models"])
    return {provider: tuple(prices) for provider, prices in found.items()}


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"), parse_float=Decimal)
