"""The vault: keys of providers in the database, sealed with a key that is made of the server's own secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, delete, insert, inspect, select, update

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.ports import Clock
from oneflow_ai.core.target import Secret
from oneflow_ai.policy.rotation import in_use
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.moments import as_microseconds, as_moment
from oneflow_ai.stores.secret_file import ServerSecret
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import provider_keys

SEAL_PURPOSE = "oneflow vault"
NAME_PURPOSE = "oneflow vault name"
NONCE_BYTES = 12
NAMES_MOST = 5
_NAME_BYTES = 8
_ID_BYTES = 12
# What a row that nobody wrote so may raise as it is read.
_UNREADABLE = (TypeError, ValueError, OverflowError)

Version: TypeAlias = tuple[tuple[str, int | None], ...]
Change: TypeAlias = Callable[[tuple[KeptKey, ...]], Sequence[KeptKey]]


class Seal:
    """Seals keys and opens them: AES-256-GCM (NIST SP 800-38D), each bound to its row, its provider and its origin.

    `name` tells whether a key was sealed with the same server secret, and nothing of the secret itself.
    """

    __slots__ = ("_key", "name")

    def __init__(self, secret: ServerSecret) -> None:
        self._key = secret.derive(SEAL_PURPOSE)
        self.name = secret.derive(NAME_PURPOSE, _NAME_BYTES).hex()

    def close(self, key: Secret, row: tuple[str, str, str], nonce: bytes) -> bytes:
        """What is kept of a key; `row` is its id, provider and origin, `nonce` is used for this once."""
        sealed: bytes = self._cipher().encrypt(nonce, key.reveal().encode(), _bound(row))
        return nonce + sealed

    def open(self, sealed: bytes, row: tuple[str, str, str]) -> Secret:
        """The key; raises `ValueError` where it was sealed otherwise, or for another row."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `_cipher`

        try:
            return Secret(self._cipher().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(row)).decode())
        except InvalidTag:
            raise ValueError("sealed otherwise") from None

    def _cipher(self) -> Any:
        # 6 MB that a gateway without a vault does without.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see above

        return AESGCM(self._key)

    def __repr__(self) -> str:
        return "Seal(***)"

    def __reduce__(self) -> str:
        raise TypeError("a Seal is not serialised")


def _bound(row: tuple[str, str, str]) -> bytes:
    return "\0".join(row).encode()


@dataclass(frozen=True, slots=True)
class Opened:
    """The keys of a vault by provider, as they count; `foreign` are the providers that another secret sealed a key of.

    `damaged` are those of which a key cannot be opened for another reason.
    """

    keys: Mapping[str, tuple[KeptKey, ...]] = field(default_factory=dict, repr=False)
    foreign: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def sealed_rows(connection: Connection) -> Sequence[RowMapping]:
    """The rows of the vault, in the order in which keys count; none in a database that is older than vaults."""
    if not inspect(connection).has_table(provider_keys.name):
        return []
    columns = provider_keys.c
    order = columns.ends_at.is_not(None), columns.added_at, columns.id
    return connection.execute(select(provider_keys).order_by(*order)).mappings().all()


def open_rows(rows: Iterable[RowMapping], seal: Seal) -> Opened:
    """What is in these rows."""
    keys: dict[str, tuple[KeptKey, ...]] = {}
    foreign: list[str] = []
    damaged: list[str] = []
    for row in rows:
        provider = str(row["provider"])
        if row["sealed_by"] != seal.name:
            foreign.append(provider)
            continue
        try:
            keys[provider] = (*keys.get(provider, ()), _kept(row, seal))
        except _UNREADABLE:
            damaged.append(provider)
    return Opened(keys, tuple(dict.fromkeys(foreign)), tuple(dict.fromkeys(damaged)))


def _kept(row: RowMapping, seal: Seal) -> KeptKey:
    """The key of a row; raises one of `_UNREADABLE`."""
    secret = seal.open(row["sealed"], (row["id"], row["provider"], row["origin"]))
    end = None if row["ends_at"] is None else as_moment(row["ends_at"])
    return KeptKey(secret, as_moment(row["added_at"]), end, row["origin"] or None, row["id"])


def unopened(opened: Opened) -> str:
    """What is said of keys that cannot be opened, and what to do."""
    names = ", ".join(sorted({*opened.foreign, *opened.damaged})[:NAMES_MOST])
    why = "was sealed with another server secret" if opened.foreign else "is damaged"
    cure = "restore that secret, or replace the key" if opened.foreign else "replace the key"
    return f"a key in the vault {why} (of {names}): {cure} with `oneflow keys set NAME --vault`"


class Vault:
    """The vault of one database. `entropy` gives that many unpredictable bytes."""

    def __init__(
        self, database: Database, seal: Seal, clock: Clock, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock
        self._entropy = entropy

    async def open(self) -> Opened:
        """What is in the vault."""
        rows = await self._database.read(sealed_rows)
        return open_rows(rows, self._seal)

    async def change(self, provider: str, origin: str, change: Change, *, replacing: bool = False) -> None:
        """Let the keys of a provider be what `change` makes of those that are in use, all at once.

        Raises `StoreRefused` where one of them cannot be opened, unless `replacing`: then none of them is to stay.
        """
        now = self._clock.utc()

        def work(connection: Connection) -> None:
            rows = [row for row in sealed_rows(connection) if row["provider"] == provider]
            opened = open_rows(rows, self._seal)
            if (opened.foreign or opened.damaged) and not replacing:
                raise StoreRefused(unopened(opened))
            after = change(in_use(opened.keys.get(provider, ()), now))
            gone = sorted({str(row["id"]) for row in rows} - {key.row_id for key in after})
            connection.execute(delete(provider_keys).where(provider_keys.c.id.in_(gone)))
            for key in after:
                self._write(connection, provider, origin, key, now)

        await self._database.write(work, durable=True)

    def _write(self, connection: Connection, provider: str, origin: str, key: KeptKey, now: datetime) -> None:
        end = None if key.ends_at is None else as_microseconds(key.ends_at)
        if key.row_id:
            chosen = provider_keys.c.id == key.row_id
            connection.execute(update(provider_keys).where(chosen).values(ends_at=end))
            return
        row_id = f"pk_{self._entropy(_ID_BYTES).hex()}"
        connection.execute(
            insert(provider_keys).values(
                id=row_id,
                provider=provider,
                origin=origin,
                sealed=self._seal.close(key.secret, (row_id, provider, origin), self._entropy(NONCE_BYTES)),
                sealed_by=self._seal.name,
                added_at=as_microseconds(key.added_at or now),
                ends_at=end,
            )
        )

    async def forget_ended(self) -> None:
        """Remove the keys whose time is over."""
        over = provider_keys.c.ends_at <= as_microseconds(self._clock.utc())
        await self._database.write(lambda connection: connection.execute(delete(provider_keys).where(over)))

    async def version(self) -> Version:
        """What differs after every change, by whichever process; cheap enough to poll: a vault holds few keys."""
        rows = select(provider_keys.c.id, provider_keys.c.ends_at).order_by(provider_keys.c.id)
        found = await self._database.read(lambda connection: connection.execute(rows).all())
        return tuple((row.id, row.ends_at) for row in found)


async def vault_is_used(database: Database) -> bool:
    """Whether the database holds keys of providers: then the server's secret must not be lost."""
    any_row = select(provider_keys.c.id).limit(1)
    return await database.read(lambda connection: connection.execute(any_row).first()) is not None
