"""Many calls at once against providers that fail on a timetable: plans acted out in virtual time, in a few seconds."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from oneflow_ai.core.failure import Failure, Kind
from oneflow_ai.core.target import RetryPolicy, Target
from oneflow_ai.policy.plan import Planner, Result, Try
from tests.policy.places import planner, target

Behaviour = Callable[[float, Random], Kind | None]
"""What a provider answers to an attempt that reaches it at this second."""


def always(kind: Kind | None) -> Behaviour:
    """The same for ever; None is health."""
    return lambda _now, _chance: kind


def until(seconds: float, kind: Kind) -> Behaviour:
    """An outage from the beginning to this second."""
    return lambda now, _chance: kind if now < seconds else None


def flapping(period_seconds: float, kind: Kind) -> Behaviour:
    """Well for so long, then down for as long, and again."""
    return lambda now, _chance: kind if now % (2 * period_seconds) >= period_seconds else None


def sometimes(share: float, kind: Kind) -> Behaviour:
    """A random share of the attempts fails."""
    return lambda _now, chance: kind if chance.random() < share else None


@dataclass(frozen=True, slots=True)
class Ended:
    """One request: when it came, when it was answered, how many tries it took, and the provider that served it."""

    came_seconds: float
    ended_seconds: float
    tries: int
    served: str | None


@dataclass(slots=True)
class Load:
    """So many requests a second, evenly, for so long; each provider answers after `answer_seconds`."""

    behaviours: dict[str, Behaviour]
    rate: float
    seconds: float
    answer_seconds: float = 0.05
    seed: int = 1
    planner: Planner = field(init=False)
    chain: list[Target] = field(init=False)
    chance: Random = field(init=False)
    attempts: list[tuple[float, str, int]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self.planner = planner(self.seed)
        self.chain = [target(name) for name in self.behaviours]
        self.chance = Random(self.seed)

    def run(self) -> Load:
        """Acts it out to the last answer."""
        for number in range(int(self.rate * self.seconds)):
            came = number / self.rate
            self._until(came)
            _Request(self, number, came).go(came, None)
        self._until(math.inf)
        return self

    def amplification(self, provider: str, end_seconds: float = math.inf) -> float:
        """Attempts at a provider until this second, for each request whose plan reached it."""
        reached = [request for now, name, request in self.attempts if name == provider and now < end_seconds]
        return len(reached) / len(set(reached))

    def sent(self, provider: str, begin_seconds: float, end_seconds: float) -> int:
        """Attempts at a provider in this time."""
        return sum(name == provider and begin_seconds <= now < end_seconds for now, name, _ in self.attempts)

    def transitions(self, place: str) -> int:
        """Changes of state of a place's breaker."""
        return sum(one.transitions for one in self.planner.book.shown(self.seconds) if one.place == place)

    def failed(self, begin_seconds: float, end_seconds: float) -> float:
        """The share of those requests that came in this time and had no answer."""
        came = [one for one in self.ended if begin_seconds <= one.came_seconds < end_seconds]
        return sum(one.served is None for one in came) / len(came)

    def busiest(self, begin_seconds: float, end_seconds: float) -> float:
        """The most attempts that reached any provider within a whole second of this time, as a multiple of the rate."""
        seconds = Counter((name, int(now)) for now, name, _ in self.attempts if begin_seconds <= now < end_seconds)
        return max(seconds.values()) / self.rate

    def recovered(self, since_seconds: float) -> float:
        """Seconds from here to the arrival of the last request that failed, or needed more than its first try."""
        late = [one.came_seconds for one in self.ended if one.served is None or one.tries > 1]
        return max([*late, since_seconds]) - since_seconds

    def _until(self, seconds: float) -> None:
        while self._events and self._events[0][0] <= seconds:
            now, _, event = heapq.heappop(self._events)
            event(now)

    def at(self, now: float, event: Callable[[float], None]) -> None:
        """Lets something happen at a second to come."""
        self._number += 1
        heapq.heappush(self._events, (now, self._number, event))


class _Request:
    """One request on its way through its plan."""

    def __init__(self, load: Load, number: int, now: float) -> None:
        self._load = load
        self._number = number
        self._came = now
        self._tries = 0
        self._plan = load.planner.plan(load.chain, RetryPolicy(), now, now + 600.0)

    def go(self, now: float, result: Result | None, served: str | None = None) -> None:
        try:
            step = self._plan.send(result)
        except StopIteration:
            self._load.ended.append(Ended(self._came, now, self._tries, served))
            return
        assert served is None, "a plan goes on after a success"
        if isinstance(step, Try):
            self._ask(step.target.provider, now)
        else:
            self._load.at(now + step.seconds, lambda then: self.go(then, None))

    def _ask(self, name: str, now: float) -> None:
        load = self._load
        self._tries += 1
        load.attempts.append((now, name, self._number))
        kind = load.behaviours[name](now, load.chance)
        failure = None if kind is None else Failure(kind, "it failed")
        served = name if kind is None else None
        load.at(now + load.answer_seconds, lambda then: self.go(then, Result(failure, kind is None, then), served))
