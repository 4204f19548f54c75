"""When a provider's key is to be replaced, and what becomes of the old one; the moment comes in as an argument."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum

from oneflow_ai.core.kept_key import KeptKey

OLD_KEY_HOURS = 24
"""How long an old key is used after a new one took its place."""

REMIND_DAYS = 80
"""The age from which a reminder is given."""

WARN_DAYS = 90
"""The age from which it is a warning."""


class Age(Enum):
    """How a key stands, by its age."""

    UNKNOWN = "unknown"
    FRESH = "fresh"
    DUE = "due"
    OVERDUE = "overdue"
    ENDING = "ending"


def in_use(keys: Iterable[KeptKey], now: datetime) -> tuple[KeptKey, ...]:
    """The keys whose time is not over, in their order."""
    return tuple(key for key in keys if not key.ended(now))


def with_another(keys: Iterable[KeptKey], new: KeptKey, now: datetime) -> tuple[KeptKey, ...]:
    """The keys with a new one after them, but before those that end; the same key again counts as new."""
    others = _others(keys, new, now)
    staying = [key for key in others if key.ends_at is None]
    return (*staying, new, *(key for key in others if key.ends_at is not None))


def rotated(keys: Iterable[KeptKey], new: KeptKey, now: datetime, number: int | None = None) -> tuple[KeptKey, ...]:
    """The new key, and after it the others; those that it replaces end within `OLD_KEY_HOURS`.

    It replaces the key of this number among those in use, from 1 on; without one, all.
    """
    end = now + timedelta(hours=OLD_KEY_HOURS)
    staying: list[KeptKey] = []
    ending: list[KeptKey] = []
    for at, key in enumerate(in_use(keys, now), 1):
        replaced = key.until(end) if number in (None, at) else key
        if key.secret != new.secret:
            (staying if replaced.ends_at is None else ending).append(replaced)
    return (*staying, new, *ending) if number is not None else (new, *ending)


def next_end(keys: Iterable[KeptKey], now: datetime) -> datetime | None:
    """When the next of the keys ends that has not; None where none does."""
    return min((key.ends_at for key in keys if key.ends_at is not None and not key.ended(now)), default=None)


def age_days(key: KeptKey, now: datetime) -> int | None:
    """How many whole days a key has been there, at least; None where nobody knows."""
    return None if key.added_at is None else max((now - key.added_at).days, 0)


def age_of(key: KeptKey, now: datetime) -> Age:
    """How a key stands at that moment."""
    days = age_days(key, now)
    if key.ends_at is not None:
        return Age.ENDING
    if days is None:
        return Age.UNKNOWN
    if days < REMIND_DAYS:
        return Age.FRESH
    return Age.DUE if days < WARN_DAYS else Age.OVERDUE


def _others(keys: Iterable[KeptKey], new: KeptKey, now: datetime) -> tuple[KeptKey, ...]:
    return tuple(key for key in in_use(keys, now) if key.secret != new.secret)
