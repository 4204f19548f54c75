"""What a provider says that it has: its own list of models, as far as it tells more than their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

ABILITIES = ("reasoning", "vision", "pdf", "tools", "structured_output", "prompt_cache")
"""What a model can do beside its tasks, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of a provider's list; what the list does not tell is None.

    `ends` is the UTC day from which the provider refuses it, `gone` says that it does so already. `able` names, of
    `ABILITIES`, what it can do; what is not there is not known, or cannot be done.
    """

    id: str
    context_window_tokens: int | None = None
    output_most_tokens: int | None = None
    ends: date | None = None
    gone: bool = False
    able: tuple[str, ...] = ()

    def ended(self, on: date) -> bool:
        """Whether the provider refuses it on that UTC day, by its own word."""
        return self.gone or (self.ends is not None and on >= self.ends)


@dataclass(frozen=True, slots=True)
class Shown:
    """A model or a route as clients are shown it; what is not known, or differs within a route, is None.

    `capabilities` are its tasks, and of `ABILITIES` those that it is known to have. Prices are nano-USD per million
    tokens of a short prompt. `ends` is the UTC day from which its provider refuses it.
    """

    id: str
    owner: str
    capabilities: tuple[str, ...] = ()
    context_window_tokens: int | None = None
    output_most_tokens: int | None = None
    input_nanos: int | None = None
    output_nanos: int | None = None
    ends: date | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of the provider at an address, as it was at a moment (UTC)."""

    base_url: str
    at: datetime
    models: Mapping[str, Listed] = field(default_factory=dict)
