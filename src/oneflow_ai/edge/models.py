"""The models that clients may ask for, written once for each dialect that lists them; anew with routes or the day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import date, datetime

from oneflow_ai.core.call import Account
from oneflow_ai.core.failure import PROVIDER_NOT_CONFIGURED, Failure
from oneflow_ai.core.listing import Shown
from oneflow_ai.core.target import Provider, Route, Snapshot, Target
from oneflow_ai.dialects.table import PATHS, Lister
from oneflow_ai.policy.route import check_allowed, model_targets, unknown_model

OWNER = "oneflow"
_SERVED = frozenset(operation.task for _, operation in PATHS.values())


class ModelPages:
    """What is shown of every route and model. `created` is seconds of Unix time, told of each."""

    def __init__(self, created: int) -> None:
        self._created = created
        self._of: tuple[Mapping[str, Route], Mapping[str, Provider], date] | None = None
        self._shown: tuple[Shown, ...] = ()
        self._written: dict[str, Mapping[str, bytes]] = {}

    async def written(self, snapshot: Snapshot, dialect: Lister, now: datetime) -> Mapping[str, bytes]:
        """Each model in a dialect, by its id; made on a thread, for a thousand prices take half a second to read."""
        await self._look(snapshot, now)
        found = self._written.get(dialect.DIALECT)
        if found is None:
            bodies = {model.id: dialect.model_body(model, self._created) for model in self._shown}
            found = {name: body for name, body in bodies.items() if body}
            self._written[dialect.DIALECT] = found
        return found

    async def listed(self, snapshot: Snapshot, account: Account, dialect: Lister, now: datetime) -> bytes:
        """The list of the models that this account may use."""
        written = await self.written(snapshot, dialect, now)
        return dialect.models_body({name: each for name, each in written.items() if account.may_use(name)})

    async def page(self, name: str, snapshot: Snapshot, account: Account, dialect: Lister, now: datetime) -> bytes:
        """The page of the model that a call with this name reaches.

        Raises `Failure`: what such a call is told of its name, but a 404 for every model that nobody can be asked for.
        """
        check_allowed(account, name)
        written = await self.written(snapshot, dialect, now)
        page = written.get(name)
        if page is None and name not in snapshot.routes:
            target = _reached(snapshot, name)
            page = written.get(target.place)
            provider = snapshot.providers[target.provider]
            if page is None and target.model in provider.models & provider.retired:
                # The simulator answers for what has ended too, though it is on no list.
                page = dialect.model_body(_model(provider, target.model, now), self._created)
        if not page:
            raise unknown_model()
        return page

    async def _look(self, snapshot: Snapshot, now: datetime) -> None:
        # Keys come and go with snapshots of the same routes and providers.
        of, known = (snapshot.routes, snapshot.providers, now.date()), self._of
        if known is not None and known[0] is of[0] and known[1] is of[1] and known[2] == of[2]:
            return
        shown = await asyncio.to_thread(lambda: tuple(_shown(snapshot, now)))
        self._of, self._shown, self._written = of, shown, {}


def _reached(snapshot: Snapshot, name: str) -> Target:
    try:
        return model_targets(snapshot, name)[0]
    except Failure as failure:
        if failure.kind is PROVIDER_NOT_CONFIGURED:
            raise unknown_model() from None
        raise


def _shown(snapshot: Snapshot, now: datetime) -> Iterator[Shown]:
    for name, route in snapshot.routes.items():
        if route.targets and route.task in _SERVED:
            yield Shown(name, OWNER, (route.task.value,))
    for provider in snapshot.providers.values():
        if provider.configured:
            for model in sorted(provider.listed):
                yield _model(provider, model, now)


def _model(provider: Provider, model: str, now: datetime) -> Shown:
    target = provider.targets(model)[0]
    rates = None if target.price is None else target.price.bands(now, None)[0].rates
    return Shown(
        target.place,
        provider.name,
        provider.capabilities(model),
        target.context_window_tokens,
        target.output_most_tokens,
        None if rates is None else rates.input,
        None if rates is None else rates.output,
        target.ends,
    )
