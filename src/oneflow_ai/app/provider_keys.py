"""Changes the keys of providers where they are kept: in a file of keys, or in the vault; prints and asks nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from oneflow_ai.app.keys import open_vault
from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.ports import Clock
from oneflow_ai.policy.rotation import Age, age_of, in_use, next_end
from oneflow_ai.settings import Loaded, Mistake, SettingsError, configured_providers, database_path
from oneflow_ai.settings.credentials import (
    VAULT,
    KeyPlace,
    kept_keys,
    key_places,
    keys_files,
    origin_of,
    owner_of,
    read_keys_file,
)
from oneflow_ai.settings.keys_file import KEYS_FILE, written
from oneflow_ai.settings.tables import KEYS_MOST
from oneflow_ai.stores import private_file
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.vault import Change, Vault


def place_of_keys(loaded: Loaded, name: str, *, vault: bool = False) -> Path | None:
    """Where a change of a provider's keys is made: the file that has some, or None for the vault.

    The first place that has keys counts, as it does for calls; without any it is the file in the home.
    """
    if vault or name not in configured_providers(loaded):
        return None
    for place in kept_places(loaded, name):
        if in_use(place.keys, loaded.at):
            return Path(place.shown) if place.sort == "file" else None
    return loaded.home / KEYS_FILE


def kept_places(loaded: Loaded, name: str) -> list[KeyPlace]:
    """The places with keys of a provider that can be changed here."""
    return [place for place in key_places(loaded, name) if place.sort in ("file", "vault")]


def stands_before(loaded: Loaded, name: str, where: Path | None) -> str | None:
    """What keeps keys kept there from being used: an earlier place that has some; None where nothing does."""
    target = VAULT if where is None else str(where)
    for place in key_places(loaded, name):
        if place.shown == target:
            return None
        if in_use(place.keys, loaded.at):
            return place.shown
    return None


async def change_keys(
    loaded: Loaded, name: str, where: Path | None, change: Change, clock: Clock, *, replacing: bool = False
) -> None:
    """Let a provider's keys in a file, or in the vault, be what `change` makes of those in use.

    Raises `SettingsError`, `StoreRefused`, `Failure` and `OSError`.
    """

    def bounded(keys: tuple[KeptKey, ...]) -> tuple[KeptKey, ...]:
        after = tuple(change(keys))
        if len(after) > KEYS_MOST:
            raise SettingsError([Mistake("", "", f"a provider has at most {KEYS_MOST} keys")])
        return after

    if where is not None:
        change_file(where, name, bounded, clock.utc())
        return
    database = await Database.open(database_path(loaded))
    try:
        vault = await open_vault(loaded, database, clock)
        origin = origin_of(configured_providers(loaded)[owner_of(loaded, name)].base_url) or ""
        await vault.change(name, origin, bounded, replacing=replacing)
    finally:
        await database.close()


def change_file(path: Path, name: str | None, change: Change, now: datetime) -> None:
    """Change the keys of a provider in a file, and leave out all whose time is over; `name` None changes no others.

    Raises `SettingsError` for a file that is none or open to others, and `OSError`.
    """
    with private_file.turn(path.parent):
        kept = {each: in_use(keys, now) for each, keys in read_keys_file(path).items()}
        if name is not None:
            kept[name] = tuple(change(kept.get(name, ())))
        private_file.replace(path, written(kept).encode())


async def forget_ended(loaded: Loaded, vault: Vault, now: datetime) -> None:
    """Remove the keys whose time is over from every file and the vault. Raises as `change_keys` does."""
    await vault.forget_ended()
    await asyncio.to_thread(_forget_in_files, loaded, now)


def _forget_in_files(loaded: Loaded, now: datetime) -> None:
    for path in keys_files(loaded):
        if any(key.ended(now) for keys in read_keys_file(path).values() for key in keys):
            change_file(path, None, tuple, now)


def all_keys(loaded: Loaded) -> Iterator[tuple[str, int, KeptKey]]:
    """Every key in use: its provider, its number among that provider's keys from 1 on, and the key."""
    for name in configured_providers(loaded):
        for number, key in enumerate(kept_keys(loaded, name), 1):
            yield name, number, key


def keys_end(loaded: Loaded) -> datetime | None:
    """When the next of the keys in use ends; None where none does. Raises `SettingsError`."""
    return next_end((key for _, _, key in all_keys(loaded)), loaded.at)


def aged(loaded: Loaded) -> Iterator[tuple[str, Age, KeptKey]]:
    """The keys in use that are to be replaced, or will be soon."""
    for name, _, key in all_keys(loaded):
        if (age := age_of(key, loaded.at)) in (Age.DUE, Age.OVERDUE):
            yield name, age, key
