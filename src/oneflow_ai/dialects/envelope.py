"""What is known of a request before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack

from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.form import Form
from oneflow_ai.core.media import Media
from oneflow_ai.core.order import Order
from oneflow_ai.core.prompt import Prompt
from oneflow_ai.core.value import value

MODEL_CHARACTERS_MOST = 256
USER_CHARACTERS_MOST = 256
TAGS_MOST = 32


class Asked(TypedDict, total=False):
    """What the body of a request says: fields of `Call`."""

    dialect: Required[str]
    operation: Required[Operation]
    model: Required[str]
    body: Required[dict[str, Any]]
    stream: Required[bool]
    include_usage: Required[bool]
    prompt_bytes: Required[int]
    user: str
    wire: str
    output_most_tokens: int | None
    answers: int
    media: Media
    read: Callable[[Mapping[str, Any]], Prompt] | None
    headers: tuple[tuple[str, str], ...]
    order: Order | None
    form: Form | None
    owner: bytes
    path: str
    query: tuple[tuple[str, str], ...]


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

    def call(self, **asked: Unpack[Asked]) -> Call:
        """The call of a request that says this."""
        return Call(
            id=self.id,
            account=self.account,
            received=self.received,
            started_seconds=self.started_seconds,
            deadline_seconds=self.deadline_seconds,
            tags=self.tags,
            client_id=self.client_id,
            **asked,
        )
