"""The API keys of one database and its vault of providers' keys, opened with the server's own secret."""

from __future__ import annotations

import os
from collections.abc import Mapping

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.ports import Clock
from oneflow_ai.settings import Loaded, Mistake, SettingsError, database_path, resolve
from oneflow_ai.settings.credentials import vault_names
from oneflow_ai.stores import StoreRefused, secret_file
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys, keys_were_made
from oneflow_ai.stores.secret_file import ServerSecret
from oneflow_ai.stores.sqlite import Database, look
from oneflow_ai.stores.vault import Opened, Seal, Vault, open_rows, sealed_rows, unopened, vault_is_used

PEPPER_PURPOSE = "oneflow api keys"


async def open_keys(loaded: Loaded, database: Database, clock: Clock) -> tuple[Keys, KeyDigest]:
    """The keys, and the digest that they are known by; makes the secret's file where there is none and no key yet.

    Raises `StoreRefused` for a secret that is missing, too short or open to others.
    """
    secret = await _secret_of(loaded, database)
    digest = KeyDigest(secret.derive(PEPPER_PURPOSE))
    return Keys(database, digest, clock), digest


async def open_vault(loaded: Loaded, database: Database, clock: Clock) -> Vault:
    """The vault; makes the secret's file as `open_keys` does. Raises `StoreRefused`."""
    return Vault(database, Seal(await _secret_of(loaded, database)), clock)


def look_into_vault(loaded: Loaded) -> Mapping[str, tuple[KeptKey, ...]]:
    """The keys of providers that the database keeps, by provider; makes and migrates nothing.

    Raises `SettingsError` where there are some that cannot be opened. A database that cannot be read has none, unless
    the configuration asks for one of them: whoever opens it to use it says what is wrong with it.
    """
    path = database_path(loaded)
    if not path.exists():
        return {}
    try:
        rows = look(path, sealed_rows)
    except StoreRefused as error:
        if vault_names(loaded):
            raise SettingsError([Mistake("the vault", "", str(error))]) from None
        return {}
    if not rows:
        return {}
    try:
        return opened_keys(open_rows(rows, Seal(server_secret(loaded, needed=True))))
    except (StoreRefused, SettingsError) as error:
        raise SettingsError([Mistake("the vault", "", str(error))]) from None


def opened_keys(opened: Opened) -> Mapping[str, tuple[KeptKey, ...]]:
    """The keys of an opened vault; raises `StoreRefused` where one could not be opened."""
    if opened.foreign or opened.damaged:
        raise StoreRefused(unopened(opened))
    return opened.keys


async def _secret_of(loaded: Loaded, database: Database) -> ServerSecret:
    needed = await keys_were_made(database) or await vault_is_used(database)
    return server_secret(loaded, needed=needed)


def server_secret(loaded: Loaded, *, needed: bool) -> ServerSecret:
    """The server's secret; `needed` says that a new one would not do. Raises `StoreRefused`."""
    form, _, name = loaded.settings.server.secret.partition(":")
    if form == "file":
        return secret_file.load_or_make(loaded.home / name, os.urandom, needed=needed)
    found = resolve(loaded.settings.server.secret, loaded.environment, loaded.home)
    if found is None:
        raise StoreRefused(f"{loaded.settings.server.secret} is not set")
    return secret_file.secret_of(found.reveal().encode(errors="surrogateescape"), name)
