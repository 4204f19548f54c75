"""What is known of a model beside its price, as the table of facts (models.toml) states it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from oneflow_ai.core.call import Task


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model: its limits in tokens (of one answer; of one picture for picture models), its tasks, its end.

    `shutdown` is the UTC day from which the provider refuses it; `gone` says that it does so since an unknown day.
    `successor` is the model of the same provider that does the same task in its place.
    """

    id: str
    context_window_tokens: int | None = None
    output_most_tokens: int | None = None
    shutdown: date | None = None
    gone: bool = False
    successor: str | None = None
    tasks: tuple[Task, ...] = ()

    def ended(self, on: date) -> bool:
        """Whether the provider refuses it on that UTC day."""
        return self.gone or (self.shutdown is not None and on >= self.shutdown)


@dataclass(frozen=True, slots=True)
class Facts:
    """The table of facts. Names in it are exact or patterns with `*`; the first that fits counts."""

    snapshot: Mapping[str, str]
    tasks: Mapping[str, list[str]]
    defaults: Mapping[str, Mapping[str, str]]
    unserved: Mapping[str, list[str]]
    output_most: Mapping[str, Mapping[str, int]]
    context: Mapping[str, Mapping[str, int]]
    ends: Mapping[str, Mapping[str, Mapping[str, Any]]]
    reasoning: Mapping[str, list[str]]

    def served(self, provider: str, model: str) -> bool:
        """Whether the provider serves the model itself, though a reseller's price may stand under its name."""
        return not any(fnmatchcase(model, pattern) for pattern in self.unserved.get(provider, ()))

    def listed(self, provider: str) -> Iterable[str]:
        """The exact names that the table has for a provider."""
        named = [*self.ends.get(provider, ()), *(_default_models(self.defaults.get(provider, {})))]
        return (name for name in named if "*" not in name)

    def of(self, provider: str, model: str, context_window_tokens: int | None) -> ModelFacts:
        """The facts of a model; what the table does not state is None."""
        end = _first(self.ends.get(provider, {}), model) or {}
        return ModelFacts(
            id=model,
            context_window_tokens=_first(self.context.get(provider, {}), model) or context_window_tokens,
            output_most_tokens=_first(self.output_most.get(provider, {}), model),
            shutdown=end.get("shutdown"),
            gone=end.get("gone", False),
            successor=end.get("successor"),
            tasks=self.tasks_of(model),
        )

    def ended(self, provider: str, model: str, on: date) -> bool:
        """Whether the provider refuses a model on that UTC day."""
        end = _first(self.ends.get(provider, {}), model) or {}
        return ModelFacts(model, shutdown=end.get("shutdown"), gone=end.get("gone", False)).ended(on)

    def reasons(self, model: str) -> bool:
        """Whether a model reasons before it answers, whoever serves it."""
        name = model.rpartition("/")[2]
        return any(fnmatchcase(name, pattern) for pattern in self.reasoning["models"])

    def tasks_of(self, model: str) -> tuple[Task, ...]:
        """What a model is for, by its name alone."""
        for task, patterns in self.tasks.items():
            if any(fnmatchcase(model, pattern) for pattern in patterns):
                return () if task == "none" else (Task(task),)
        return (Task.TEXT,)


def _default_models(defaults: Mapping[str, str]) -> list[str]:
    return [model for task, model in defaults.items() if task != "voice"]


def _first(table: Mapping[str, Any], model: str) -> Any:
    return next((value for pattern, value in table.items() if fnmatchcase(model, pattern)), None)
