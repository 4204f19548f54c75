"""Calls and targets for tests of what is sent to providers: the targets as the compiler makes them."""

from datetime import UTC, date, datetime
from typing import Any

import orjson

from oneflow_ai.core.call import Account, Call, Operation, Task
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import RetryPolicy, Secret, Target
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.openai import parse
from oneflow_ai.policy.compile import compile_snapshot
from oneflow_ai.policy.rows import ProviderRow, Rows
from oneflow_ai.providers.table import TABLE

MODEL = "gpt-6-luna"
KEY = "sk-canary-of-the-provider"


class NoModels:
    """A catalogue that knows no model."""

    def price(self, provider_id: str, model: str) -> None:
        return None

    def model(self, provider_id: str, model: str) -> None:
        return None

    def models(self, provider_id: str) -> tuple[str, ...]:
        return ()

    def ended(self, provider_id: str, model: str, on: date) -> bool:
        return False

    def tasks(self, model: str) -> tuple[Task, ...]:
        return ()

    def default_model(self, provider_id: str, task: Task) -> None:
        return None

    def default_voice(self, provider_id: str) -> str | None:
        """None."""

    def reasons(self, model: str) -> bool:
        return False


def envelope(operation: Operation = Operation.CHAT) -> Envelope:
    """What is known before the body is read."""
    return Envelope("req_1", Account("key-1"), operation, datetime(2026, 11, 24, tzinfo=UTC), 5.0, 605.0)


def call_of(body: dict[str, Any], operation: Operation = Operation.CHAT) -> Call:
    """The call that a client's body asks for."""
    return parse(orjson.dumps(body), envelope(operation))


def target_of(kind: str, *, model: str = MODEL, base_url: str | None = None, key: str = KEY, **options: str) -> Target:
    """A target of that kind of provider, at its own address unless another is given."""
    address = base_url or TABLE[kind].base_url or "http://127.0.0.1:9/v1"
    row = ProviderRow(kind, kind, address, way=kind, secrets=(Secret(key),), options=options)
    rows = Rows([row], [], {}, RetryPolicy(), {}, follow_successors=False, version="1", on=date(2026, 11, 24))
    (target,) = compile_snapshot(rows, TABLE, NoModels()).providers[kind].targets(model)
    return target


def request_of(body: dict[str, Any], kind: str = "openai", operation: Operation = Operation.CHAT) -> HttpRequest:
    """The request that reaches a provider of that kind."""
    target = target_of(kind)
    return target.adapter.request(call_of(body, operation), target)


def sent(body: dict[str, Any], kind: str = "openai", operation: Operation = Operation.CHAT) -> dict[str, Any]:
    """The body that reaches a provider of that kind."""
    found: dict[str, Any] = orjson.loads(request_of(body, kind, operation).body)
    return found
