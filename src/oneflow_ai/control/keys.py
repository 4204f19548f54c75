"""API keys over HTTP: listed without their secrets, made and shown once, ended at once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field, StrictInt

from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.ports import Caller, ControlPorts, Ports
from oneflow_ai.control.shapes import NAME_CHARACTERS_MOST, Asked, Moment, Shown
from oneflow_ai.core.call import Account, is_among
from oneflow_ai.core.failure import INSUFFICIENT_PERMISSIONS, INVALID_VALUE, NOT_FOUND, Failure
from oneflow_ai.stores import keys as stored
from oneflow_ai.stores.keys import KeyLimits, KeyRow

COUNT_MOST = 1_000_000_000
_KEY: dict[str, Any] = {
    "id": "key_4Zd0aQ7cXy1Bm",
    "name": "the newsletter",
    "prefix": "of_3kTz",
    "created_at": "2026-11-24T12:00:00Z",
    "revoked_at": None,
    "expires_at": None,
    "requests_per_minute": 60,
    "tokens_per_minute": 0,
    "concurrency": 0,
    "models": ["text", "acme/*"],
}

Count = Annotated[StrictInt, Field(ge=0, le=COUNT_MOST)]


class KeyShown(Shown):
    """What is kept of a key, not the key itself. `prefix` is its beginning; a limit of 0 is none of its own.

    `models` are those that it may use; empty: all.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})

    id: str
    name: str
    prefix: str
    created_at: Moment
    revoked_at: Moment | None
    expires_at: Moment | None
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int
    models: list[str]


class KeysShown(Shown):
    """The keys, the newest first, revoked ones too; the newest 1,000.

    `unreadable` are the ids of those among them whose rows in the database cannot be read: they open nothing.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": [_KEY], "unreadable": []}]})

    keys: list[KeyShown]
    unreadable: list[str]


class NewKeyShown(KeyShown):
    """A key that was just made. `key` is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "key": "of_3kTz…"}]})

    key: str


class KeyAsked(Asked):
    """A key to make: a name for people, and what it may use."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "the newsletter", "requests_per_minute": 60}]})

    name: str = Field(min_length=1, max_length=stored.NAME_CHARACTERS_MOST, description="What people call it.")
    requests_per_minute: Count = Field(0, description="0: as the configuration's `limits` say.")
    tokens_per_minute: Count = Field(0, description="0: as the configuration's `limits` say.")
    concurrency: Count = Field(0, description="Calls in flight; 0: as the configuration's `limits` say.")
    expires_at: Moment | None = Field(None, description="When it ends; left out: never.")
    models: list[str] = Field(
        [],
        max_length=stored.MODELS_MOST,
        description="Routes and `provider/model`, as calls name them; a last `*` stands for any end. Empty: all.",
    )


@needs(Role.ADMINISTRATOR)
async def keys(ports: Ports) -> KeysShown:
    """The API keys, without the keys themselves."""
    rows = await ports.keys.list_rows()
    return KeysShown(keys=[_shown(row) for row in rows], unreadable=list(ports.keys.unlisted))


@needs(Role.ADMINISTRATOR)
async def make_key(ports: Ports, caller: Caller, asked: KeyAsked) -> NewKeyShown:
    """Make an API key. The answer is the only place where it is ever shown. No key makes one that may use more."""
    limits = _limits(asked)
    if limits.expires_at is not None and limits.expires_at <= ports.running.clock.utc():
        raise Failure(INVALID_VALUE, "expires_at: give a moment that is still to come", param="expires_at")
    if not asked.name.strip() or not asked.name.isprintable():
        raise Failure(INVALID_VALUE, "name: give printable characters", param="name")
    await _check_within(ports, caller, limits)
    made = await ports.keys.create(asked.name, limits)
    await _admit(ports)
    return NewKeyShown(**dict(_shown(made.row)), key=made.key.reveal())


@needs(Role.ADMINISTRATOR)
async def revoke_key(
    ports: Ports, key_id: Annotated[str, Path(alias="id", max_length=NAME_CHARACTERS_MOST)]
) -> KeyShown:
    """End a key's life at once: the next request with it is refused. A key may end itself."""
    row = await ports.keys.revoke(key_id)
    if row is None:
        raise Failure(NOT_FOUND, "there is no key of this id", param="id")
    await _admit(ports)
    return _shown(row)


def add_routes(router: APIRouter) -> None:
    """Add these endpoints."""
    router.get("/api/keys", tags=["keys"])(keys)
    router.post("/api/keys", tags=["keys"], status_code=201)(make_key)
    router.delete("/api/keys/{id}", tags=["keys"])(revoke_key)


async def _admit(ports: ControlPorts) -> None:
    ports.running.admit(await ports.keys.load_all())


def _limits(asked: KeyAsked) -> KeyLimits:
    try:
        return KeyLimits(
            asked.requests_per_minute,
            asked.tokens_per_minute,
            asked.concurrency,
            asked.expires_at,
            tuple(dict.fromkeys(asked.models)),
        )
    except ValueError as error:
        # All else was checked by its type.
        raise Failure(INVALID_VALUE, f"models: {error}", param="models") from None


async def _check_within(ports: ControlPorts, caller: Account, wanted: KeyLimits) -> None:
    """Refuse to make a key that may do more than the one that asks for it."""
    if ports.running.loaded.settings.server.auth == "none":
        return
    rows = {row.id: row for row in await ports.keys.list_rows()}
    if caller.key_id not in rows:
        raise Failure(INSUFFICIENT_PERMISSIONS, "make keys with one of the newest 1,000 keys")
    own = rows[caller.key_id].limits
    for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
        most, asked = getattr(own, name), getattr(wanted, name)
        if most and not 0 < asked <= most:
            raise Failure(INSUFFICIENT_PERMISSIONS, f"{name}: at most {most}, as your own key", param=name)
    if own.models and not (wanted.models and all(is_among(model, own.models) for model in wanted.models)):
        raise Failure(INSUFFICIENT_PERMISSIONS, "models: only those of your own key", param="models")
    if own.expires_at is not None and (wanted.expires_at is None or wanted.expires_at > own.expires_at):
        raise Failure(INSUFFICIENT_PERMISSIONS, "expires_at: not after your own key ends", param="expires_at")


def _shown(row: KeyRow) -> KeyShown:
    return KeyShown(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        expires_at=row.limits.expires_at,
        requests_per_minute=row.limits.requests_per_minute,
        tokens_per_minute=row.limits.tokens_per_minute,
        concurrency=row.limits.concurrency,
        models=list(row.limits.models),
    )
