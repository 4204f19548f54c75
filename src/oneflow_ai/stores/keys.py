"""API keys in the database: only their digests are kept, so a key is seen once, when it is made."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Row, RowMapping, func, insert, or_, select, type_coerce, update
from sqlalchemy.types import NullType

from oneflow_ai.core.call import Account
from oneflow_ai.core.ports import Clock
from oneflow_ai.core.target import Secret
from oneflow_ai.stores import StoreRefused, private_file
from oneflow_ai.stores.key_format import KeyDigest, base62, new_key, shown
from oneflow_ai.stores.moments import as_microseconds, as_moment
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import api_keys

FIRST_KEY_FILE = "first-key"
FIRST_KEY_NAME = "first key"
KEYS_LISTED_MOST = 1_000
NAME_CHARACTERS_MOST = 100
MODELS_MOST = 100
_ID_RANDOM_BYTES = 9
_ID_CHARACTERS = 13
_MODEL = re.compile(r"(?=.{1,256}$)[!-)+\--~]*\*?")
# A row as it is stored, not decoded by the database: a value that cannot be would end the whole query.
_AS_STORED = tuple(type_coerce(column, NullType()).label(column.name) for column in api_keys.c)
# What a row that nobody wrote so may raise as it is read.
_UNREADABLE = (TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key may use; 0 means no limit of its own. `expires_at` is an aware moment, None for never.

    `models` are names as calls write them, where a last `*` stands for any end; empty: every model.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0
    expires_at: datetime | None = None
    models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if min(self.requests_per_minute, self.tokens_per_minute, self.concurrency) < 0:
            raise ValueError("a key's limit cannot be below 0")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("a key's end needs a time zone")
        if len(self.models) > MODELS_MOST:
            raise ValueError(f"a key has at most {MODELS_MOST} models")
        if not all(_MODEL.fullmatch(model) for model in self.models):
            raise ValueError("a key's models are printable names without spaces or commas, with * at the end only")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is kept of a key. `prefix` is its first 7 characters, for people to recognise it by."""

    id: str
    name: str
    prefix: str
    created_at: datetime
    revoked_at: datetime | None
    limits: KeyLimits


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: what is kept of it, and the key itself, which nobody will see again."""

    row: KeyRow
    key: Secret


class Keys:
    """The API keys of one database. `digest` holds the pepper; `entropy` gives that many unpredictable bytes.

    `unreadable` are the ids of the rows that were left out when the keys were last loaded, `unlisted` when they were
    last listed.
    """

    def __init__(
        self, database: Database, digest: KeyDigest, clock: Clock, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._database = database
        self._digest = digest
        self._clock = clock
        self._entropy = entropy
        self.unreadable: tuple[str, ...] = ()
        self.unlisted: tuple[str, ...] = ()

    async def create(self, name: str, limits: KeyLimits | None = None) -> NewKey:
        """Make a key. Raises `ValueError` for a name that is empty, unprintable or longer than 100 characters."""
        if not name.isprintable() or not 1 <= len(name.strip()) <= len(name) <= NAME_CHARACTERS_MOST:
            raise ValueError(f"a key's name is 1 to {NAME_CHARACTERS_MOST} printable characters")
        made = self._new(name, limits or KeyLimits())
        await self._database.write(lambda connection: self._insert(connection, made), durable=True)
        return made

    async def revoke(self, key_id: str) -> KeyRow | None:
        """End a key's life now; give its row, or None when there is no such key. A revoked key stays as it is.

        Of a row that cannot be read only the id is given, without limits: it is revoked like any other.
        """
        now = as_microseconds(self._clock.utc())
        chosen = api_keys.c.id == key_id

        def work(connection: Connection) -> RowMapping | None:
            connection.execute(update(api_keys).where(chosen, api_keys.c.revoked_at.is_(None)).values(revoked_at=now))
            return connection.execute(select(*_AS_STORED).where(chosen)).mappings().one_or_none()

        row = await self._database.write(work, durable=True)
        if row is None:
            return None
        try:
            return _key_row(row)
        except _UNREADABLE:
            revoked = as_moment(now)
            return KeyRow(key_id, "", "", revoked, revoked, KeyLimits())

    async def list_rows(self) -> list[KeyRow]:
        """The newest 1,000 keys, the newest first, revoked ones too; `unlisted` are those that cannot be read."""
        newest_first = api_keys.c.created_at.desc(), api_keys.c.id
        newest = select(*_AS_STORED).order_by(*newest_first).limit(KEYS_LISTED_MOST)
        rows = await self._database.read(lambda connection: connection.execute(newest).mappings().all())
        found: list[KeyRow] = []
        unlisted: list[str] = []
        for row in rows:
            try:
                found.append(_key_row(row))
            except _UNREADABLE:
                unlisted.append(_text_of(row["id"]))
        self.unlisted = tuple(unlisted)
        return found

    async def has(self, key_id: str) -> bool:
        """Whether there is a key of this id, revoked or not."""
        return await key_was_made(self._database, key_id)

    async def load_all(self) -> dict[bytes, Account]:
        """Every key that may be used at this moment: its digest, and the account that it opens.

        A row that cannot be read opens nothing and keeps no other from being read.
        """
        usable = select(*_AS_STORED).where(*_usable(self._now()))
        rows = await self._database.read(lambda connection: connection.execute(usable).mappings().all())
        accounts: dict[bytes, Account] = {}
        unreadable: list[str] = []
        for row in rows:
            try:
                accounts[_digest(row)] = _account(row)
            except _UNREADABLE:
                unreadable.append(_text_of(row["id"]))
        self.unreadable = tuple(unreadable)
        return accounts

    async def next_expiry(self) -> datetime | None:
        """When the next usable key ends, so that the keys are loaded again then; None when none ends."""
        soonest = select(func.min(api_keys.c.expires_at)).where(*_usable(self._now()))
        found = await self._database.read(lambda connection: connection.execute(soonest).scalar())
        # A row that cannot be read has no say.
        return as_moment(found) if isinstance(found, int) else None

    async def version(self) -> tuple[int, ...]:
        """A few numbers that differ after every key made or revoked, by whichever process; cheap enough to poll."""
        columns = api_keys.c
        numbers = select(func.count(), func.count(columns.revoked_at), func.max(columns.created_at)).select_from(
            api_keys
        )
        row = await self._database.read(lambda connection: connection.execute(numbers).one())
        return tuple(number or 0 for number in row)

    async def ensure_first_key(self, home: Path) -> Secret | None:
        """Make the first key of an empty database and write it to `first-key` in `home`, mode 0600.

        Gives the key, or None when the database has had keys. A `first-key` of an earlier database is set aside as
        `first-key.old`. Raises `StoreRefused` when the file cannot be written: then no key is made either.
        """
        made = self._new(FIRST_KEY_NAME, KeyLimits())

        def work(connection: Connection) -> Secret | None:
            if _any_row(connection) is not None:
                return None
            _write_first_key(home / FIRST_KEY_FILE, made.key)
            self._insert(connection, made)
            return made.key

        return await self._database.write(work, durable=True)

    def _now(self) -> int:
        return as_microseconds(self._clock.utc())

    def _new(self, name: str, limits: KeyLimits) -> NewKey:
        key = new_key(self._entropy)
        number = int.from_bytes(self._entropy(_ID_RANDOM_BYTES), "big")
        row = KeyRow(f"key_{base62(number, _ID_CHARACTERS)}", name, shown(key), self._clock.utc(), None, limits)
        return NewKey(row, key)

    def _insert(self, connection: Connection, made: NewKey) -> None:
        row, limits = made.row, made.row.limits
        connection.execute(
            insert(api_keys).values(
                id=row.id,
                name=row.name,
                digest=self._digest(made.key.reveal().encode()),
                prefix=row.prefix,
                created_at=as_microseconds(row.created_at),
                expires_at=None if limits.expires_at is None else as_microseconds(limits.expires_at),
                requests_per_minute=limits.requests_per_minute,
                tokens_per_minute=limits.tokens_per_minute,
                concurrency=limits.concurrency,
                models=list(limits.models) or None,
            )
        )


async def keys_were_made(database: Database) -> bool:
    """Whether the database holds keys, revoked ones too: then the server's secret must not be lost."""
    return await database.read(_any_row) is not None


