"""How providers are said to stand, and which is said to be best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from oneflow_ai.core.call import Task
from oneflow_ai.core.target import RetryPolicy, Route, Snapshot, Target
from oneflow_ai.insight.standing import Observed, best_of, provider_statuses
from oneflow_ai.insight.tally import ProviderTally
from oneflow_ai.policy.health import FIRST_TICKET, OPEN_SECONDS, HealthBook, Outcome
from oneflow_ai.policy.score import ScoreBook
from tests.stores.exchanges import target

NOW = 1_000.0
ENOUGH_TO_TRIP = 10


class OneModel:
    """A provider with one model."""

    kind = "openai"

    def __init__(self, name: str, *targets: Target) -> None:
        self.name = name
        self.configured = bool(targets)
        self.models = self.listed = frozenset(one.model for one in targets)
        self.retired: frozenset[str] = frozenset()
        self._targets = targets

    def targets(self, model: str) -> tuple[Target, ...]:
        return tuple(one for one in self._targets if one.model == model)

    def capabilities(self, model: str) -> tuple[str, ...]:
        return ("text",) if model in self.models else ()

    def does(self, model: str, task: Task) -> bool:
        return True

    def ended(self, model: str) -> None:
        del model

    def default_model(self, task: Task) -> str | None:
        del task
        return next(iter(self.models), None)


def observed(health: HealthBook, *targets: Target, at: float = NOW) -> Observed:
    """A snapshot whose text route leads to these targets, each its own provider, and to a provider without any."""
    providers = {one.provider: OneModel(one.provider, one) for one in targets} | {"bare": OneModel("bare")}
    route = Route("text", Task.TEXT, targets)
    return Observed(Snapshot("1", {"text": route}, providers, {}, RetryPolicy()), health, at)


def fail(health: HealthBook, place: str, times: int) -> None:
    for _ in range(times):
        health.report(place, Outcome.FAILURE, FIRST_TICKET, NOW, 0.5)


def status_of(seen: Observed, name: str = "acme") -> str:
    return provider_statuses([name], seen, ProviderTally(simulated=False))[name]["status"]


def test_a_provider_without_a_credential_and_one_that_is_unknown_are_unconfigured() -> None:
    seen = observed(HealthBook(), target())
    assert [status_of(seen, name) for name in ("acme", "bare", "nobody")] == [
        "available",
        "unconfigured",
        "unconfigured",
    ]


@pytest.mark.parametrize(
    ("times", "later_seconds", "status"),
    [
        (ENOUGH_TO_TRIP - 1, 0.0, "available"),
        (ENOUGH_TO_TRIP, 0.0, "unavailable"),
        (ENOUGH_TO_TRIP, OPEN_SECONDS, "degraded"),
    ],
)
def test_a_provider_stands_as_its_breaker_does(times: int, later_seconds: float, status: str) -> None:
    health = HealthBook()
    fail(health, "acme/acme-large", times)
    assert status_of(observed(health, target(), at=NOW + later_seconds)) == status


def test_a_provider_of_which_one_model_is_blocked_is_degraded() -> None:
    health = HealthBook()
    fail(health, "acme/acme-large", ENOUGH_TO_TRIP)
    seen = observed(health, target(), target(model="acme-small"))
    assert status_of(seen) == "degraded"


def test_a_provider_whose_only_credential_is_refused_is_unavailable() -> None:
    health = HealthBook()
    health.refuse(target().credential, NOW)
    assert status_of(observed(health, target())) == "unavailable"


def best(targets: Sequence[Target], health: HealthBook | None = None, scores: ScoreBook | None = None) -> object:
    seen = observed(health or HealthBook(), *targets)
    found = best_of(seen.snapshot.routes["text"], scores or ScoreBook(), seen)
    return found.provider, None if found.score is None else round(found.score, 3), found.why


def test_equals_go_by_the_chain_and_a_better_record_goes_first() -> None:
    first, second = target("first"), target("second")
    scores = ScoreBook()
    assert best([first, second]) == ("first", 0.93, "the highest score: first 0.930, second 0.930")
    scores.add(second.place, True, 1.0, NOW)
    assert best([first, second], scores=scores) == ("second", 0.942, "the highest score: second 0.942, first 0.930")
    scores.add(first.place, True, 0.5, NOW)
    assert best([first, second], scores=scores) == ("first", 0.942, "the highest score: first 0.942, second 0.792")


def test_a_provider_with_several_models_has_the_score_of_its_best() -> None:
    scores = ScoreBook()
    scores.add("acme/acme-large", False, 1.0, NOW)
    assert best([target(), target(model="acme-small")], scores=scores) == ("acme", 0.93, "the only one available")


def test_who_is_not_available_is_left_out_and_named() -> None:
    health = HealthBook()
    first, second = target("first"), target("second")
    fail(health, first.place, ENOUGH_TO_TRIP)
    assert best([first, second], health) == ("second", 0.93, "the only one available; not available now: first")
    health.refuse(second.credential, NOW)
    assert best([first, second], health) == (None, None, "none is available now: first, second")
    assert best([]) == (None, None, "none of this task is configured")


def test_a_second_credential_keeps_a_place_in_the_running() -> None:
    health = HealthBook()
    one = target()
    other = replace(one, credential=replace(one.credential, id="acme#2", secret=None))
    health.refuse(one.credential, NOW)
    assert best([one, other], health) == ("acme", 0.93, "the only one available")
