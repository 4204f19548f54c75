"""From the model's name that a client wrote to the targets its call may go to, in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from oneflow_ai.core.call import Account, Call, Operation, Task
from oneflow_ai.core.chain import CHAIN_FIELDS, chain_names
from oneflow_ai.core.failure import (
    AMBIGUOUS_MODEL,
    INVALID_VALUE,
    MODEL_NOT_ALLOWED,
    MODEL_NOT_FOUND,
    MODEL_RETIRED,
    PROVIDER_NOT_CONFIGURED,
    UNSUPPORTED_OPERATION,
    Failure,
)
from oneflow_ai.core.ports import Chance
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Ended, Provider, Route, Snapshot, Target
from oneflow_ai.policy.score import ScoreBook
from oneflow_ai.policy.window import roomy

MIXED = "vectors of different models do not compare: name one model, at as many providers as have it"
NAMES_REMEMBERED = 1_024
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What is asked of a provider whatever its models do.
_OF_ANY_MODEL = frozenset({Operation.VOICES, Operation.SUBSCRIPTION})


class Router:
    """Orders the targets of a call; what it needs to know comes in: the scores of places, and chance."""

    __slots__ = ("_found", "_snapshot", "chance", "scores")

    def __init__(self, scores: ScoreBook, chance: Chance) -> None:
        self.scores = scores
        self.chance = chance
        self._snapshot: Snapshot | None = None
        self._found: dict[Operation, dict[str, Sequence[Target]]] = {}

    def targets(self, snapshot: Snapshot, call: Call) -> Sequence[Target]:
        """The targets of the call's model, or of the chain its body names; raises `Failure`."""
        body = call.body
        if "models" in body or "fallbacks" in body:
            return roomy(self._chain(snapshot, call), call)
        return roomy(self._named(snapshot, call.model, call), call)

    def _named(self, snapshot: Snapshot, name: str, call: Call) -> Sequence[Target]:
        check_allowed(call.account, name)
        route = snapshot.routes.get(name)
        if route is None:
            return self._of_model(snapshot, name, call.operation)
        task = call.operation.task
        if route.task is not task:
            words = f"route {route.name} is for the task {route.task.value}, not for {task.value}"
            raise Failure(INVALID_VALUE, words, param="model")
        return self._routed(route, call.started_seconds)

    def _of_model(self, snapshot: Snapshot, name: str, operation: Operation) -> Sequence[Target]:
        """The targets of a model's name, remembered as long as the snapshot is in force."""
        if snapshot is self._snapshot:
            names = self._found.get(operation)
            if names is not None and (known := names.get(name)) is not None:
                return known
        else:
            self._snapshot, self._found = snapshot, {}
        found = model_targets(snapshot, name)
        if operation not in _OF_ANY_MODEL:
            _check_task(snapshot, found, operation.task)
        names = self._found.setdefault(operation, {})
        if len(names) >= NAMES_REMEMBERED:
            names.clear()
        names[name] = found
        return found

    def _chain(self, snapshot: Snapshot, call: Call) -> Sequence[Target]:
        names = {call.model: "model"}
        for field in CHAIN_FIELDS:
            for index, name in enumerate(chain_names(call.body, field)):
                # Its first model is the call's own where the body names no other.
                names[name] = f"{field}[{index}]"
        chain: dict[tuple[str, str], Target] = {}
        passed_over: Failure | None = None
        for name, param in names.items():
            try:
                targets = self._named(snapshot, name, call)
            except Failure as failure:
                found = Failure(failure.kind, failure.message, param=param)
                if failure.kind not in (PROVIDER_NOT_CONFIGURED, UNSUPPORTED_OPERATION):
                    raise found from None
                passed_over = passed_over or found
                continue
            if call.operation.task is Task.EMBEDDING and mixes([*chain.values(), *targets]):
                raise Failure(INVALID_VALUE, MIXED, param=param)
            for target in targets:
                chain.setdefault((target.place, target.credential.id), target)
        if not chain and passed_over is not None:
            raise passed_over
        return list(chain.values())

    def _routed(self, route: Route, now_seconds: float) -> Sequence[Target]:
        if not route.targets:
            raise Failure(PROVIDER_NOT_CONFIGURED, f"no provider of route {route.name} has a credential", param="model")
        if route.strategy == "order" or len(route.targets) == 1:
            return route.targets
        real = [target for target in route.targets if not target.simulated]
        if not real or len(real) == len(route.targets):
            return _STRATEGIES[route.strategy](self, route.targets, now_seconds)
        # The simulator comes last, however well it does.
        simulated = [target for target in route.targets if target.simulated]
        return [*_STRATEGIES[route.strategy](self, real, now_seconds), *simulated]

    def _weighted(self, targets: Sequence[Target], _now_seconds: float) -> Sequence[Target]:
        # Efraimidis and Spirakis: ordering by u^(1/w) draws without replacement in proportion to the weights. One lot a
        # place, however many credentials it has.
        weights = {target.place: target.weight for target in targets}
        lots = {place: self.chance.random() ** (1 / max(weight, 1e-9)) for place, weight in weights.items()}
        return sorted(targets, key=lambda target: -lots[target.place])

    def _cheapest(self, targets: Sequence[Target], _now_seconds: float) -> Sequence[Target]:
        return sorted(targets, key=_cost)

    def _fastest(self, targets: Sequence[Target], now_seconds: float) -> Sequence[Target]:
        times = self.scores.mean_seconds([target.place for target in targets], now_seconds)
        return [target for _, target in sorted(zip(times, targets, strict=True), key=lambda pair: pair[0])]

    def _best(self, targets: Sequence[Target], now_seconds: float) -> Sequence[Target]:
        scores = self.scores.scores([target.place for target in targets], now_seconds)
        return [target for _, target in sorted(zip(scores, targets, strict=True), key=lambda pair: -pair[0])]


