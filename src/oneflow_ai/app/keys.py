"""The API keys of one database, opened with the server's own secret."""

from __future__ import annotations

import os

from oneflow_ai.core.ports import Clock
from oneflow_ai.settings import Loaded, resolve
from oneflow_ai.stores import secret_file
from oneflow_ai.stores.key_format import KeyDigest
from oneflow_ai.stores.keys import Keys, keys_were_made
from oneflow_ai.stores.secret_file import ServerSecret
from oneflow_ai.stores.sqlite import Database

PEPPER_PURPOSE = "oneflow api keys"


async def open_keys(loaded: Loaded, database: Database, clock: Clock) -> tuple[Keys, KeyDigest]:
    """The keys, and the digest that they are known by; makes the secret's file where there is none and no key yet.

    Raises `StoreRefused` for a secret that is missing, too short or open to others.
    """
    secret = server_secret(loaded, needed=await keys_were_made(database))
    digest = KeyDigest(secret.derive(PEPPER_PURPOSE))
    return Keys(database, digest, clock), digest


def server_secret(loaded: Loaded, *, needed: bool) -> ServerSecret:
    """The server's secret; `needed` says that a new one would not do. Raises `StoreRefused`."""
    form, _, name = loaded.settings.server.secret.partition(":")
    if form == "file":
        return secret_file.load_or_make(loaded.home / name, os.urandom, needed=needed)
    found = resolve(loaded.settings.server.secret, loaded.environment, loaded.home)
    assert found is not None, "a configuration whose secret is not set was refused"
    return secret_file.secret_of(found.reveal().encode(errors="surrogateescape"), name)
