"""`oneflow tokens`: the API keys of this gateway's own clients, in the local database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.output import Column, for_terminal, note, say, say_json, say_table
from oneflow_ai.cli.spread import Common

if TYPE_CHECKING:
    from oneflow_ai.settings import Loaded
    from oneflow_ai.stores.keys import KeyRow, Keys

T = TypeVar("T")

DAYS_MOST = 36_500
COUNT_MOST = 1_000_000_000
_STYLES = {"usable": "green", "revoked": "dim", "expired": "dim"}


@dataclass(frozen=True, slots=True)
class NewKeyOptions(Common):
    """What `tokens create` takes beside the name; 0 is no limit of the key's own."""

    requests_per_minute: Annotated[
        int, typer.Option(min=0, metavar="N", show_default=False, help="Left out: no limit.")
    ] = 0
    tokens_per_minute: Annotated[
        int, typer.Option(min=0, metavar="N", show_default=False, help="Left out: no limit.")
    ] = 0
    concurrency: Annotated[
        int, typer.Option(min=0, metavar="N", show_default=False, help="Calls at once; left out: no limit.")
    ] = 0
    models: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Models it may use, as calls name them, or `A*`; left out: all."),
    ] = None
    days: Annotated[
        int | None, typer.Option(min=1, max=DAYS_MOST, metavar="N", help="Days until it ends; left out: never.")
    ] = None


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")], options: NewKeyOptions
) -> None:
    """Make a key and print it, this once."""
    from oneflow_ai.stores.keys import KeyLimits

    end = None if options.days is None else datetime.now(UTC) + timedelta(days=options.days)
    counts = options.requests_per_minute, options.tokens_per_minute, options.concurrency
    if max(counts) > COUNT_MOST:
        raise misuse(f"oneflow tokens create: a limit is at most {COUNT_MOST:,}; leave it out for none")
    try:
        limits = KeyLimits(*counts, end, _models(options.models))
        made = _with_keys(options, lambda keys: keys.create(name, limits), make=True)
    except ValueError as error:
        raise misuse(f"oneflow tokens create: {error}") from None
    assert made is not None
    if options.as_json:
        say_json({**_shown(made.row), "key": made.key.reveal()})
        return
    say(made.key.reveal())
    note(f"{made.row.id} is made: keep the key now, it is not shown again")


def list_all(options: Common) -> None:
    """List the keys, the newest first.

    Of a key only its first characters are kept.
    """
    rows, unlisted = _with_keys(options, _listed) or ([], ())
    if unlisted:
        note(f"{len(unlisted)} of the keys cannot be read and open nothing: {for_terminal(', '.join(unlisted[:3]))}")
    if options.as_json:
        say_json([_shown(row) for row in rows])
        return
    if not rows:
        note("no key has been made: `oneflow serve` makes the first, `oneflow tokens create NAME` more")
        return
    columns = (
        Column("id"),
        Column("name", fold=True),
        Column("key"),
        Column("made"),
        Column("state"),
        Column("limits", fold=True),
    )
    say_table(columns, [_cells(row) for row in rows], _STYLES)


async def _listed(keys: Keys) -> tuple[list[KeyRow], tuple[str, ...]]:
    return await keys.list_rows(), keys.unlisted


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `oneflow tokens list`.")],
    options: Common,
) -> None:
    """End a key's life.

    Running servers refuse it within a second.
    """
    row = _with_keys(options, lambda keys: keys.revoke(key_id))
    if row is None:
        raise Refused("oneflow tokens revoke: there is no key of this id; `oneflow tokens list` shows them")
    if options.as_json:
        say_json(_shown(row))
    else:
        say(f"{row.id} ({row.name}) is revoked")


def _models(text: str | None) -> tuple[str, ...]:
    names = () if text is None else tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if text is not None and not names:
        raise misuse("oneflow tokens create: --models names no model; leave it out for all")
    return names


def _with_keys(options: Common, use: Callable[[Keys], Awaitable[T]], *, make: bool = False) -> T | None:
    """What `use` gives of the keys; None when there is no database and none is to be made."""
    from oneflow_ai.cli.configured import load_settings
    from oneflow_ai.settings import database_path

    loaded = load_settings(options.config, vault=None)
    if not make and not database_path(loaded).exists():
        return None
    return asyncio.run(_used(loaded, use))


async def _used(loaded: Loaded, use: Callable[[Keys], Awaitable[T]]) -> T:
    from oneflow_ai.app.clock import SystemClock
    from oneflow_ai.app.keys import open_keys
    from oneflow_ai.settings import database_path
    from oneflow_ai.stores.sqlite import Database

    database = await Database.open(database_path(loaded))
    try:
        keys, _ = await open_keys(loaded, database, SystemClock())
        return await use(keys)
    finally:
        await database.close()


def _state(row: KeyRow) -> str:
    if row.revoked_at is not None:
        return "revoked"
    end = row.limits.expires_at
    return "expired" if end is not None and end <= datetime.now(UTC) else "usable"


def _shown(row: KeyRow) -> dict[str, Any]:
    limits = row.limits
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "state": _state(row),
        "created_at": _moment(row.created_at),
        "expires_at": _moment(limits.expires_at),
        "revoked_at": _moment(row.revoked_at),
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
        "models": list(limits.models),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _cells(row: KeyRow) -> tuple[str, ...]:
    end, state = row.limits.expires_at, _state(row)
    if state == "usable" and end is not None:
        state = f"until {end.date().isoformat()}"
    return row.id, row.name, f"{row.prefix}…", row.created_at.date().isoformat(), state, _limits(row)


def _limits(row: KeyRow) -> str:
    limits = row.limits
    units = (
        (limits.requests_per_minute, "requests/min"),
        (limits.tokens_per_minute, "tokens/min"),
        (limits.concurrency, "at once"),
    )
    told = [f"{number:,} {unit}" for number, unit in units if number]
    if limits.models:
        told.append(f"only {' '.join(limits.models)}")
    return ", ".join(told) or "none"
