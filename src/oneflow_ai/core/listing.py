"""What a provider says that it has: its own list of models, as far as it tells more than their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of a provider's list; what the list does not tell is None.

    `ends` is the UTC day from which the provider refuses it, `gone` says that it does so already.
    """

    id: str
    context_window_tokens: int | None = None
    output_most_tokens: int | None = None
    ends: date | None = None
    gone: bool = False

    def ended(self, on: date) -> bool:
        """Whether the provider refuses it on that UTC day, by its own word."""
        return self.gone or (self.ends is not None and on >= self.ends)


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of the provider at an address, as it was at a moment (UTC)."""

    base_url: str
    at: datetime
    models: Mapping[str, Listed] = field(default_factory=dict)
