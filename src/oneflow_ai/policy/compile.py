"""Configured rows to one checked snapshot: providers that make their targets, routes resolved, prices fixed ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from fractions import Fraction
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from oneflow_ai.core.call import Task, is_among
from oneflow_ai.core.failure import PROVIDER_NOT_CONFIGURED, Failure
from oneflow_ai.core.listing import ABILITIES, Listed
from oneflow_ai.core.price import Price, at_rate, free
from oneflow_ai.core.target import (
    Credential,
    Ended,
    Provider,
    Route,
    Snapshot,
    Target,
)
from oneflow_ai.policy.route import MIXED, STRATEGIES, mixes, model_targets
from oneflow_ai.policy.rows import Facts, Headers, Models, ProviderRow, RouteRow, RouteTarget, Rows, Sort
from oneflow_ai.policy.tariff import configured_price

TARGETS_MOST = 1_024
CREDITS_OPTION = "usd_per_million_credits"
"""The setting of a provider that counts in credits: what a million of them cost."""
_SENT_ALWAYS: Headers = (
    ("content-type", "application/json"),
    ("accept-encoding", "identity"),
    ("user-agent", "oneflow"),
)


class CompiledProvider:
    """Implements the `Provider` port: makes targets as they are asked for, and remembers at most `TARGETS_MOST`.

    `models` are those that it serves; of one that is simulated, those that have ended too.
    """

    def __init__(self, row: ProviderRow, sort: Sort, catalog: Models, rows: Rows) -> None:
        self.name = row.name
        self.kind = row.kind
        self.configured = bool(row.secrets) or not sort.key_required or row.simulated
        self._row = row
        self._sort = sort
        self._catalog = catalog
        self._prices = rows.prices
        self._on = rows.on
        self._credentials = _credentials(row)
        voice = catalog.default_voice(row.kind)
        spoken = {} if voice is None else {"voice": voice}
        self._options = MappingProxyType({**sort.options, **spoken, **row.options})
        # Where the operator says what a model's characters cost, its credits are not looked at.
        self._priced_options = MappingProxyType(
            {name: value for name, value in self._options.items() if name != CREDITS_OPTION}
        )
        named = {**sort.voices, **row.voices}
        self._voices = MappingProxyType({name.casefold(): own for name, own in named.items()})
        self._made = lru_cache(TARGETS_MOST)(self._make)
        self._refused = lru_cache(TARGETS_MOST)(self._end)
        # A server of the operator's own: what another one serves under the same name says nothing of it.
        self._elsewhere = row.name != row.kind and row.base_url != (sort.base_url or "").rstrip("/")
        self.models = self._named() if row.models is None else row.models

    @cached_property
    def listed(self) -> frozenset[str]:
        """The models that can be called today; made when it is first asked for, since some have a thousand."""
        return self._does - self.retired

    @cached_property
    def retired(self) -> frozenset[str]:
        """The models that have ended; none of those that the operator lists."""
        if self._row.models is not None:
            return frozenset()
        return frozenset(model for model in self._does if self._is_over(model))

    @cached_property
    def _does(self) -> frozenset[str]:
        """The known models for a task served here; of those that the operator lists, the unknown ones too."""
        own, offered, tasks = self._row.models, self._row.offered, self._sort.tasks
        if own is None and offered is not None:
            known = self._catalog.models(self.kind)
            others = (model for model in known if self._is_over(model) or is_among(model, self._sort.unlisted))
            return frozenset(one for one in {*offered, *others} if not tasks.isdisjoint(self._catalog.tasks(one)))
        models = self._catalog.models(self.kind) if own is None else own
        unknown = {model for model in own or () if self._catalog.model(self.kind, model) is None}
        return frozenset(one for one in models if one in unknown or not tasks.isdisjoint(self._catalog.tasks(one)))

    def targets(self, model: str) -> tuple[Target, ...]:
        """The targets of one model, one for each credential."""
        return self._made(model)

    def capabilities(self, model: str) -> tuple[str, ...]:
        """What a model is for, and what its provider's list, the table of facts or its price say that it can do."""
        listed = (self._row.offered or {}).get(model)
        able = set(listed.able) if listed is not None else set()
        if self._catalog.reasons(model):
            able.add("reasoning")
        price = self.targets(model)[0].price
        if price is not None and "cached" in price.bands(datetime.combine(self._on, time(), UTC), None)[0].rates.kinds:
            # What has a price of its own for it reads from a cache.
            able.add("prompt_cache")
        return (*self._catalog.tasks(model), *(name for name in ABILITIES if name in able))

    def does(self, model: str, task: Task) -> bool:
        """Whether a model does a task; what is not known to be for another one may."""
        tasks = self._catalog.tasks(model)
        # A server that is said to do text alone may make pictures in a chat.
        sure = not self._sort.tasks.isdisjoint(tasks) and self._catalog.model(self.kind, model) is not None
        return task in tasks or not sure

    def ended(self, model: str) -> Ended | None:
        """That a model is retired; None while it is served, or where nobody can tell."""
        return self._refused(model)

    def default_model(self, task: Task) -> str | None:
        """The model used when a caller names only the task: its successor once it is retired, None if not listed."""
        model = self._catalog.default_model(self.kind, task)
        if model is None or task not in self._sort.tasks:
            return None
        ended = self.ended(model)
        model = model if ended is None else ended.successor or model
        return model if self._row.models is None or model in self._row.models else None

    def _named(self) -> frozenset[str]:
        models = self._catalog.models(self.kind)
        return frozenset(model for model in models if self._row.simulated or not self._is_over(model))

    def _is_over(self, model: str) -> bool:
        """Whether the provider refuses it by now; the day that its own list tells comes before the catalogue's.

        What is on the list of a server of the operator's own is served there, whatever the catalogue says.
        """
        listed = None if self._row.offered is None else self._row.offered.get(model)
        if listed is not None and (self._elsewhere or listed.gone or listed.ends is not None):
            return listed.ended(self._on)
        return self._catalog.ended(self.kind, model, self._on)

    def _end(self, model: str) -> Ended | None:
        if self._row.simulated or self._row.models is not None or not self._is_over(model):
            return None
        facts, listed = self._catalog.model(self.kind, model), (self._row.offered or {}).get(model)
        if self._elsewhere and listed is None:
            return None
        return Ended(self._end_day(facts, listed), _known(facts, "successor"))

    def _end_day(self, facts: Facts | None, listed: Listed | None) -> date | None:
        """The UTC day from which the provider refuses a model, where it is known."""
        return _known(listed, "ends") or (None if self._elsewhere else _known(facts, "shutdown"))

    def _make(self, model: str) -> tuple[Target, ...]:
        row, place = self._row, f"{self.name}/{model}"
        price = row.price or configured_price(self._prices, place)
        options = self._options if price is None else self._priced_options
        if price is None:
            price = self._list_price(model)
        if price is None and row.simulated:
            # The simulator answers to any name; what has no list price is simulated for nothing.
            price = free()
        facts, listed = self._catalog.model(self.kind, model), (row.offered or {}).get(model)
        timeouts = row.timeouts
        if self._catalog.reasons(model):
            timeouts = replace(timeouts, first_event_seconds=row.reasoning_seconds)
        return tuple(
            Target(
                place=place,
                provider=self.name,
                kind=self.kind,
                model=model,
                credential=credential,
                adapter=self._sort.adapter,
                base_url=row.base_url,
                way=row.way,
                headers=self._headers(credential),
                price=price,
                timeouts=timeouts,
                limits=row.limits,
                context_window_tokens=_known(facts, "context_window_tokens") or _known(listed, "context_window_tokens"),
                output_most_tokens=_known(facts, "output_most_tokens") or _known(listed, "output_most_tokens"),
                simulated=row.simulated,
                vectors=self._vectors(model, known=facts is not None),
                options=options,
                ends=self._end_day(facts, listed),
                successor=_known(facts, "successor"),
                on_cancel=self._sort.on_cancel,
                prefill=self._sort.prefill(model),
                voices=self._voices,
                hands_on=self._sort.hands_on,
                picture_tokens=self._sort.picture_tokens,
            )
            for credential in self._credentials
        )

    def _list_price(self, model: str) -> Price | None:
        """The catalogue's price, at what the operator pays for a credit where list prices are of credits."""
        price = self._catalog.price(self.kind, model)
        usual, own = self._sort.options.get(CREDITS_OPTION), self._options.get(CREDITS_OPTION)
        if price is None or usual is None or own is None or own == usual:
            return price
        return at_rate(price, "characters", Fraction(own) / Fraction(usual))

    def _vectors(self, model: str, *, known: bool) -> str:
        """The name of a model of embeddings, without its maker's that a reseller writes before it.

        Empty for an unknown id of another form: a deployment or a server's own, which may be any model.
        """
        maker, _, name = model.rpartition("/")
        return name if (known or maker) and Task.EMBEDDING in self._catalog.tasks(model) else ""

    def _headers(self, credential: Credential) -> Headers:
        key: Headers = ()
        if credential.secret is not None and not self._sort.signs(credential.secret.reveal()):
            key = ((self._sort.key_header, self._sort.key_prefix + credential.secret.reveal()),)
        return _merged(_SENT_ALWAYS, key, self._row.headers)


