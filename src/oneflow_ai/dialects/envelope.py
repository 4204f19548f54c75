"""What is known of a request before its body is read."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime

from oneflow_ai.core.call import Account, Operation
from oneflow_ai.core.value import value

MODEL_CHARACTERS_MOST = 256
USER_CHARACTERS_MOST = 256
TAGS_MOST = 32


@value
class Envelope:
    """Who asks, for which operation, since when and until when; times and headers as in `Call`.

    `path` and `query` are those of the address, as they were sent.
    """

    id: str
    account: Account
    operation: Operation
    received: datetime
    started_seconds: float
    deadline_seconds: float
    tags: tuple[str, ...] = ()
    client_id: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    owner: bytes = field(default=b"", repr=False)
    path: bytes = b""
    query: bytes = field(default=b"", repr=False)