_Strategy = Callable[[Router, Sequence[Target], float], Sequence[Target]]
_STRATEGIES: Mapping[str, _Strategy] = {
    "weighted": Router._weighted,
    "cheapest": Router._cheapest,
    "fastest": Router._fastest,
    "best": Router._best,
}
STRATEGIES = ("order", *_STRATEGIES)


def check_allowed(account: Account, name: str) -> None:
    """Raise `Failure` for a name that an account may not ask for, whether there is such a model or not."""
    if not account.may_use(name):
        raise Failure(MODEL_NOT_ALLOWED, "this key may not use this model; see GET /v1/models", param="model")


def unknown_model() -> Failure:
    """What is told of a name that is none of a model."""
    words = "no route, and no configured provider, has this model; write provider/model, or see GET /v1/models"
    return Failure(MODEL_NOT_FOUND, words, param="model")


def model_targets(
    snapshot: Snapshot, name: str, *, as_it_stands: bool = False, listed: bool = True
) -> Sequence[Target]:
    """The targets of `provider/model`, or of a bare model id that exactly one configured provider has.

    Raises `Failure`, among others for a model that has ended, unless the snapshot follows successors and it has one;
    `as_it_stands` takes it all the same. A bare id that only a provider's own list tells counts where `listed` says so
    and nobody else has it. No message repeats a name that is not known.
    """
    first, slash, rest = name.partition("/")
    provider = snapshot.providers.get(first) if slash else None
    if provider is not None and rest:
        return _provided(snapshot, provider, rest, as_it_stands)
    having = [one for one in snapshot.providers.values() if one.configured and name in one.models]
    if not having:
        having = [one for one in snapshot.providers.values() if one.configured and one.ended(name) is not None]
    if not having and listed:
        having = [one for one in snapshot.providers.values() if one.configured and name in one.listed]
    if len(having) == 1:
        return _provided(snapshot, having[0], name, as_it_stands)
    if having:
        choices = ", ".join(f"{one.name}/{_in_place_of(one, name)}" for one in having)
        raise Failure(AMBIGUOUS_MODEL, f"several providers have this model; say which: {choices}", param="model")
    raise _unknown(snapshot, name)


def lacking(words: str, snapshot: Snapshot, task: Task) -> str:
    """What is told of whoever does not do a task: these words, and a model of each configured provider that does it."""
    models = {one.name: one.default_model(task) for one in snapshot.providers.values() if one.configured}
    places = [f"{name}/{model}" for name, model in models.items() if model is not None]
    return f"{words}; {task.value} is done by {', '.join(places)}" if places else words


def pointed(failure: Failure, snapshot: Snapshot, exchange: Exchange) -> Failure:
    """The failure as a client is told it: of a provider that does nothing of the kind, with those that do it."""
    if failure.kind is not UNSUPPORTED_OPERATION:
        return failure
    task = exchange.call.operation.task
    asked = next((one.target.provider for one in exchange.attempts if one.outcome == failure.code), "")
    provider = snapshot.providers.get(asked)
    if provider is None or provider.default_model(task) is not None:
        return failure
    return Failure(failure.kind, lacking(failure.message, snapshot, task), param=failure.param)


def _check_task(snapshot: Snapshot, targets: Sequence[Target], task: Task) -> None:
    target = targets[0]
    if not snapshot.providers[target.provider].does(target.model, task):
        words = lacking(f"{target.place} does not do {task.value}", snapshot, task)
        raise Failure(UNSUPPORTED_OPERATION, words, param="model")


def mixes(targets: Sequence[Target]) -> bool:
    """Whether these targets' vectors do not compare, as far as their models are known; simulated ones do with none."""
    models = {target.vectors for target in targets if target.vectors}
    return len(models) > 1 or len({target.simulated for target in targets}) > 1


def _provided(snapshot: Snapshot, provider: Provider, model: str, as_it_stands: bool) -> Sequence[Target]:
    if not provider.configured:
        raise Failure(PROVIDER_NOT_CONFIGURED, f"provider {provider.name} has no credential", param="model")
    ended = provider.ended(model)
    if ended is None:
        return provider.targets(model)
    if snapshot.follow_successors and ended.successor is not None:
        return provider.targets(ended.successor)
    if as_it_stands:
        return provider.targets(model)
    raise _retired(provider, model, ended)


def _retired(provider: Provider, model: str, ended: Ended) -> Failure:
    # The table of endings has patterns: what fits one may be anything that a client wrote.
    plain = _PLAIN_NAME.fullmatch(model) is not None
    named = f"{provider.name}/{model} is retired" if plain else f"the model is retired at {provider.name}"
    since = f" since {ended.since.isoformat()}" if ended.since is not None else ""
    instead = f"use {provider.name}/{ended.successor}" if ended.successor is not None else "choose another model"
    return Failure(MODEL_RETIRED, f"{named}{since}; {instead}", param="model")


def _in_place_of(provider: Provider, model: str) -> str:
    """What to call at a provider for a model that has ended there, else the model itself."""
    ended = provider.ended(model)
    return model if ended is None else ended.successor or model


def _unknown(snapshot: Snapshot, name: str) -> Failure:
    for provider in snapshot.providers.values():
        if not provider.configured and (name in provider.models or provider.ended(name) is not None):
            words = f"the model is at {provider.name}, which has no credential"
            return Failure(PROVIDER_NOT_CONFIGURED, words, param="model")
    return unknown_model()


def _cost(target: Target) -> int:
    price = target.price
    if price is None:
        return 1 << 62
    # Three parts of prompt to one of answer: a common mix of chat traffic.
    return 3 * price.input + price.output
