"""What no single value can show to be wrong: settings that contradict each other, or the world around them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator

from oneflow_ai.core.call import Task
from oneflow_ai.settings.credentials import (
    credentials,
    references,
    resolve,
    resolve_headers,
    vault_mistake,
    vault_name,
)
from oneflow_ai.settings.effective import configured_providers
from oneflow_ai.settings.keys_file import KEYS_FILE
from oneflow_ai.settings.loaded import DEFAULT_KINDS, Loaded
from oneflow_ai.settings.mistakes import Mistake, SettingPath, SettingsError, closest, dotted
from oneflow_ai.settings.rules import is_loopback, is_name, is_plain_http, is_reference
from oneflow_ai.settings.tables import ProviderSettings, TargetSettings

SECRET_BYTES_LEAST = 32


def check(loaded: Loaded) -> tuple[Mistake, ...]:
    """Gives every contradiction in a configuration, and warnings; `load` calls it and raises for the former."""
    found: list[Mistake] = []
    for rule in (_server, _providers, _unused_keys, _routes, _prices):
        found += rule(loaded)
    return tuple(dict.fromkeys(found))


def _mistake(loaded: Loaded, path: SettingPath, message: str, warning: bool = False) -> Mistake:
    return Mistake(loaded.place_of(path), dotted(path), message, warning)


def _told(loaded: Loaded, path: SettingPath, error: SettingsError) -> Iterator[Mistake]:
    """Yields what following a reference found wrong, at the setting that holds the reference."""
    for each in error.mistakes:
        own_place = each.where.startswith(KEYS_FILE)
        yield each if own_place else _mistake(loaded, path, f"{each.where} {each.message}")


def _server(loaded: Loaded) -> Iterator[Mistake]:
    server = loaded.settings.server
    if server.auth == "none" and not is_loopback(server.host):
        message = "none is for a loopback address only: write keys, or listen on 127.0.0.1"
        yield _mistake(loaded, ("server", "auth"), message)
    try:
        _secret(loaded)
    except SettingsError as error:
        yield from _told(loaded, ("server", "secret"), error)


def _secret(loaded: Loaded) -> None:
    reference = loaded.settings.server.secret
    form, _, name = reference.partition(":")
    if form == "file" and not os.path.exists(loaded.home / name):
        return
    secret = resolve(reference, loaded.environment, loaded.home)
    if secret is None:
        raise SettingsError([Mistake(reference, "", "is not set")])
    if len(secret.reveal().encode(errors="surrogateescape")) < SECRET_BYTES_LEAST:
        raise SettingsError([Mistake(reference, "", f"is shorter than {SECRET_BYTES_LEAST} bytes")])


def _providers(loaded: Loaded) -> Iterator[Mistake]:
    for name, provider in configured_providers(loaded).items():
        path = ("providers", name)
        if not is_name(name):
            yield _mistake(loaded, path, "a provider's name is letters, digits, '-', '_' and '.', at most 64")
        yield from _kind(loaded, path, provider)
        yield from _keys(loaded, path, provider)
        yield from _reach(loaded, path, provider, provider)
        if provider.base_url and is_plain_http(provider.base_url):
            message = "keys and prompts go unencrypted over the network: write https://"
            yield _mistake(loaded, (*path, "base_url"), message, warning=True)


def _kind(loaded: Loaded, path: SettingPath, provider: ProviderSettings) -> Iterator[Mistake]:
    known = {**DEFAULT_KINDS, **(loaded.kinds or {})}
    kind = known.get(provider.kind)
    if kind is None and loaded.kinds is not None:
        meant = closest(provider.kind, known)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(sorted(known))}"
        yield _mistake(loaded, (*path, "kind"), f"unknown kind; {hint}")
    if kind is not None and provider.base_url is None:
        yield _mistake(loaded, (*path, "base_url"), f"is required: {provider.kind} has no address of its own")


def _keys(loaded: Loaded, path: SettingPath, provider: ProviderSettings) -> Iterator[Mistake]:
    name, key_path = str(path[1]), (*path, "api_keys" if provider.api_keys else "api_key")
    if provider.api_key and provider.api_keys:
        yield _mistake(loaded, key_path, "write api_key or api_keys, not both")
    if missing := list(_missing(loaded, key_path, references(provider), provider)):
        yield from missing
        return
    try:
        keys = credentials(loaded, name)
    except SettingsError as error:
        yield from _told(loaded, key_path, error)
        return
    kind = loaded.kind(provider.kind)
    wanted = provider.api_key or provider.api_keys or (kind is not None and kind.key_required)
    if not keys and wanted and name in loaded.settings.providers:
        yield _mistake(loaded, key_path, "no key is at hand, so the provider is left out", warning=True)


def _missing(
    loaded: Loaded, path: SettingPath, asked: Iterable[str], provider: ProviderSettings | None
) -> Iterator[Mistake]:
    """Yields the references to the vault that lead to no key for this provider."""
    for reference in asked:
        if (name := vault_name(reference)) is None:
            continue
        if provider is None:
            yield _mistake(
                loaded, path, f"{reference} is for one provider's address: write PROVIDER/MODEL as the target"
            )
        elif why := vault_mistake(loaded, name, provider):
            yield _mistake(loaded, path, f"{reference}: {why}")


def _unused_keys(loaded: Loaded) -> Iterator[Mistake]:
    """Yields keys in the environment whose provider is not set up: whoever exported one expects it to be used."""
    kinds_used = {provider.kind for provider in configured_providers(loaded).values()}
    written = loaded.settings.model_dump_json()
    for name, kind in (loaded.kinds or {}).items():
        variable = kind.environment
        if variable is None or name in kinds_used or not loaded.environment.get(variable):
            continue
        if f'"env:{variable}"' not in written:
            yield Mistake(variable, "", f"is not used: write [providers.{name}] into oneflow.toml", warning=True)


def _reach(
    loaded: Loaded, path: SettingPath, place: ProviderSettings | TargetSettings, provider: ProviderSettings | None
) -> Iterator[Mistake]:
    """Yields what stands in the way to a provider: its headers, proxy and certificates."""
    yield from _missing(loaded, (*path, "headers"), place.headers.values(), provider)
    for name, value in place.headers.items():
        try:
            if vault_name(value) is None and not resolve_headers(loaded, {name: value}, provider):
                yield _mistake(loaded, (*path, "headers"), f"{value} is not set: {name} is left out", warning=True)
        except SettingsError as error:
            yield from _told(loaded, (*path, "headers"), error)
    try:
        _proxy(loaded, place.proxy)
    except SettingsError as error:
        yield from _told(loaded, (*path, "proxy"), error)
    if place.ca_file is not None and not os.path.isfile(loaded.home / place.ca_file):
        yield _mistake(loaded, (*path, "ca_file"), "is not a file; a relative path lies under $ONEFLOW_HOME")


def _proxy(loaded: Loaded, proxy: str | None) -> None:
    if proxy is None or not is_reference(proxy):
        return
    secret = resolve(proxy, loaded.environment, loaded.home)
    if secret is None:
        raise SettingsError([Mistake(proxy, "", "is not set")])
    if not secret.reveal().startswith(("http://", "https://")):
        raise SettingsError([Mistake(proxy, "", "is no http:// or https:// address")])


def _routes(loaded: Loaded) -> Iterator[Mistake]:
    for name, route in loaded.settings.routes.items():
        path = ("routes", name)
        if not is_name(name):
            yield _mistake(loaded, path, "a route's name is letters, digits, '-', '_' and '.', at most 64")
        if name in tuple(Task) and route.task != name:
            yield _mistake(loaded, (*path, "task"), f"must be {name}: the route {name} always gives that")
        if route.continue_cut and route.task is not Task.TEXT:
            yield _mistake(loaded, (*path, "continue_cut"), "is for routes of text: nothing else can be gone on with")
        for index, target in enumerate(route.targets):
            place = (*path, "targets", index)
            yield from _target(loaded, place, target.target)
            provider = configured_providers(loaded).get(target.target.partition("/")[0])
            yield from _reach(loaded, place, target, provider)


def _target(loaded: Loaded, path: SettingPath, target: str) -> Iterator[Mistake]:
    providers = configured_providers(loaded)
    first, slash, model = target.partition("/")
    listed = any(target in (provider.models or ()) for provider in providers.values())
    if first in providers:
        models = providers[first].models
        if not model:
            yield _mistake(loaded, path, f"names no model: write {first}/MODEL")
        elif models is not None and model not in models and not listed:
            yield _mistake(loaded, path, f"the models of {first} do not list it", warning=True)
    elif slash and not listed and loaded.kind(first):
        yield _mistake(loaded, path, f"{first} is not configured: add [providers.{first}]")
    elif slash and not listed and (meant := closest(first, providers)):
        yield _mistake(loaded, path, f"there is no provider {first}; did you mean {meant}/{model}?", warning=True)


def _prices(loaded: Loaded) -> Iterator[Mistake]:
    if not loaded.settings.prices:
        return
    from oneflow_ai.policy.tariff import KEYS, price_from  # noqa: PLC0415  only where prices are set

    providers = configured_providers(loaded)
    for name, table in loaded.settings.prices.items():
        path: SettingPath = ("prices", name)
        yield from _priced(loaded, path, providers)
        unknown = [key for key in table if key not in KEYS]
        for key in unknown:
            meant = closest(key, KEYS)
            hint = f"did you mean {meant}?" if meant else f"known are {', '.join(KEYS)}"
            yield _mistake(loaded, (*path, key), f"unknown price; {hint}")
        try:
            if not unknown:
                price_from(table)
        except ValueError as error:
            yield _mistake(loaded, path, str(error))


def _priced(loaded: Loaded, path: SettingPath, providers: Collection[str]) -> Iterator[Mistake]:
    name = str(path[-1])
    first, _, model = name.partition("/")
    if name != "*" and not (first in providers and model):
        meant = closest(first, providers) if model else None
        hint = f"; did you mean {meant}/{model}?" if meant else ""
        yield _mistake(loaded, path, f"a price is for PROVIDER/MODEL of a configured provider{hint}")
