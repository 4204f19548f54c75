"""A connection that cannot be opened for want of files or memory: no provider is to blame for that."""

from __future__ import annotations

import ssl

from oneflow_ai.core.exhausted import EXHAUSTED
from oneflow_ai.core.failure import OVERLOADED, Failure


def crowded(error: BaseException) -> Failure | None:
    """The failure that this error is, where it tells of such a want; None for any other."""
    # The numbers of TLS's own errors are none of the system's.
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError) or error.errno not in EXHAUSTED:
        return None
    return Failure(OVERLOADED, "the gateway has no room for another connection to a provider; try again")
