"""`ProviderManager`: chains of providers that a call falls back along, what each has done, and which does best."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypedDict

from oneflow_ai.answer import Collector, OneFlowError
from oneflow_ai.app.rows import SIMULATOR
from oneflow_ai.calls import LOCAL, call_of, upload_of
from oneflow_ai.core.call import Account, Call, Operation, Task
from oneflow_ai.core.failure import DRAINING, INVALID_TYPE, KINDS, PROVIDER_NOT_CONFIGURED, UNSUPPORTED_OPERATION
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Provider, Route, Snapshot, Target
from oneflow_ai.dialects import plain, plain_orders
from oneflow_ai.insight.standing import Observed, ProviderStatus, best_of, provider_statuses
from oneflow_ai.insight.tally import Counts, money_text, percent_text
from oneflow_ai.manager.names import provider_of, task_of
from oneflow_ai.manager.results import Result, error, success
from oneflow_ai.manager.room import Closed, Room, settings_for
from oneflow_ai.manager.scores import FORMULA, ProviderScores
from oneflow_ai.policy.route import lacking
from oneflow_ai.settings import configured_providers


class Summary(TypedDict):
    """What all providers have done together, and each of them by its name."""

    total_requests: int
    overall_success_rate: str
    total_cost: str
    providers: dict[str, ProviderStatus]


class BestProvider(str):
    """A provider's name, with the `score` for which it is the best, and `why` in words."""

    __slots__ = ("score", "why")

    score: float
    why: str

    def __new__(cls, name: str, score: float, why: str) -> BestProvider:
        """The name with what it is based on."""
        made = super().__new__(cls, name)
        made.score, made.why = score, why
        return made


