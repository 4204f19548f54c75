"""The one record of a call, that history, metrics, logs and reports only ever read."""

from __future__ import annotations

from dataclasses import dataclass, field

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Usage
from oneflow_ai.core.target import Target
from oneflow_ai.core.value import value


@value
class Attempt:
    """One turn of one target: when (monotonic seconds), how it ended (`ok` or a failure code), and what it cost.

    `asked`: the request went on its way to the provider; without it the gateway turned it away before.
    """

    target: Target
    started_seconds: float
    ended_seconds: float
    outcome: str
    status: int
    message: str = ""
    asked: bool = True


@dataclass(slots=True)
class Exchange:
    """What happened to one call; written by the engine alone, finished once."""

    call: Call
    attempts: list[Attempt] = field(default_factory=list)
    outcome: str = "open"
    status: int = 0
    message: str = ""
    usage: Usage | None = None
    cost_nanos: int = 0
    estimated: bool = False
    served: Target | None = None
    model_actual: str | None = None
    first_event_seconds: float | None = None
    ended_seconds: float = 0.0
    queued_seconds: float = 0.0
    price_version: str = ""

    @property
    def tries(self) -> int:
        """How often a provider was asked."""
        count = 0
        for attempt in self.attempts:
            count += attempt.asked
        return count
