"""One key of a provider as it is kept: the secret, since when, and until when it is used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from oneflow_ai.core.target import Secret


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A provider's key, which never prints.

    `added_at` is when it was added, or a moment at which it was there already; None where nobody knows. `ends_at` is
    the moment from which it is not used, None for a key that nobody replaced. `origin` is the scheme, host and port
    that alone it may be sent to; None where no place binds it. `row_id` names it in the vault.
    """

    secret: Secret
    added_at: datetime | None = None
    ends_at: datetime | None = None
    origin: str | None = None
    row_id: str = ""

    def ended(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.ends_at is not None and self.ends_at <= now

    def until(self, moment: datetime) -> KeptKey:
        """The key as it ends at that moment, unless it does so sooner."""
        return self if self.ends_at is not None and self.ends_at <= moment else replace(self, ends_at=moment)
