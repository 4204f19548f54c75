"""Follows references to secrets and finds each provider's credentials, in the order that users are promised."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.policy.rotation import in_use
from oneflow_ai.settings.effective import at_own_address, configured_providers
from oneflow_ai.settings.keys_file import KEYS_FILE, parsed
from oneflow_ai.settings.loaded import Loaded
from oneflow_ai.settings.mistakes import Mistake, SettingsError
from oneflow_ai.settings.rules import is_reference
from oneflow_ai.settings.tables import ProviderSettings

SECRET_BYTES_MOST = 64 * 1024
KEY_CHARACTERS_MOST = 4_096
VAULT = "vault"

Sort = Literal["configuration", "variable", "file", "vault"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def resolve(reference: str, environment: Mapping[str, str], home: Path) -> Secret | None:
    """Gives the secret that a reference leads to; None when its variable is unset or empty.

    A relative file lies under `home`; the line ends after a file's text are left out. Raises `SettingsError` when the
    file is missing, cannot be read, is no text or is open to other users.
    """
    form, _, name = reference.partition(":")
    if form == "env":
        value = environment.get(name, "")
    elif form == "file":
        value = read_private(home / name, reference).rstrip("\r\n")
    else:
        raise SettingsError(
            [Mistake("", "", "a secret's reference is env:NAME, file:PATH or, for a provider's key, vault:NAME")]
        )
    return Secret(value) if value else None


def read_private(path: Path, shown: str) -> str:
    """Gives the text of a file that only its owner may read; raises `SettingsError`, which calls the file `shown`."""
    return _read(path, shown)[0]


def _read(path: Path, shown: str) -> tuple[str, datetime]:
    """Gives a private file's text, and when it was last changed."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if problem := _problem(path, status):
                raise SettingsError([Mistake(shown, "", problem)])
            return stream.read(SECRET_BYTES_MOST).decode("utf-8"), datetime.fromtimestamp(status.st_mtime, UTC)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = "is not text"
    raise SettingsError([Mistake(shown, "", problem)])


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe in the file's place would make `open` wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _problem(path: Path, status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "is not a file"
    if status.st_size > SECRET_BYTES_MOST:
        return f"is longer than {SECRET_BYTES_MOST} bytes"
    if os.name == "posix" and status.st_mode & _OTHERS:
        return f"can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}"
    return None


def resolve_headers(
    loaded: Loaded, headers: Mapping[str, str], provider: ProviderSettings | None
) -> tuple[tuple[str, str], ...]:
    """Gives headers ready to send to a provider, references followed; one that leads to nothing is left out."""
    ready: list[tuple[str, str]] = []
    for name, value in headers.items():
        if not is_reference(value):
            ready.append((name, value))
        elif secret := _followed(loaded, value, provider):
            ready.append((name, sendable(secret.reveal(), value)))
    return tuple(ready)


def _followed(loaded: Loaded, reference: str, provider: ProviderSettings | None) -> Secret | None:
    name = vault_name(reference)
    if name is None:
        return resolve(reference, loaded.environment, loaded.home)
    keys = () if provider is None else in_use(named_keys(loaded, name, provider), loaded.at)
    return keys[0].secret if keys else None


def vault_name(reference: str) -> str | None:
    """Gives the name by which a reference asks for a key of the vault; None for another reference."""
    form, _, name = reference.partition(":")
    return name if form == "vault" else None


def vault_names(loaded: Loaded) -> Mapping[str, str]:
    """Gives each name that the configuration asks the vault for, with the provider whose address that key is for."""
    found: dict[str, str] = {}
    providers = configured_providers(loaded)
    for name, provider in providers.items():
        for reference in (*references(provider), *provider.headers.values()):
            if (asked := vault_name(reference)) is not None:
                found.setdefault(asked, name)
    for route in loaded.settings.routes.values():
        for target in route.targets:
            asked_for = filter(None, map(vault_name, target.headers.values()))
            if (name := target.target.partition("/")[0]) in providers:
                found = {**dict.fromkeys(asked_for, name), **found}
    return found


def references(provider: ProviderSettings) -> tuple[str, ...]:
    """Gives the references to a provider's keys that its table holds."""
    return (*((provider.api_key,) if provider.api_key else ()), *provider.api_keys)