class ProviderManager:
    """Providers with chains to fall back along, one for each task; may be called from any thread.

    With `use_real_api` the providers that the configuration has credentials for are called, and nothing is simulated
    unasked; without it the four simulated ones answer; None is the library's own rule: simulated where nothing at all
    is set up. `account` is whom calls are charged to. It is closed by itself at the program's end; `close` it, or use
    it as a context manager, to have it closed before.
    """

    def __init__(self, use_real_api: bool | None = False, *, account: Account = LOCAL) -> None:
        simulated = None if use_real_api is None else not use_real_api
        self._account = account
        self._chains: dict[Task, tuple[str, ...]] = {}
        self._scores: dict[Task, ProviderScores] = {}
        self._warned: set[str] = set()
        self.room = Room(settings_for(simulated is True), simulated=simulated)
        self._simulated = self.room.runtime.demo

    def execute_with_fallback(self, task_type: str, prompt: Any, model: str | None = None, **options: Any) -> Result:
        """Answer a prompt by the first provider of the task's chain that can; never raises for a failure.

        `model` is for the provider that has it, which comes first then; the next use their own. `options` are those of
        the library's `text`, `image`, `speech` and `transcribe`.
        """
        try:
            task = task_of(task_type)
        except ValueError as wrong:
            return error(f"invalid_value: {wrong}")
        return self.ask(task, prompt, options, model)

    def ask(
        self,
        task: Task,
        prompt: Any,
        options: Mapping[str, Any],
        model: str | None = None,
        chain: Sequence[str] | None = None,
        *,
        alone: bool = False,
    ) -> Result:
        """The same along another chain of providers; `alone`: that one only, without the simulator at its end."""
        # Whoever calls may give anything.
        given: Any = model
        if given is not None and not isinstance(given, str):
            return error(f"{INVALID_TYPE.code}: model is a text")
        places = self._places(task, model, chain, alone=alone)
        if not places:
            return error(self._nobody(task, self.chain(task) if chain is None else chain))
        try:
            return self.room.run(self._answered(task, prompt, places, dict(options)))
        except Closed as closed:
            return error(f"{DRAINING.code}: {closed}")

    def set_fallback_chain(self, task_type: str, names: Iterable[str]) -> None:
        """Have calls of a task go to these providers, in this order; raises `ValueError` for names that are none."""
        task = task_of(task_type)
        chain = tuple(dict.fromkeys(provider_of(name, self._known()) for name in names))
        if not chain:
            raise ValueError("a chain names at least one provider")
        self._chains[task] = chain

    def chain(self, task: Task) -> tuple[str, ...]:
        """The providers that a task's calls go to, in order: as it was set, else as configured."""
        chosen = self._chains.get(task)
        return chosen if chosen is not None else self._routed(task)

    def get_best_provider(self, task_type: str) -> BestProvider | None:
        """The provider of a task that does best of late, with why; None where none is available.

        The score is 0.7·(s + 4.5)/(n + 5) + 0.3·(fastest/own): s of n attempts succeeded, own is their mean time, each
        attempt worth half after 30 minutes. The first of the chain is the best among equals.
        """
        try:
            task = task_of(task_type)
        except ValueError:
            return None
        return self.room.look(lambda: self._best(task))

    def get_provider_status(self, name: str) -> ProviderStatus:
        """How a provider stands, and its seven figures; raises `ValueError` for a name that is none."""
        return self.get_all_providers_status()[provider_of(name, self._known())]

    def get_all_providers_status(self) -> dict[str, ProviderStatus]:
        """How every provider stands, and its seven figures, by name."""
        return self.room.look(self._statuses)

    def get_metrics_summary(self) -> Summary:
        """What the configured providers have done, in all and each; all four where they are simulated."""
        statuses = self.get_all_providers_status()
        shown = {name: one for name, one in statuses.items() if self._simulated or one["status"] != "unconfigured"}
        counts = [self._counts(name) for name in shown]
        successes = sum(one.successes for one in counts)
        requests = successes + sum(one.failures for one in counts)
        return Summary(
            total_requests=requests,
            overall_success_rate=percent_text(successes, requests),
            total_cost=money_text(sum(one.cost_nanos for one in counts)),
            providers=shown,
        )

    def close(self) -> None:
        """Write the history and close every connection. Harmless if repeated."""
        self.room.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _snapshot(self) -> Snapshot:
        return self.room.runtime.desk.snapshot

    def _known(self) -> Iterable[str]:
        return configured_providers(self.room.loaded)

    def _counts(self, name: str) -> Counts:
        return self.room.runtime.tally.of(name)

    def _routed(self, task: Task) -> tuple[str, ...]:
        targets = self._snapshot.routes[task.value].targets
        return tuple(dict.fromkeys(target.provider for target in targets if target.provider != SIMULATOR))

    def _places(self, task: Task, model: str | None, chain: Sequence[str] | None, *, alone: bool) -> list[str]:
        """The names of models, each at its provider, along which a call goes; the first may be a route's."""
        route = self._snapshot.routes[task.value]
        if chain is None and model is None and task not in self._chains:
            return [route.name] if route.targets else []
        chain = self.chain(task) if chain is None else chain
        places = {name: place for name in chain if (place := self._usual(route, name)) is not None}
        if model is not None:
            provider, place = self._named(model, chain)
            places = {provider: place, **{name: other for name, other in places.items() if name != provider}}
        if places and not alone and route.targets and route.targets[-1].provider == SIMULATOR:
            places[SIMULATOR] = route.targets[-1].place
        return list(places.values())

    def _nobody(self, task: Task, chain: Sequence[str]) -> str:
        """Why none of these providers can be asked for a task."""
        providers = self._snapshot.providers
        able = [name for name in chain if name in providers and providers[name].configured]
        if not able:
            who = (
                f"{_all(chain, 'has', 'have')} no credential" if chain else f"no provider of {task.value} is configured"
            )
            return f"{PROVIDER_NOT_CONFIGURED.code}: {who}"
        words = f"{_all(able, 'does', 'do')} not do {task.value}"
        return f"{UNSUPPORTED_OPERATION.code}: {lacking(words, self._snapshot, task)}"

    def _usual(self, route: Route, name: str) -> str | None:
        """A provider's own model for a route's task: the route's, else its default; None where it can do nothing."""
        for target in route.targets:
            if target.provider == name:
                return target.place
        provider = self._snapshot.providers.get(name)
        model = provider.default_model(route.task) if provider is not None and provider.configured else None
        return None if model is None else f"{name}/{model}"

    def _named(self, model: str, chain: Sequence[str]) -> tuple[str, str]:
        """The provider that has a model, those of the chain first, and the model's name there."""
        providers = self._snapshot.providers
        first, slash, rest = model.partition("/")
        if slash and first in providers:
            self._warn(providers[first], rest)
            return first, model
        for name in (*chain, *providers):
            provider = providers.get(name)
            if provider is not None and provider.configured and _has(provider, model):
                self._warn(provider, model)
                return name, f"{name}/{model}"
        return "", model

    def _warn(self, provider: Provider, model: str) -> None:
        """Tell once that a model has ended, and what is called in its place."""
        ended = provider.ended(model)
        place = f"{provider.name}/{model}"
        if ended is not None and ended.successor is not None and place not in self._warned:
            self._warned.add(place)
            words = f"{place} has ended; {provider.name}/{ended.successor} is called in its place"
            warnings.warn(words, stacklevel=6)

    async def _answered(self, task: Task, prompt: Any, places: list[str], options: dict[str, Any]) -> Result:
        runtime = self.room.runtime
        collector = Collector()
        try:
            make = await self._maker(task, prompt, places[0])
            if places[1:]:
                options["models"] = places[1:]
            call = call_of(runtime, _OPERATIONS[task], options, make, self._account)
            await runtime.engine.serve(call, collector)
            exchange = collector.exchange
            assert exchange is not None
            self._note(task, exchange)
            now = runtime.clock.monotonic()
            media = task in (Task.IMAGE, Task.SPEECH)
            if media:
                return success(collector.media_answer(now), exchange)
            return success(collector.answer(now), exchange, collector.texts())
        except OneFlowError as failure:
            return error(f"{failure.code}: {failure.message}", collector.exchange)
        except OSError as wrong:
            return error(f"invalid_value: {wrong.filename}: {wrong.strerror}")

    async def _maker(self, task: Task, prompt: Any, model: str) -> Callable[..., Call]:
        if task is Task.TRANSCRIPTION:
            upload = await upload_of(self.room.runtime, prompt)
            return partial(plain_orders.transcript_call, upload, model=model)
        if task is Task.TEXT:
            return partial(plain.text_call, prompt, model=model, stream=False)
        make = plain_orders.image_call if task is Task.IMAGE else plain_orders.speech_call
        return partial(make, prompt, model=model)

    def _note(self, task: Task, exchange: Exchange) -> None:
        """Let every attempt count towards its provider's score; what says nothing of the provider does not."""
        scores = self._scores.setdefault(task, ProviderScores())
        for attempt in exchange.attempts:
            kind = KINDS.get(attempt.outcome)
            succeeded = attempt.outcome == "ok"
            if succeeded or (kind is not None and kind.blame == "target"):
                seconds = attempt.ended_seconds - attempt.started_seconds
                scores.add(attempt.target.provider, succeeded, seconds, attempt.ended_seconds)

    def _best(self, task: Task) -> BestProvider | None:
        snapshot, seen = self._snapshot, self._observed()
        scores = self._scores.setdefault(task, ProviderScores())
        route = snapshot.routes[task.value]
        targets: list[Target] = []
        for name in self.chain(task):
            place = self._usual(route, name)
            if place is not None:
                targets += snapshot.providers[name].targets(place.partition("/")[2])
        found = best_of(Route(route.name, task, tuple(targets)), scores, seen)
        if found.provider is None or found.score is None:
            return None
        names = dict.fromkeys(target.provider for target in targets)
        figures = "; ".join(scores.told(name, seen.now_seconds) for name in names)
        return BestProvider(found.provider, found.score, f"{found.why}. {FORMULA}: {figures}")

    def _statuses(self) -> dict[str, ProviderStatus]:
        return provider_statuses(self._known(), self._observed(), self.room.runtime.tally)

    def _observed(self) -> Observed:
        runtime = self.room.runtime
        return Observed(self._snapshot, runtime.books.health, runtime.clock.monotonic())


def initialize_provider_manager(use_real_api: bool = False) -> ProviderManager:
    """A manager of the providers that are configured, or of the four simulated ones."""
    return ProviderManager(use_real_api)


_OPERATIONS: Mapping[Task, Operation] = {
    Task.TEXT: Operation.CHAT,
    Task.IMAGE: Operation.IMAGE,
    Task.SPEECH: Operation.SPEECH,
    Task.TRANSCRIPTION: Operation.TRANSCRIPTION,
}


def _all(names: Sequence[str], one: str, several: str) -> str:
    return f"{', '.join(names)} {several if names[1:] else one}"


def _has(provider: Provider, model: str) -> bool:
    """Whether a provider serves a model, or once did."""
    return model in provider.models or provider.ended(model) is not None or model in provider.listed
