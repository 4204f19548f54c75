"""The configuration as verbs need it: loaded with every mistake told, and compiled with the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from oneflow_ai.app.lists import read_lists
from oneflow_ai.app.rows import Simulated, compile_settings, has_credentials
from oneflow_ai.catalog import Catalog, load_catalog
from oneflow_ai.cli.failures import MISUSED, Refused
from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Snapshot
from oneflow_ai.edge.engines import engine
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, Mistake, SettingsError, Vault, database_path, demo, load


@dataclass(frozen=True, slots=True)
class Compiled:
    """A configuration with all that it comes to; `demo` says that the simulator would answer for every provider."""

    loaded: Loaded
    catalog: Catalog
    snapshot: Snapshot
    demo: bool


class Wrong(Refused):
    """A configuration that cannot be used, with every mistake in it."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(*map(str, self.mistakes), status=MISUSED)


def vault_keys(loaded: Loaded) -> Mapping[str, tuple[KeptKey, ...]]:
    """The keys of providers that the database keeps; none where there is no database. Raises `SettingsError`."""
    if not database_path(loaded).exists():
        return {}
    from oneflow_ai.app.keys import look_into_vault

    return look_into_vault(loaded)


def load_settings(
    config: Path | None, overrides: Mapping[str, str] | None = None, *, vault: Vault | None = vault_keys
) -> Loaded:
    """The checked configuration; `overrides` are variables laid over the environment. Raises `Wrong`.

    `vault` opens the keys that the database keeps; None leaves them closed.
    """
    try:
        return load(config, kinds=TABLE, variables=overrides, vault=vault)
    except SettingsError as error:
        raise Wrong(error.mistakes) from None


def compiled(loaded: Loaded) -> Compiled:
    """The configuration compiled as a server would; raises `Wrong` for a route that leads nowhere."""
    catalog = load_catalog()
    simulated = demo(loaded, False, has_credentials(loaded), in_process=True)
    try:
        plant = compile_settings(
            loaded,
            catalog,
            {},
            simulated=Simulated("", everywhere=True) if simulated else None,
            version="",
            on=datetime.now(UTC).date(),
            lists=read_lists(loaded.home),
        )
    except SettingsError as error:
        raise Wrong(error.mistakes) from None
    except ValueError as error:
        raise Wrong([late_mistake(loaded, error)]) from None
    return Compiled(loaded, catalog, plant.snapshot, simulated)


def check_engine(loaded: Loaded) -> None:
    """Raise `Wrong` where the server's engine is not installed; what runs in process does without."""
    try:
        engine(loaded.settings.server.engine)
    except ValueError as error:
        raise Wrong([Mistake(loaded.place_of(("server", "engine")), "", str(error))]) from None


def late_mistake(loaded: Loaded, error: ValueError) -> Mistake:
    """A mistake that only compiling found, with its place where the words begin with the route's or provider's name."""
    section, _, rest = str(error).partition(" ")
    name = rest.partition(":")[0]
    path = (f"{section}s", name)
    where = loaded.place_of(path) if section in ("route", "provider") else ""
    return Mistake(where, "", str(error))
