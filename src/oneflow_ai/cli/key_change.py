"""What the verbs for providers' keys share: where a key is kept, asking whether it works, and what is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneflow_ai.cli.output import note
from oneflow_ai.cli.spread import Common

if TYPE_CHECKING:
    from oneflow_ai.app.trial import Tried
    from oneflow_ai.core.kept_key import KeptKey
    from oneflow_ai.core.target import Secret
    from oneflow_ai.settings import Loaded
    from oneflow_ai.stores.vault import Change


@dataclass(frozen=True, slots=True)
class PlaceOptions(Common):
    """What verbs that change keys take."""

    vault: Annotated[bool, typer.Option("--vault", help="In the database, encrypted, instead of a file.")] = False


def opened(options: Common) -> Loaded:
    """The configuration with the vault's keys; a vault that cannot be opened is told, and counts as empty."""
    from oneflow_ai.cli.configured import load_settings, vault_keys
    from oneflow_ai.settings import SettingsError

    loaded = load_settings(options.config, vault=None)
    try:
        return replace(loaded, vault=vault_keys(loaded))
    except SettingsError as error:
        note(f"warning: {error}")
        return loaded


def asked_provider(loaded: Loaded, name: str, key: Secret) -> Tried:
    """What the provider says of the key."""
    from oneflow_ai.app.clock import SystemClock
    from oneflow_ai.app.trial import try_key
    from oneflow_ai.catalog import load_catalog

    return asyncio.run(try_key(loaded, name, key, load_catalog(), SystemClock()))


def keep(loaded: Loaded, name: str, change: Change, *, vault: bool, replacing: bool = False) -> Path | None:
    """Change the keys of a provider where they are kept; gives that file, or None for the vault."""
    from oneflow_ai.app.clock import SystemClock
    from oneflow_ai.app.provider_keys import change_keys

    where = place_of(loaded, name, vault=vault)
    asyncio.run(change_keys(loaded, name, where, change, SystemClock(), replacing=replacing))
    return where


def note_unused(loaded: Loaded, name: str, where: Path | None) -> None:
    """Tell of what keeps a key that was just kept from being used."""
    from oneflow_ai.app.provider_keys import stands_before

    if before := stands_before(loaded, name, where):
        note(f"note: {before} comes first, so this key is not used for {name} as long as that is there")


def kept_json(name: str, where: Path | None, tried: Tried | None) -> dict[str, Any]:
    """A kept key for programs."""
    return {
        "provider": name,
        "place": place_shown(where),
        "check": "unchecked" if tried is None else tried.result,
        "models": None if tried is None else tried.models,
        "account": None if tried is None else tried.account,
        "message": None if tried is None or tried.result == "works" else tried.words,
    }


def kept_words(tried: Tried | None) -> str:
    """What is known of a key that was kept."""
    if tried is None:
        return "not checked"
    what = "works" if tried.result == "works" else "could not be checked"
    return f"{what} ({tried.words})" if tried.words else what


def place_of(loaded: Loaded, name: str, *, vault: bool) -> Path | None:
    """The file in which a provider's keys are changed, or None for the vault."""
    from oneflow_ai.app.provider_keys import place_of_keys

    return place_of_keys(loaded, name, vault=vault)


def new_key(key: Secret, loaded: Loaded) -> KeptKey:
    """The key as it is kept from now on."""
    from oneflow_ai.core.kept_key import KeptKey

    return KeptKey(key, loaded.at)


def place_shown(where: Path | None) -> str:
    """The place as people know it."""
    return "vault" if where is None else str(where)
