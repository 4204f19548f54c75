"""Calls and targets with nothing particular about them, for tests of limits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import cast

from oneflow_ai.core.call import Account, Call, Operation
from oneflow_ai.core.ports import Adapter
from oneflow_ai.core.target import Credential, ProviderLimits, Target, Timeouts

_NUMBERS = count()


def call(account: Account | str = "key-1", *, deadline_seconds: float = 600.0, id: str | None = None) -> Call:
    """A call of that key, or account; each has its own id unless one is given."""
    return Call(
        id=id or f"call-{next(_NUMBERS)}",
        account=Account(account) if isinstance(account, str) else account,
        dialect="openai",
        operation=Operation.CHAT,
        model="openai/gpt-6-luna",
        body={},
        stream=False,
        include_usage=False,
        received=datetime(2026, 1, 1, tzinfo=UTC),
        started_seconds=0.0,
        deadline_seconds=deadline_seconds,
        prompt_bytes=100,
    )


def target(
    limits: ProviderLimits, *, credential: str = "openai#1", model: str = "gpt-6-luna", headers: Mapping[str, str] = {}
) -> Target:
    """A target with these limits."""
    return Target(
        place=f"openai/{model}",
        provider="openai",
        kind="openai",
        model=model,
        credential=Credential(credential, None),
        adapter=cast(Adapter, None),
        base_url="http://127.0.0.1:9/v1",
        way="openai",
        headers=tuple(headers.items()),
        price=None,
        timeouts=Timeouts(),
        limits=limits,
    )
