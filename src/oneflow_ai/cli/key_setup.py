"""`oneflow keys setup`: asks for the key of one provider after the other, checks each and keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from oneflow_ai.cli.failures import FAILED, Refused
from oneflow_ai.cli.key_change import asked_provider, keep, kept_json, kept_words, new_key, note_unused, place_shown
from oneflow_ai.cli.key_input import hidden_key
from oneflow_ai.cli.output import note, say, say_json
from oneflow_ai.core.target import Secret
from oneflow_ai.policy.rotation import rotated
from oneflow_ai.settings import Loaded, SettingsError, configured_providers
from oneflow_ai.settings.credentials import check_key, key_places

TRIES = 3


def set_up(loaded: Loaded, *, vault: bool, as_json: bool) -> None:
    """Ask for every provider's key; raises `Refused` where no provider has one in the end, or none typed was good."""
    kept: list[dict[str, Any]] = []
    turned_down: list[str] = []
    names = list(_asked_for(loaded))
    note("Each provider's key is asked for and checked. What you type is not shown; Enter leaves a provider as it is.")
    for name in names:
        note(_standing(loaded, name))
        if (told := _one(loaded, name, turned_down, vault=vault, as_json=as_json)) is not None:
            kept.append(told)
    if as_json:
        say_json(kept)
    had = {name for name in names if next(key_places(loaded, name), None)} | {each["provider"] for each in kept}
    if not had:
        raise Refused("oneflow keys setup: no provider has a key yet", status=FAILED)
    if turned_down and not kept:
        raise Refused(f"oneflow keys setup: no new key was kept for {', '.join(turned_down)}", status=FAILED)
    note(f"{len(had)} of {len(names)} providers have a key: `oneflow keys list` shows them, `oneflow serve` uses them")


def _asked_for(loaded: Loaded) -> Iterator[str]:
    """The providers that answer nobody without a key."""
    for name, provider in configured_providers(loaded).items():
        kind = loaded.kind(provider.kind)
        if kind is None or kind.key_required:
            yield name


def _standing(loaded: Loaded, name: str) -> str:
    first = next(key_places(loaded, name), None)
    has = "no key yet" if first is None else f"has a key, from {first.shown}"
    return f"{name} ({configured_providers(loaded)[name].base_url}): {has}"


def _one(loaded: Loaded, name: str, turned_down: list[str], *, vault: bool, as_json: bool) -> dict[str, Any] | None:
    """Ask for one provider's key until it is one; gives what was kept, None where nothing was.

    Who typed keys, and none was kept, is among those `turned_down`.
    """
    for typed in range(TRIES):
        key = hidden_key(f"  key of {name} (hidden): ")
        if key is None:
            turned_down += [name] if typed else []
            return None
        if (mistake := _mistake(loaded, name, key)) is not None:
            note(f"  {mistake}")
            continue
        tried = asked_provider(loaded, name, key)
        if tried.result == "refused":
            note(f"  {name} refuses this key; it is not kept")
            continue
        where = keep(loaded, name, partial(rotated, new=new_key(key, loaded), now=loaded.at), vault=vault)
        if not as_json:
            say(f"  {name}: {kept_words(tried)}; kept in {place_shown(where)}")
        note_unused(loaded, name, where)
        return kept_json(name, where, tried)
    turned_down.append(name)
    return None


def _mistake(loaded: Loaded, name: str, key: Secret) -> str | None:
    try:
        check_key(loaded, name, key)
    except SettingsError as error:
        return "; ".join(map(str, error.mistakes))
    return None
