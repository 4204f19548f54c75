"""From settings to the rows that a snapshot is compiled of: credentials found, limits and times filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlsplit, urlunsplit

from oneflow_ai.catalog import Catalog
from oneflow_ai.core.call import Account
from oneflow_ai.core.listing import Listed, Listing
from oneflow_ai.core.money import decimal_usd
from oneflow_ai.core.price import free
from oneflow_ai.core.target import ProviderLimits, RetryPolicy, Secret, Snapshot, Timeouts
from oneflow_ai.policy.compile import CREDITS_OPTION, compile_snapshot
from oneflow_ai.policy.rows import REASONING_SECONDS, ProviderRow, RouteRow, RouteTarget, Rows
from oneflow_ai.policy.tariff import price_from
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import (
    Loaded,
    ProviderSettings,
    TargetSettings,
    at_own_address,
    configured_providers,
    configured_routes,
    credentials,
    is_reference,
    resolve,
    resolve_headers,
)
from oneflow_ai.upstream import Way

SIMULATOR = "simulator"
_SIMULATOR_SECRET = Secret("simulated")


@dataclass(frozen=True, slots=True)
class Simulated:
    """The simulator's address, and whether it answers for every provider (demo mode) or ends chains only."""

    base_url: str
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Plant:
    """A compiled snapshot, the ways out that its targets use, and the rows it was compiled of."""

    snapshot: Snapshot
    ways: Mapping[str, Way]
    rows: Rows


def with_lists(
    rows: Rows, catalog: Catalog, lists: Mapping[str, Listing], keys: Mapping[bytes, Account], version: str, on: date
) -> Snapshot:
    """The snapshot of the same rows on another day, with what the providers' own lists say."""
    providers = [replace(row, offered=_offered(row, lists)) for row in rows.providers]
    return compile_snapshot(replace(rows, providers=providers, keys=keys, version=version, on=on), TABLE, catalog)


def _offered(row: ProviderRow, lists: Mapping[str, Listing]) -> Mapping[str, Listed] | None:
    """What the provider's list offers: the list must be from the same address, and the row not simulated."""
    listing = lists.get(row.name)
    if listing is None or listing.base_url != row.base_url or row.simulated:
        return None
    return listing.models


def has_credentials(loaded: Loaded) -> bool:
    """Whether any provider has a key, or one that needs none was configured."""
    if any(credentials(loaded, name) for name in configured_providers(loaded)):
        return True
    return any(not TABLE[row.kind].key_required for row in loaded.settings.providers.values() if row.kind in TABLE)


def ends_simulated(loaded: Loaded) -> bool:
    """Whether any route is to end at the simulator."""
    return any(route.simulate_last for route in loaded.settings.routes.values())


def compile_settings(
    loaded: Loaded,
    catalog: Catalog,
    keys: Mapping[bytes, Account],
    *,
    simulated: Simulated | None,
    version: str,
    on: date,
    lists: Mapping[str, Listing] | None = None,
) -> Plant:
    """The snapshot of a configuration; raises `ValueError` saying what cannot be compiled, and `SettingsError`."""
    settings = loaded.settings
    ways: dict[str, Way] = {}
    providers = []
    for name, found in configured_providers(loaded).items():
        everywhere = simulated is not None and simulated.everywhere
        secrets = (_SIMULATOR_SECRET,) if everywhere else credentials(loaded, name)
        providers.append(_provider(loaded, name, found, simulated, secrets))
        ways[name] = _way(loaded, found, simulated)
    if simulated is not None and (not simulated.everywhere or ends_simulated(loaded)):
        providers.append(_simulator(simulated))
        ways[SIMULATOR] = Way()
    rows = Rows(
        providers=providers,
        routes=[_route(loaded, name, ways, simulated) for name in configured_routes(loaded)],
        keys=keys,
        retry=RetryPolicy(
            attempts=settings.retry.attempts,
            unsafe=settings.retry.unsafe,
            jitter=settings.retry.jitter,
            deadline_seconds=settings.retry.deadline_seconds,
        ),
        prices={name: price_from(table) for name, table in settings.prices.items()},
        follow_successors=settings.models.follow_successors,
        version=version,
        on=on,
    )
    return Plant(with_lists(rows, catalog, lists or {}, keys, version, on), ways, rows)


def provider_alone(loaded: Loaded, name: str, key: Secret, catalog: Catalog, on: date) -> Plant:
    """A snapshot of one provider with one key, without routes."""
    found = configured_providers(loaded)[name]
    row = _provider(loaded, name, found, None, (key,))
    rows = Rows([row], [], {}, RetryPolicy(), prices={}, follow_successors=False, version="", on=on)
    return Plant(compile_snapshot(rows, TABLE, catalog), {name: _way(loaded, found, None)}, rows)


def _trusted(loaded: Loaded, ca_file: str | None) -> str | None:
    return None if ca_file is None else str(loaded.home / ca_file)


