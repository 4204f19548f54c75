"""Follows references to secrets and finds each provider's credentials, in the order that users are promised."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from oneflow_ai.core.target import Secret
from oneflow_ai.settings.effective import at_own_address, configured_providers
from oneflow_ai.settings.loaded import Loaded
from oneflow_ai.settings.mistakes import Mistake, SettingsError
from oneflow_ai.settings.rules import is_reference
from oneflow_ai.settings.tables import ProviderSettings

KEYS_FILE = ".api_keys.json"
SECRET_BYTES_MOST = 64 * 1024

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
    try:
        with open(path, "rb", opener=_open_without_waiting) as stream:
            status = os.fstat(stream.fileno())
            if problem := _problem(path, status):
                raise SettingsError([Mistake(shown, "", problem)])
            return stream.read(SECRET_BYTES_MOST).decode("utf-8")
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
            ready.append((name, _sendable(secret.reveal(), value)))
    return tuple(ready)


def credentials(loaded: Loaded, provider_name: str) -> tuple[Secret, ...]:
    """Gives a provider's keys, each once, from the first of the places that has any; none: it is not configured.

    The places are the configuration, the variable of its kind, `./.api_keys.json` and the same file in the home.
    Raises `KeyError` for a provider that does not exist, and `SettingsError` for a file that is open to others
    and for a key that is none.
    """
    provider = configured_providers(loaded)[provider_name]
    places: tuple[Callable[[], Iterable[str]], ...] = (
        lambda: _configured(loaded, provider),
        lambda: _from_variable(loaded, provider_name, provider),
        lambda: _from_keys_file(loaded.directory / KEYS_FILE, provider_name),
        lambda: _from_keys_file(loaded.home / KEYS_FILE, provider_name),
    )
    for place in places:
        if keys := tuple(dict.fromkeys(key for key in place() if key)):
            _check(loaded, provider_name, keys)
            return tuple(Secret(key) for key in keys)
    return ()


def _check(loaded: Loaded, provider_name: str, keys: Iterable[str]) -> None:
    kind = loaded.kind(configured_providers(loaded)[provider_name].kind)
    for key in keys if kind is not None else ():
        if kind is not None and (mistake := kind.key_mistake(key)):
            raise SettingsError([Mistake(f"the key of {provider_name}", "", mistake)])


def _configured(loaded: Loaded, provider: ProviderSettings) -> Iterable[str]:
    for reference in (*((provider.api_key,) if provider.api_key else ()), *provider.api_keys):
        if secret := resolve(reference, loaded.environment, loaded.home):
            yield _sendable(secret.reveal(), reference)


def _from_variable(loaded: Loaded, name: str, provider: ProviderSettings) -> Iterable[str]:
    kind = loaded.kind(provider.kind)
    if kind is None or kind.environment is None:
        return
    # A kind without an address of its own has one provider that bears its name; its key goes nowhere else.
    if at_own_address(loaded, name) or (kind.base_url is None and name == provider.kind):
        yield _sendable(loaded.environment.get(kind.environment, ""), kind.environment)


def _from_keys_file(path: Path, name: str) -> Iterable[str]:
    if not os.path.exists(path):
        return
    keys = _keys_file(path).get(name, [])
    for key in [keys] if isinstance(keys, str) else keys:
        yield _sendable(key, f"{KEYS_FILE}: {name}")


def _keys_file(path: Path) -> Mapping[str, Any]:
    text = read_private(path, KEYS_FILE)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        tree = None
    if isinstance(tree, dict) and all(_is_keys(value) for value in tree.values()):
        return tree
    raise SettingsError(
        [Mistake(KEYS_FILE, "", 'must be {"provider": "key"} or {"provider": ["key", "key"]}, as JSON')]
    )


def _is_keys(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(key, str) for key in value))


def _sendable(key: str, shown: str) -> str:
    key = key.strip()
    if key and not (key.isascii() and key.isprintable()):
        raise SettingsError([Mistake(shown, "", "holds characters that no HTTP header can carry")])
    return key
