"""`oneflow keys`: the keys that this gateway has at providers; no verb shows one or takes one as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.key_change import (
    PlaceOptions,
    asked_provider,
    keep,
    kept_json,
    kept_words,
    new_key,
    note_unused,
    opened,
    place_of,
    place_shown,
)
from oneflow_ai.cli.output import Column, note, say, say_json, say_table
from oneflow_ai.cli.spread import Common

if TYPE_CHECKING:
    from oneflow_ai.app.key_list import ListedKey
    from oneflow_ai.app.trial import Tried
    from oneflow_ai.core.target import Secret
    from oneflow_ai.settings import Loaded

Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name.")]
OneName = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name, or NAME#2 for its second key.")]
# Whoever gives the key as an argument is told what that means, and not by repeating it.
Stray = Annotated[list[str] | None, typer.Argument(hidden=True)]
DIGITS_MOST = 4
_STYLES = {"in use": "green"}


@dataclass(frozen=True, slots=True)
class NewOptions(PlaceOptions):
    """What verbs that take a new key take."""

    unchecked: Annotated[
        bool, typer.Option("--no-check", help="Keep it without asking the provider whether it works.")
    ] = False


@dataclass(frozen=True, slots=True)
class SetOptions(NewOptions):
    """What `keys set` takes."""

    add: Annotated[bool, typer.Option("--add", help="Beside the keys that are there, instead of in their place.")] = (
        False
    )


def setup(options: PlaceOptions) -> None:
    """Ask for each provider's key, check it and keep it.

    What is typed is not shown. Without a terminal, a line of standard input is one provider's key.
    """
    from oneflow_ai.cli.key_setup import set_up

    set_up(opened(options), vault=options.vault, as_json=options.as_json)


def set_key(name: Name, options: SetOptions, stray: Stray = None) -> None:
    """Keep a provider's key.

    It is asked for, hidden, or read from standard input. The provider is asked whether it works, which is free.
    """
    loaded = _for(name, options, stray)
    key = _asked(loaded, name)
    tried = None if options.unchecked else checked(loaded, name, key)

    def change(keys: Any) -> Any:
        from oneflow_ai.policy.rotation import with_another

        new = new_key(key, loaded)
        return with_another(keys, new, loaded.at) if options.add else (new,)

    where = keep(loaded, name, change, vault=options.vault, replacing=not options.add)
    _say_kept(loaded, name, where, tried, options)


def rotate(name: OneName, options: NewOptions, stray: Stray = None) -> None:
    """Put a new key in the place of a provider's keys, or of one of them.

    The old one is used for 24 hours more where the new one fails, and is then removed.
    """
    from oneflow_ai.policy.rotation import OLD_KEY_HOURS, rotated

    name, _, number = name.partition("#")
    loaded = _for(name, options, stray)
    _check_replaceable(loaded, name, options)
    chosen = _number(number, _count(loaded, name, place_of(loaded, name, vault=options.vault)))
    key = _asked(loaded, name)
    _check_another(loaded, name, key)
    tried = None if options.unchecked else checked(loaded, name, key)
    new = new_key(key, loaded)
    where = keep(loaded, name, lambda keys: rotated(keys, new, loaded.at, chosen), vault=options.vault)
    end = loaded.at + timedelta(hours=OLD_KEY_HOURS)
    _say_kept(
        loaded, name, where, tried, options, f"; the old one is used until {end:%Y-%m-%d %H:%M} UTC at the latest"
    )


def remove(name: OneName, options: PlaceOptions, stray: Stray = None) -> None:
    """Remove a provider's keys, or one of them, at once."""
    name, _, number = name.partition("#")
    loaded = _for(name, options, stray)
    where = place_of(loaded, name, vault=options.vault)
    count = _count(loaded, name, where)
    chosen = _number(number, count)
    sealed = where is None and _sealed(loaded, name)
    if not count and not sealed:
        raise Refused(f"oneflow keys remove: {name} has no key in a file or the vault; `oneflow keys list` shows all")

    def change(keys: Any) -> Any:
        return () if chosen is None else [key for at, key in enumerate(keys, 1) if at != chosen]

    keep(loaded, name, change, vault=where is None, replacing=chosen is None)
    removed = 1 if chosen is not None else max(count, 1)
    if options.as_json:
        say_json({"provider": name, "place": place_shown(where), "removed": removed})
    else:
        say(f"{name}: {removed} key{'s' if removed != 1 else ''} removed from {place_shown(where)}")
    _note_others(loaded, name, where)
    if where is None and removed >= count:
        _note_asked_for(loaded, name)
    _note_server(loaded, where)


def list_all(options: Common) -> None:
    """List the keys of all providers: where each is, since when, and how it stands.

    The keys themselves are not shown.
    """
    from oneflow_ai.app.key_list import listed_keys

    rows = listed_keys(opened(options))
    if options.as_json:
        say_json([_row(each) for each in rows])
    elif not rows:
        note("no provider has a key: `oneflow keys setup` asks for them")
    else:
        titles = ("provider", "key of", "added", "place", "state")
        columns = [Column(title, fold=title in ("place", "state")) for title in titles]
        say_table(columns, [_cells(each) for each in rows], _STYLES)


def checked(loaded: Loaded, name: str, key: Secret) -> Tried:
    """What the provider says of the key; raises `Refused` where it refuses it."""
    from oneflow_ai.settings.credentials import owner_of

    owner = owner_of(loaded, name)
    tried = asked_provider(loaded, owner, key)
    if tried.result == "refused":
        raise Refused(f"oneflow keys: {owner} refuses this key, so it is not kept; --no-check keeps it all the same")
    return tried


