"""What a configuration comes to, defaults and rules applied: providers, routes, files, demo mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oneflow_ai.core.call import Task
from oneflow_ai.settings.loaded import DEFAULT_KINDS, Loaded
from oneflow_ai.settings.rules import is_loopback
from oneflow_ai.settings.tables import ProviderSettings, RouteSettings

_DATABASE_PREFIX = "sqlite:///"


def configured_providers(loaded: Loaded) -> Mapping[str, ProviderSettings]:
    """Gives every provider by its name: those of the file in its order, the ones that need no table, then the others.

    `base_url` is filled in where the kind has an address of its own and is known.
    """
    named = loaded.settings.providers
    ordered = dict.fromkeys((*(name for name in named if name in loaded.written), *DEFAULT_KINDS, *named))
    return {name: _with_address(loaded, named.get(name) or ProviderSettings(kind=name)) for name in ordered}


def _with_address(loaded: Loaded, provider: ProviderSettings) -> ProviderSettings:
    kind = loaded.kind(provider.kind)
    if provider.base_url is not None or kind is None or kind.base_url is None:
        return provider
    return provider.model_copy(update={"base_url": kind.base_url.rstrip("/")})


def configured_routes(loaded: Loaded) -> Mapping[str, RouteSettings]:
    """Gives every route by its name: one for each task, then those of the configuration.

    Empty `targets` stand for the task's default chain, which the catalogue knows.
    """
    return {task.value: RouteSettings(task=task) for task in Task} | dict(loaded.settings.routes)


def at_own_address(loaded: Loaded, name: str) -> bool:
    """Says whether a provider is called at its kind's own address, where starting values and variables apply."""
    provider = configured_providers(loaded)[name]
    kind = loaded.kind(provider.kind)
    return kind is not None and kind.base_url is not None and provider.base_url == kind.base_url.rstrip("/")


def database_path(loaded: Loaded) -> Path:
    """Gives the file of the database; a relative one lies under the home."""
    return loaded.home / loaded.settings.database.url.removeprefix(_DATABASE_PREFIX)


def demo(loaded: Loaded, flag: bool, has_credentials: bool, *, in_process: bool = False) -> bool:
    """Says whether the simulator answers for all providers: asked for by `flag`, or nothing at all is set up.

    The latter means that no provider has a credential, no configuration file exists, and only this machine can call
    (`in_process` calls always come from it).
    """
    unset = not has_credentials and loaded.file is None
    return flag or (unset and (in_process or is_loopback(loaded.settings.server.host)))