def owner_of(loaded: Loaded, name: str) -> str:
    """Gives the provider that a key kept by this name is for: it bears the name, or asks the vault for it.

    Raises `KeyError` where none does.
    """
    return name if name in configured_providers(loaded) else vault_names(loaded)[name]


def named_keys(loaded: Loaded, name: str, provider: ProviderSettings) -> tuple[KeptKey, ...]:
    """Gives the keys that the vault has by a name for a provider's address, ended ones too."""
    origin = origin_of(provider.base_url)
    return tuple(key for key in loaded.vault.get(name, ()) if key.origin == origin)


def vault_mistake(loaded: Loaded, name: str, provider: ProviderSettings) -> str:
    """Gives why the vault has no key by a name for a provider; empty where it has one, or is not open."""
    if loaded.sealed or in_use(named_keys(loaded, name, provider), loaded.at):
        return ""
    others = in_use(loaded.vault.get(name, ()), loaded.at)
    cure = f"`oneflow keys set {name} --vault` keeps one"
    bearer = configured_providers(loaded).get(name)
    if bearer is not None and origin_of(bearer.base_url) != origin_of(provider.base_url):
        # A key kept by that name would be for the provider that bears it.
        return (
            f"the vault's keys of that name are for {origin_of(bearer.base_url)} alone: use another name for this one"
        )
    if others:
        return f"the vault's key of that name is for {others[0].origin or 'no address'} alone: {cure} for this one"
    return f"the vault has no key of that name: {cure}"


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """A place where keys of a provider are: what sort it is, how it is called, and its keys, ended ones too."""

    sort: Sort
    shown: str
    keys: tuple[KeptKey, ...]


def credentials(loaded: Loaded, provider_name: str) -> tuple[Secret, ...]:
    """Gives a provider's keys, each once, from the first of the places that has any in use; none: not configured.

    The places are the configuration, the variable of its kind, `./.api_keys.json`, the same file in the home, and the
    vault. Raises `KeyError` for a provider that does not exist, and `SettingsError` for a file that is open to others
    and for a key that is none.
    """
    return tuple(key.secret for key in kept_keys(loaded, provider_name))


def kept_keys(loaded: Loaded, provider_name: str) -> tuple[KeptKey, ...]:
    """Gives the keys that `credentials` does, with what is known of each."""
    provider = configured_providers(loaded).get(provider_name)
    if provider is not None and (asked := references(provider)) and all(map(vault_name, asked)):
        # When what was asked for has left the vault, another key is another account, which nobody asked for.
        return in_use(tuple({key.secret: key for key in _configured(loaded, provider)}.values()), loaded.at)
    for place in key_places(loaded, provider_name):
        if keys := in_use(place.keys, loaded.at):
            _check(loaded, provider_name, keys)
            return keys
    return ()


def key_places(loaded: Loaded, provider_name: str) -> Iterator[KeyPlace]:
    """Yields each place that has keys of a provider, in the order in which they count, as it is looked into.

    Raises as `credentials` does.
    """
    provider = configured_providers(loaded).get(provider_name)
    if provider is None:
        yield from _named_place(loaded, provider_name)
        return
    variable = _variable(loaded, provider_name, provider)
    looks: tuple[tuple[Sort, str, Callable[[], Iterable[KeptKey]]], ...] = (
        (*_setting(provider_name, provider), lambda: _configured(loaded, provider)),
        ("variable", variable or "", lambda: _from_variable(loaded, variable)),
        *(("file", str(path), partial(_from_keys_file, path, provider_name)) for path in keys_files(loaded)),
        ("vault", VAULT, lambda: named_keys(loaded, provider_name, provider)),
    )
    rows: set[str] = set()
    for sort, shown, look in looks:
        # A row of the vault that the configuration asked for is told there.
        if keys := {key.secret: key for key in look() if key.row_id not in rows}:
            rows |= {key.row_id for key in keys.values() if key.row_id}
            yield KeyPlace(sort, shown, tuple(keys.values()))


