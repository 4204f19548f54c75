"""Every key of every provider as it is kept and stands, in use or not; never the key itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.policy.rotation import WARN_DAYS, Age, age_days, age_of, in_use
from oneflow_ai.settings import Loaded, configured_providers
from oneflow_ai.settings.credentials import (
    KeyPlace,
    Sort,
    key_places,
    keys_files,
    origin_of,
    read_keys_file,
    vault_names,
)


@dataclass(frozen=True, slots=True)
class ListedKey:
    """One key. `credential` is its name in logs and metrics, None for a key that is not used; `why_not` tells why.

    `shown` names its place: a setting, a variable, a file or the vault.
    """

    provider: str
    credential: str | None
    sort: Sort
    shown: str
    added_at: datetime | None
    ends_at: datetime | None
    age: Age
    days: int | None
    why_not: str = ""
    ended: bool = False

    @property
    def words(self) -> str:
        """How it stands, for people."""
        if self.credential is None:
            return f"not used: {self.why_not}"
        if self.ends_at is not None:
            return f"in use until {self.ends_at:%Y-%m-%d %H:%M} UTC"
        if self.age is Age.DUE:
            return f"in use; {self.days} days old: `oneflow keys rotate` before {WARN_DAYS}"
        if self.age is Age.OVERDUE:
            return f"in use; {self.days} days old: `oneflow keys rotate` now"
        return "in use"


def listed_keys(loaded: Loaded) -> list[ListedKey]:
    """The keys, by provider, in the order in which they count. Raises `SettingsError` for a file that is none."""
    found: list[ListedKey] = []
    for name in configured_providers(loaded):
        first: KeyPlace | None = None
        for place in key_places(loaded, name):
            before = first
            if first is None and in_use(place.keys, loaded.at):
                first = place
            found += _of_place(loaded, name, place, before)
        found += _misplaced(loaded, name)
    found += _of_nobody(loaded)
    return found


def _of_place(loaded: Loaded, name: str, place: KeyPlace, before: KeyPlace | None) -> Iterator[ListedKey]:
    used = in_use(place.keys, loaded.at)
    for key in place.keys:
        why_not = "its time is over" if key.ended(loaded.at) else f"{before.shown} comes first" if before else ""
        number = f"#{used.index(key) + 1}" if len(used) > 1 and key in used else ""
        yield _listed(loaded, name, place.sort, place.shown, key, why_not, f"{name}{number}")


def _misplaced(loaded: Loaded, name: str) -> Iterator[ListedKey]:
    """The keys of the vault that are for another address than the provider's."""
    origin = origin_of(configured_providers(loaded)[name].base_url)
    for key in loaded.vault.get(name, ()):
        if key.origin != origin:
            yield _listed(loaded, name, "vault", "vault", key, f"it is for {key.origin or 'no address'} alone")


def _of_nobody(loaded: Loaded) -> Iterator[ListedKey]:
    known = configured_providers(loaded)
    why_not = "no provider of this name is configured"
    for path in keys_files(loaded):
        for name, keys in read_keys_file(path).items():
            if name not in known:
                yield from (_listed(loaded, name, "file", str(path), key, why_not) for key in keys)
    asked = vault_names(loaded)
    for name, keys in loaded.vault.items():
        if name not in known and name not in asked:
            yield from (_listed(loaded, name, "vault", "vault", key, why_not) for key in keys)


def _listed(
    loaded: Loaded, name: str, sort: Sort, shown: str, key: KeptKey, why_not: str, credential: str = ""
) -> ListedKey:
    age, days = age_of(key, loaded.at), age_days(key, loaded.at)
    used = None if why_not else credential
    return ListedKey(name, used, sort, shown, key.added_at, key.ends_at, age, days, why_not, key.ended(loaded.at))