async def key_was_made(database: Database, key_id: str) -> bool:
    """Whether there is a key of this id, revoked or not."""
    chosen = select(api_keys.c.id).where(api_keys.c.id == key_id)
    return await database.read(lambda connection: connection.execute(chosen).first()) is not None


def _any_row(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(api_keys.c.id).limit(1)).first()


def _usable(now: int) -> tuple[Any, ...]:
    return api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)


def _digest(row: RowMapping) -> bytes:
    digest = row["digest"]
    if not isinstance(digest, bytes):
        raise TypeError("a digest is bytes")
    return digest


def _account(row: RowMapping) -> Account:
    """The account of a row as it is stored; raises one of `_UNREADABLE` for one that nobody wrote so."""
    known = _key_row(row)
    limits = known.limits
    numbers = limits.requests_per_minute, limits.tokens_per_minute, limits.concurrency
    return Account(known.id, known.name, *numbers, models=limits.models)


def _key_row(row: RowMapping) -> KeyRow:
    """A row as it is stored; raises one of `_UNREADABLE` for one that nobody wrote so."""
    models = None if row["models"] is None else orjson.loads(row["models"])
    if models is not None and not isinstance(models, list):
        raise TypeError("a key's models are a list")
    for name in ("id", "name", "prefix"):
        if not isinstance(row[name], str):
            raise TypeError("a key's id, name and prefix are texts")
    limits = KeyLimits(
        row["requests_per_minute"],
        row["tokens_per_minute"],
        row["concurrency"],
        _moment(row["expires_at"]),
        tuple(models or ()),
    )
    created = as_moment(row["created_at"])
    return KeyRow(row["id"], row["name"], row["prefix"], created, _moment(row["revoked_at"]), limits)


def _text_of(key_id: object) -> str:
    return key_id if isinstance(key_id, str) else repr(key_id)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else as_moment(microseconds)


def _write_first_key(path: Path, key: Secret) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_name(f"{path.name}.old"))
        if not private_file.make(path, key.reveal().encode() + b"\n"):
            raise StoreRefused(f"another program writes {path}: start again")
    except OSError as problem:
        raise StoreRefused(f"cannot write {path}: {problem.strerror}") from None
