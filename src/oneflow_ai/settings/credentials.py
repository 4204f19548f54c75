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
        raise SettingsError([Mistake("", "", "a secret's reference is env:NAME or file:PATH")])
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
    headers: Mapping[str, str], environment: Mapping[str, str], home: Path
) -> tuple[tuple[str, str], ...]:
    """Gives headers ready to send, references followed; one whose variable is unset is left out."""
    ready: list[tuple[str, str]] = []
    for name, value in headers.items():
        if not is_reference(value):
            ready.append((name, value))
        elif secret := resolve(value, environment, home):
            ready.append((name, sendable(secret.reveal(), value)))
    return tuple(ready)


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
    for place in key_places(loaded, provider_name):
        if keys := in_use(place.keys, loaded.at):
            _check(loaded, provider_name, keys)
            return keys
    return ()


def key_places(loaded: Loaded, provider_name: str) -> Iterator[KeyPlace]:
    """Yields each place that has keys of a provider, in the order in which they count, as it is looked into.

    Raises as `credentials` does.
    """
    provider = configured_providers(loaded)[provider_name]
    variable = _variable(loaded, provider_name, provider)
    looks: tuple[tuple[Sort, str, Callable[[], Iterable[KeptKey]]], ...] = (
        ("configuration", "api_keys" if provider.api_keys else "api_key", lambda: _configured(loaded, provider)),
        ("variable", variable or "", lambda: _from_variable(loaded, variable)),
        *(("file", str(path), partial(_from_keys_file, path, provider_name)) for path in keys_files(loaded)),
        ("vault", "vault", lambda: _from_vault(loaded, provider_name, provider)),
    )
    for sort, shown, look in looks:
        if keys := {key.secret: key for key in look()}:
            yield KeyPlace(sort, shown, tuple(keys.values()))


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


def check_key(loaded: Loaded, provider_name: str, key: Secret) -> None:
    """Raises `SettingsError` for what can be no key of this provider."""
    sendable(key.reveal(), f"the key of {provider_name}")
    kind = loaded.kind(configured_providers(loaded)[provider_name].kind)
    if kind is not None and (mistake := kind.key_mistake(key.reveal())):
        raise SettingsError([Mistake(f"the key of {provider_name}", "", mistake)])


def _check(loaded: Loaded, provider_name: str, keys: Iterable[KeptKey]) -> None:
    for key in keys:
        check_key(loaded, provider_name, key.secret)


def _configured(loaded: Loaded, provider: ProviderSettings) -> Iterator[KeptKey]:
    for reference in (*((provider.api_key,) if provider.api_key else ()), *provider.api_keys):
        if (secret := resolve(reference, loaded.environment, loaded.home)) and (
            key := sendable(secret.reveal(), reference)
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
    if variable is not None and (key := sendable(loaded.environment.get(variable, ""), variable)):
        yield KeptKey(Secret(key))


def _from_keys_file(path: Path, name: str) -> Iterator[KeptKey]:
    for key in read_keys_file(path).get(name, ()):
        sendable(key.secret.reveal(), f"{KEYS_FILE}: {name}")
        yield key


def _from_vault(loaded: Loaded, name: str, provider: ProviderSettings) -> Iterator[KeptKey]:
    origin = origin_of(provider.base_url)
    return (key for key in loaded.vault.get(name, ()) if key.origin == origin)