def compile_snapshot(rows: Rows, sorts: Mapping[str, Sort], catalog: Models) -> Snapshot:
    """The snapshot of these rows.

    Raises `ValueError` that names the provider of an unknown sort, the route with an unknown strategy, or the target
    that leads nowhere. What has no credential is left out of routes.
    """
    providers: dict[str, Provider] = {}
    for row in rows.providers:
        if row.kind not in sorts:
            raise ValueError(f"provider {row.name}: there is no kind {row.kind}; known are {', '.join(sorted(sorts))}")
        providers[row.name] = CompiledProvider(row, sorts[row.kind], catalog, rows)
    bare = Snapshot(rows.version, {}, providers, rows.keys, rows.retry, rows.follow_successors)
    return replace(bare, routes={row.name: _route(row, bare) for row in rows.routes})


def _known(facts: Facts | Listed | None, name: str) -> Any:
    """A fact of a model, where anything is known of it."""
    return getattr(facts, name, None)


def _merged(*groups: Headers) -> Headers:
    """All these headers, each once: the last one set counts."""
    return tuple({name.lower(): value for group in groups for name, value in group}.items())


def _credentials(row: ProviderRow) -> tuple[Credential, ...]:
    if not row.secrets:
        return (Credential(row.name, None),)
    if len(row.secrets) == 1:
        return (Credential(row.name, row.secrets[0]),)
    return tuple(Credential(f"{row.name}#{number}", secret) for number, secret in enumerate(row.secrets, 1))