def _named_place(loaded: Loaded, name: str) -> Iterator[KeyPlace]:
    """Yields the vault where it has keys by a name that no provider bears, but asks for."""
    owner = configured_providers(loaded)[vault_names(loaded)[name]]
    if keys := named_keys(loaded, name, owner):
        yield KeyPlace("vault", VAULT, keys)


def _setting(name: str, provider: ProviderSettings) -> tuple[Sort, str]:
    """What sort of place a provider's setting is, and how it is called: where it asks the vault alone, as that."""
    asked = references(provider)
    if asked == (f"{VAULT}:{name}",):
        return "vault", VAULT
    if len(asked) == 1 and vault_name(asked[0]) is not None:
        return "configuration", asked[0]
    return "configuration", "api_keys" if provider.api_keys else "api_key"


def keys_files(loaded: Loaded) -> tuple[Path, ...]:
    """Gives where files of keys are looked for: the working directory, then the home."""
    return tuple(dict.fromkeys((loaded.directory / KEYS_FILE, loaded.home / KEYS_FILE)))


def read_keys_file(path: Path) -> dict[str, tuple[KeptKey, ...]]:
    """Gives the keys of each provider in a file, none where there is no such file; raises `SettingsError`."""
    return parsed(*_read(path, KEYS_FILE)) if os.path.exists(path) else {}


def origin_of(base_url: str | None) -> str | None:
    """Gives the scheme, host and port of an address: what a key of the vault is bound to."""
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def sendable(key: str, shown: str) -> str:
    """Gives a key without the spaces around it; raises `SettingsError`, which calls it `shown`, for what is none."""
    key = key.strip()
    if len(key) > KEY_CHARACTERS_MOST:
        raise SettingsError([Mistake(shown, "", f"is longer than {KEY_CHARACTERS_MOST} characters")])
    if key and not (key.isascii() and key.isprintable()):
        raise SettingsError([Mistake(shown, "", "holds characters that no HTTP header can carry")])
    return key


def key_text(key: str, shown: str) -> str:
    """Gives a provider's key without the spaces around it; raises as `sendable` does, and for a space inside."""
    key = sendable(key, shown)
    if " " in key:
        raise SettingsError([Mistake(shown, "", "has a space inside, which no key has: copy it anew")])
    return key


def check_key(loaded: Loaded, provider_name: str, key: Secret) -> None:
    """Raises `SettingsError` for what can be no key of this provider."""
    key_text(key.reveal(), f"the key of {provider_name}")
    kind = loaded.kind(configured_providers(loaded)[owner_of(loaded, provider_name)].kind)
    if kind is not None and (mistake := kind.key_mistake(key.reveal())):
        raise SettingsError([Mistake(f"the key of {provider_name}", "", mistake)])


def _check(loaded: Loaded, provider_name: str, keys: Iterable[KeptKey]) -> None:
    for key in keys:
        check_key(loaded, provider_name, key.secret)


def _configured(loaded: Loaded, provider: ProviderSettings) -> Iterator[KeptKey]:
    for reference in references(provider):
        if (name := vault_name(reference)) is not None:
            yield from named_keys(loaded, name, provider)
        elif (secret := resolve(reference, loaded.environment, loaded.home)) and (
            key := key_text(secret.reveal(), reference)
        ):
            yield KeptKey(Secret(key))


def _variable(loaded: Loaded, name: str, provider: ProviderSettings) -> str | None:
    """Gives the variable of the provider's kind where it is for this provider."""
    kind = loaded.kind(provider.kind)
    if kind is None or kind.environment is None:
        return None
    # A kind without an address of its own has one provider that bears its name; its key goes nowhere else.
    bound = at_own_address(loaded, name) or (kind.base_url is None and name == provider.kind)
    return kind.environment if bound else None


def _from_variable(loaded: Loaded, variable: str | None) -> Iterator[KeptKey]:
    if variable is not None and (key := key_text(loaded.environment.get(variable, ""), variable)):
        yield KeptKey(Secret(key))


def _from_keys_file(path: Path, name: str) -> Iterator[KeptKey]:
    for key in read_keys_file(path).get(name, ()):
        key_text(key.secret.reveal(), f"{KEYS_FILE}: {name}")
        yield key
