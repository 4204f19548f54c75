"""Places with nothing particular about them, and a call's plan played against what they answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import cast

from oneflow_ai.core.failure import UPSTREAM_STREAM_INTERRUPTED, Failure, Kind
from oneflow_ai.core.ports import Adapter
from oneflow_ai.core.target import Credential, ProviderLimits, RetryPolicy, Secret, Target, Timeouts
from oneflow_ai.policy.health import HealthBook
from oneflow_ai.policy.plan import Planner, Result, RetryBudgets, Try

PLAIN = RetryPolicy(jitter=False)

Answer = Failure | Kind | None
"""What a place answers: a failure, all at once its kind, or None for a success."""


@dataclass(slots=True)
class Chosen:
    """Chance that comes out as told, the last word for ever."""

    numbers: list[float] = field(default_factory=lambda: [0.0])

    def random(self) -> float:
        return self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]


def target(name: str = "a", *, weight: int = 1) -> Target:
    """A target by a short name: `a` is the model `m` at the provider `a`, `a/n` its model `n`, `a#2` its second key."""
    place, _, key = name.partition("#")
    provider, _, model = place.partition("/")
    return Target(
        place=f"{provider}/{model or 'm'}",
        provider=provider,
        kind="openai",
        model=model or "m",
        credential=Credential(f"{provider}#{key}" if key else provider, Secret(f"{provider} {key}")),
        adapter=cast(Adapter, None),
        base_url="",
        way=name,
        headers=(),
        price=None,
        timeouts=Timeouts(),
        limits=ProviderLimits(),
        weight=weight,
    )


def targets(names: str) -> list[Target]:
    """Targets by their short names, a space between them."""
    return [target(name) for name in names.split()]


def planner(seed: int | None = None) -> Planner:
    """A planner that remembers nothing yet; without a seed its chance is always 0."""
    return Planner(HealthBook(), RetryBudgets(), Chosen() if seed is None else Random(seed))


@dataclass(slots=True)
class Play:
    """One call's plan: `steps` are the short names tried and the seconds waited, in order.

    `committed`: whatever fails has told its client something. `continued`: a stream that is interrupted has, and may be
    gone on with.
    """

    planner: Planner = field(default_factory=planner)
    policy: RetryPolicy = PLAIN
    now_seconds: float = 0.0
    deadline_seconds: float = 600.0
    try_seconds: float = 0.0
    committed: bool = False
    continued: bool = False

    def steps(
        self, places: str | Sequence[Target], answers: Iterable[Answer] | Callable[[Target], Answer]
    ) -> list[object]:
        """What the plan did, given each answer in turn, or by the target that is asked; the last one is repeated."""
        chain = targets(places) if isinstance(places, str) else places
        answer = answers if callable(answers) else _in_turn(list(answers))
        plan = self.planner.plan(chain, self.policy, self.now_seconds, self.deadline_seconds)
        played: list[object] = []
        try:
            step = next(plan)
            while True:
                if isinstance(step, Try):
                    played.append(step.target.way)
                    self.now_seconds += self.try_seconds
                    step = plan.send(self._result(answer(step.target)))
                else:
                    played.append(step.seconds)
                    self.now_seconds += step.seconds
                    step = next(plan)
        except StopIteration:
            return played

    def _result(self, answer: Answer) -> Result:
        failure = _failure(answer)
        cut = failure is not None and failure.kind is UPSTREAM_STREAM_INTERRUPTED
        continued = cut and self.continued
        return Result(failure, self.committed or continued, self.now_seconds, continued)


def _in_turn(answers: list[Answer]) -> Callable[[Target], Answer]:
    return lambda _: answers.pop(0) if len(answers) > 1 else answers[0]


def _failure(answer: Answer) -> Failure | None:
    return Failure(answer, "it failed") if isinstance(answer, Kind) else answer