def _route(row: RouteRow, snapshot: Snapshot) -> Route:
    if row.strategy not in STRATEGIES:
        raise ValueError(
            f"route {row.name}: there is no strategy {row.strategy}; known are {', '.join(sorted(STRATEGIES))}"
        )
    targets = _targets(row, row.targets, snapshot) if row.targets else _default_chain(row.task, snapshot)
    targets += _targets(row, row.last, snapshot)
    if row.continue_cut:
        targets = tuple(replace(target, continue_cut=True) for target in targets)
    return Route(row.name, row.task, targets, row.strategy)


def _targets(row: RouteRow, named: Sequence[RouteTarget], snapshot: Snapshot) -> tuple[Target, ...]:
    found: list[Target] = []
    for wanted in named:
        try:
            # What only a list of the provider's tells does not decide whether a configuration holds.
            # A model that has ended stays in its route until the provider refuses it: no server fails to start one day.
            targets = model_targets(snapshot, wanted.name, as_it_stands=True, listed=False)
        except Failure as failure:
            if failure.kind is PROVIDER_NOT_CONFIGURED:
                continue
            raise ValueError(f"route {row.name}: target {wanted.name}: {failure.message}") from None
        found += [_as_wanted(target, wanted) for target in targets]
    if row.task is Task.EMBEDDING and mixes(found):
        raise ValueError(f"route {row.name}: {MIXED}")
    return tuple(found)


def _as_wanted(target: Target, wanted: RouteTarget) -> Target:
    timeouts = target.timeouts
    if wanted.timeout_seconds is not None:
        timeouts = replace(timeouts, total_seconds=wanted.timeout_seconds)
    return replace(
        target,
        weight=wanted.weight,
        timeouts=timeouts,
        headers=_merged(target.headers, wanted.headers),
        way=wanted.way or target.way,
    )


def _default_chain(task: Task, snapshot: Snapshot) -> tuple[Target, ...]:
    """The default model of every configured provider that has one: in the providers' order, but specialists first.

    Where the task is another than text, those that do no text come before those that do everything. Embeddings stay
    with the first one's model.
    """
    providers = [one for one in snapshot.providers.values() if one.configured and one.kind == one.name]
    if task is not Task.TEXT:
        providers.sort(key=lambda provider: provider.default_model(Task.TEXT) is not None)
    found: list[Target] = []
    for provider in providers:
        model = provider.default_model(task)
        targets = provider.targets(model) if model is not None else ()
        if task is Task.EMBEDDING and found and any(target.vectors != found[0].vectors for target in targets):
            continue
        found += targets
    return tuple(found)
