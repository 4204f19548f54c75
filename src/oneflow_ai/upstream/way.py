"""One way out to providers: what it trusts, what it goes through, where it may lead, how much it may open."""

from __future__ import annotations

from dataclasses import dataclass, field

from oneflow_ai.upstream.resolve import Resolver
from oneflow_ai.upstream.system_names import SystemNames

UNREADABLE = "a file of the request can no longer be read"


@dataclass(frozen=True, slots=True)
class Way:
    """One way out: the certificates it trusts (None: the system's), the HTTP proxy it takes, its most connections.

    An answer's head may take `head_seconds` from its first byte. `private` says whether its host may have a private
    address; None leaves that to the name. Certificates are always checked: nothing here turns that off.
    """

    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    connections_most: int = 512
    head_seconds: float = 10.0
    private: bool | None = None
    resolver: Resolver = field(default_factory=SystemNames, compare=False, repr=False)
