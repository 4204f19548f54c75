"""How each provider stands now, in one word, and which of a route's providers does best; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from oneflow_ai.core.call import Task
from oneflow_ai.core.target import Credential, Provider, Route, Snapshot, Target
from oneflow_ai.insight.tally import ProviderMetrics, ProviderTally
from oneflow_ai.policy.health import BreakerState, HealthBook, State
from oneflow_ai.policy.score import ScoreBook

Standing: TypeAlias = Literal["available", "degraded", "unavailable", "unconfigured"]


class ProviderStatus(TypedDict):
    """How one provider stands, and its seven figures."""

    status: Standing
    metrics: ProviderMetrics


@dataclass(frozen=True, slots=True)
class Best:
    """The provider that does best, its score from 0 to 1, and why; without a name when none can be used."""

    provider: str | None
    score: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What standings are read from: the snapshot in force, breakers and credentials, and the time (monotonic)."""

    snapshot: Snapshot
    health: HealthBook
    now_seconds: float

    def breakers(self) -> Mapping[str, Sequence[BreakerState]]:
        """The breakers that have seen an outcome, by provider."""
        found: dict[str, list[BreakerState]] = {}
        for breaker in self.health.shown(self.now_seconds):
            found.setdefault(breaker.place.partition("/")[0], []).append(breaker)
        return found

    def standing(self, name: str, breakers: Sequence[BreakerState]) -> Standing:
        """How a provider stands.

        `unavailable`: all its models in routes (in no route: all that failed) are blocked, or all its credentials are
        left aside; `degraded`: some are, or are being tried again; `unconfigured`: nothing can be sent to it.
        """
        provider = self.snapshot.providers.get(name)
        if provider is None or not provider.configured:
            return "unconfigured"
        aside = [self.health.quarantined(one, self.now_seconds) for one in self.credentials(provider)]
        blocked = {each.place for each in breakers if _blocks(each)}
        used = {target.place for target in self._routed(name)} or {each.place for each in breakers}
        if (aside and all(aside)) or (used and used <= blocked):
            return "unavailable"
        if any(aside) or any(each.state is not State.CLOSED for each in breakers):
            return "degraded"
        return "available"

    def credentials(self, provider: Provider) -> Sequence[Credential]:
        """The credentials of a configured provider."""
        return [target.credential for target in any_targets(provider)]

    def _routed(self, name: str) -> Iterable[Target]:
        return (one for route in self.snapshot.routes.values() for one in route.targets if one.provider == name)


def provider_statuses(names: Iterable[str], observed: Observed, tally: ProviderTally) -> dict[str, ProviderStatus]:
    """Every provider's status and figures, by name: the shape of `get_all_providers_status`."""
    breakers = observed.breakers()
    return {
        name: ProviderStatus(status=observed.standing(name, breakers.get(name, ())), metrics=tally.of(name).shown())
        for name in names
    }


def any_targets(provider: Provider) -> Sequence[Target]:
    """The targets of one model of a provider, one for each credential: its default, else any that it has."""
    model = provider.default_model(Task.TEXT) or min(provider.models, default="any")
    return provider.targets(model)


def best_of(route: Route, scores: ScoreBook, observed: Observed) -> Best:
    """The provider of a route that does best: the highest score, the first in the chain among equals."""
    now = observed.now_seconds
    blocked = {each.place for each in observed.health.shown(now) if _blocks(each)}
    usable: dict[str, str] = {}
    for target in route.targets:
        if target.place not in blocked and not observed.health.quarantined(target.credential, now):
            usable.setdefault(target.place, target.provider)
    left_out = list(dict.fromkeys(one.provider for one in route.targets if one.provider not in usable.values()))
    if not usable:
        words = f"none is available now: {', '.join(left_out)}" if left_out else "none of this task is configured"
        return Best(None, None, words)
    found: dict[str, float] = {}
    places = list(usable)
    for place, score in zip(places, scores.scores(places, now), strict=True):
        found[usable[place]] = max(score, found.get(usable[place], score))
    best = max(found, key=lambda name: found[name])
    return Best(best, found[best], _why(found, left_out))


def _blocks(breaker: BreakerState) -> bool:
    return breaker.state is State.OPEN and breaker.open_seconds_left > 0


def _why(found: Mapping[str, float], left_out: Sequence[str]) -> str:
    if len(found) == 1:
        words = "the only one available"
    else:
        listed = ", ".join(f"{name} {score:.3f}" for name, score in sorted(found.items(), key=lambda pair: -pair[1]))
        words = f"the highest score: {listed}"
    return f"{words}; not available now: {', '.join(left_out)}" if left_out else words
