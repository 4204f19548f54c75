"""One way out to providers: what it trusts, what it goes through, how much it may open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """One way out: the certificates it trusts (None: the system's), the HTTP proxy it takes, its most connections.

    An answer's head may take `head_seconds` from its first byte.
    """

    ca_file: str | None = None
    proxy: str | None = None
    connections_most: int = 512
    head_seconds: float = 10.0