def _for(name: str, options: PlaceOptions, stray: list[str] | None) -> Loaded:
    """The configuration for a change of this provider's keys; raises `Refused`."""
    from oneflow_ai.settings import configured_providers
    from oneflow_ai.settings.credentials import vault_names

    if stray:
        raise misuse(
            "oneflow keys: a key is never an argument, which other users and the shell's history see: leave it out, "
            "it is asked for; if that was a key, have its provider replace it"
        )
    loaded = opened(options)
    known = dict.fromkeys((*configured_providers(loaded), *vault_names(loaded)))
    # What stands in the name's place may be a key.
    if name not in known:
        raise misuse(
            f"oneflow keys: there is no provider of that name; known are {', '.join(known)}; "
            "another needs its table, [providers.NAME], in the configuration, or a setting that asks for vault:NAME"
        )
    return loaded


def _asked(loaded: Loaded, name: str) -> Secret:
    from oneflow_ai.cli.key_input import hidden_key
    from oneflow_ai.settings import SettingsError
    from oneflow_ai.settings.credentials import check_key

    key = hidden_key(f"Key of {name} (hidden): ")
    if key is None:
        raise Refused("oneflow keys: no key was given; it is typed at the prompt, or comes on standard input")
    try:
        check_key(loaded, name, key)
    except SettingsError as error:
        raise misuse(*(f"oneflow keys: {mistake}" for mistake in error.mistakes)) from None
    return key


def _check_replaceable(loaded: Loaded, name: str, options: PlaceOptions) -> None:
    from oneflow_ai.app.provider_keys import kept_places
    from oneflow_ai.settings.credentials import key_places

    if any(place.sort == "vault" or not options.vault for place in kept_places(loaded, name)):
        return
    first = next(key_places(loaded, name), None)
    if first is None:
        raise Refused(f"oneflow keys rotate: {name} has no key to replace: `oneflow keys set {name}` keeps a first one")
    raise Refused(
        f"oneflow keys rotate: the key of {name} comes from {first.shown}: change it there, "
        f"or keep another with `oneflow keys set {name}`"
    )


def _check_another(loaded: Loaded, name: str, key: Secret) -> None:
    from oneflow_ai.settings import credentials

    if key in credentials(loaded, name):
        raise misuse(f"oneflow keys rotate: that is a key of {name} already: have the provider make a new one")


def _count(loaded: Loaded, name: str, where: Path | None) -> int:
    """How many keys in use a provider has in that place."""
    from oneflow_ai.app.provider_keys import kept_places
    from oneflow_ai.policy.rotation import in_use

    there = [place for place in kept_places(loaded, name) if place.shown == place_shown(where)]
    return sum(len(in_use(place.keys, loaded.at)) for place in there)


def _sealed(loaded: Loaded, name: str) -> bool:
    """Whether the vault has a row of this provider, be it one that cannot be opened."""
    from oneflow_ai.settings import database_path
    from oneflow_ai.stores.sqlite import look
    from oneflow_ai.stores.vault import sealed_rows

    path = database_path(loaded)
    return path.exists() and any(row["provider"] == name for row in look(path, sealed_rows))


def _number(text: str, count: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MOST and 1 <= int(text) <= count):
        raise Refused("oneflow keys: there is no key of that number; `oneflow keys list` shows them")
    return int(text)


def _say_kept(
    loaded: Loaded, name: str, where: Path | None, tried: Tried | None, options: PlaceOptions, more: str = ""
) -> None:
    if options.as_json:
        say_json(kept_json(name, where, tried))
    else:
        say(f"{name}: {kept_words(tried)}; kept in {place_shown(where)}{more}")
    note_unused(loaded, name, where)
    _note_server(loaded, where)


def _note_others(loaded: Loaded, name: str, where: Path | None) -> None:
    """Tell of a place that still has a key where one place was emptied."""
    from oneflow_ai.policy.rotation import in_use
    from oneflow_ai.settings.credentials import key_places

    for place in key_places(loaded, name):
        if place.shown != place_shown(where) and in_use(place.keys, loaded.at):
            note(f"note: {place.shown} has a key of {name} too, which stays in use")
            return


def _note_asked_for(loaded: Loaded, name: str) -> None:
    """Tell that the configuration still asks for a key that the vault has no more."""
    from oneflow_ai.settings.credentials import vault_names

    if name in vault_names(loaded):
        note(f"note: the configuration still asks for vault:{name}, and is a mistake without it")


def _note_server(loaded: Loaded, where: Path | None) -> None:
    from oneflow_ai.cli.pid_file import PidFile

    if where is not None and PidFile(loaded.home).holder() is not None:
        note("note: the running server reads files of keys with `oneflow config reload`")


def _row(key: ListedKey) -> dict[str, Any]:
    return {
        "provider": key.provider,
        "credential": key.credential,
        "place": key.shown,
        "sort": key.sort,
        "added_at": _moment(key.added_at),
        "age_days": key.days,
        "age": key.age.value,
        "ends_at": _moment(key.ends_at),
        "state": key.words,
    }


def _cells(key: ListedKey) -> tuple[str, ...]:
    added = "" if key.added_at is None else key.added_at.date().isoformat()
    return key.provider, key.credential or "", added, key.shown, key.words


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