def _proxy(loaded: Loaded, proxy: str | None) -> str | None:
    if proxy is None or not is_reference(proxy):
        return proxy
    secret = resolve(proxy, loaded.environment, loaded.home)
    assert secret is not None, "a configuration whose proxy is not set was refused"
    return secret.reveal()


def _provider(
    loaded: Loaded, name: str, found: ProviderSettings, simulated: Simulated | None, secrets: tuple[Secret, ...]
) -> ProviderRow:
    headers = resolve_headers(loaded, found.headers, found)
    named = (("openai-organization", found.organization), ("openai-project", found.project))
    rate = found.usd_per_million_credits
    options = {
        "api_version": found.api_version,
        "region": found.region,
        CREDITS_OPTION: None if rate is None else f"{decimal_usd(rate):f}",
    }
    everywhere = simulated is not None and simulated.everywhere
    return ProviderRow(
        name=name,
        kind=found.kind,
        base_url=_played_at(simulated, found.kind) if simulated is not None and everywhere else _own_address(found),
        way=name,
        secrets=secrets,
        limits=_limits(loaded, name, found, everywhere),
        timeouts=Timeouts(
            connect_seconds=found.connect_seconds,
            first_event_seconds=found.first_event_seconds or Timeouts().first_event_seconds,
            idle_seconds=found.idle_seconds,
            total_seconds=found.timeout_seconds,
        ),
        reasoning_seconds=found.first_event_seconds or REASONING_SECONDS,
        headers=(*((header, value) for header, value in named if value), *headers),
        models=None if found.models is None else frozenset(found.models),
        options={option: value for option, value in options.items() if value},
        voices=found.voices,
        simulated=everywhere,
    )


def _own_address(found: ProviderSettings) -> str:
    return (found.base_url or "").rstrip("/")


def _played_at(simulated: Simulated, kind: str) -> str:
    """Where the simulator plays a kind of provider: on that provider's own path, since the path tells it the wire."""
    own = TABLE[kind].base_url if kind in TABLE else None
    if own is None:
        return simulated.base_url
    there = urlsplit(simulated.base_url)
    return urlunsplit((there.scheme, there.netloc, urlsplit(own).path.rstrip("/"), "", ""))


def _limits(loaded: Loaded, name: str, found: ProviderSettings, simulated: bool) -> ProviderLimits:
    """What the user set is a ceiling; at its own address a provider starts with the table's value."""
    own = not simulated and at_own_address(loaded, name)
    start = TABLE[found.kind].requests_per_minute if own and found.kind in TABLE else 0
    return ProviderLimits(
        requests_per_minute=start if found.requests_per_minute is None else found.requests_per_minute,
        tokens_per_minute=found.tokens_per_minute or 0,
        concurrency=found.concurrency or 0,
        requests_firm=found.requests_per_minute is not None,
        tokens_firm=found.tokens_per_minute is not None,
        concurrency_firm=found.concurrency is not None,
    )


def _simulator(simulated: Simulated) -> ProviderRow:
    return ProviderRow(
        name=SIMULATOR,
        kind="openai",
        base_url=simulated.base_url,
        way=SIMULATOR,
        secrets=(_SIMULATOR_SECRET,),
        models=frozenset(),
        simulated=True,
        price=free(),
    )


def _route(loaded: Loaded, name: str, ways: dict[str, Way], simulated: Simulated | None) -> RouteRow:
    found = configured_routes(loaded)[name]
    assert found.task is not None
    targets = tuple(_target(loaded, target, ways) for target in found.targets)
    last = (RouteTarget(f"{SIMULATOR}/{name}"),) if found.simulate_last and simulated is not None else ()
    return RouteRow(name, found.task, targets, found.strategy, found.continue_cut, last)


def _target(loaded: Loaded, target: TargetSettings, ways: dict[str, Way]) -> RouteTarget:
    first = target.target.partition("/")[0]
    way = None
    if target.proxy is not None or target.ca_file is not None:
        # What was written, not what it leads to: a way's name is no place for a password.
        way = f"{target.target} by {target.proxy or ''} {target.ca_file or ''}"
        usual = ways.get(first, Way())
        ways[way] = replace(
            usual,
            ca_file=_trusted(loaded, target.ca_file) or usual.ca_file,
            proxy=_proxy(loaded, target.proxy) or usual.proxy,
        )
    return RouteTarget(
        name=target.target,
        weight=target.weight,
        timeout_seconds=target.timeout_seconds,
        headers=resolve_headers(loaded, target.headers, configured_providers(loaded).get(first)),
        way=way,
    )


def _way(loaded: Loaded, found: ProviderSettings, simulated: Simulated | None) -> Way:
    # The simulator that stands in for a provider is on this machine, whatever holds for the provider.
    private = None if simulated is not None and simulated.everywhere else found.private
    trusted, proxy = _trusted(loaded, found.ca_file), _proxy(loaded, found.proxy)
    return Way(trusted, proxy, found.connections_most, private=private)
