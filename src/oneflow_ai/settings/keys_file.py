"""The form of `.api_keys.json`: the keys of providers by name, each with the moments that are known of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.target import Secret
from oneflow_ai.settings.mistakes import Mistake, SettingsError

KEYS_FILE = ".api_keys.json"
FORM = (
    'must be {"provider": "key"} or {"provider": ["key", "key"]}, as JSON; instead of "key" also '
    '{"key": "…", "added": TIME, "ends": TIME}'
)

_FIELDS = frozenset({"key", "added", "ends"})


def parsed(text: str, changed_at: datetime) -> dict[str, tuple[KeptKey, ...]]:
    """Gives the keys of each provider in such a text; raises `SettingsError` for any other.

    A key that says nothing of its age has been there since the file was last changed, or for longer.
    """
    try:
        tree = json.loads(text)
        if isinstance(tree, dict):
            return {name: tuple(_keys(value, changed_at)) for name, value in tree.items()}
    except (ValueError, OverflowError, RecursionError):
        # What a parser says of a text shows a piece of it.
        pass
    raise SettingsError([Mistake(KEYS_FILE, "", FORM)])


def written(keys: Mapping[str, Sequence[KeptKey]]) -> str:
    """Gives the text of the file that holds these keys."""
    tree = {name: [_entry(key) for key in kept] for name, kept in keys.items() if kept}
    return json.dumps(tree, indent=2) + "\n"


def _keys(value: Any, changed_at: datetime) -> Iterable[KeptKey]:
    """Yields the keys of one provider; raises `ValueError` for what is none."""
    for each in value if isinstance(value, list) else [value]:
        match each:
            case str():
                key, added, ends = each, changed_at, None
            case {"key": str(key), **more} if each.keys() <= _FIELDS:
                added, ends = _moment(more.get("added")) or changed_at, _moment(more.get("ends"))
            case _:
                raise ValueError("no key")
        if key.strip():
            yield KeptKey(Secret(key.strip()), added, ends)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("no time")
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _entry(key: KeptKey) -> dict[str, str]:
    moments = {"added": key.added_at, "ends": key.ends_at}
    told = {name: _told(moment) for name, moment in moments.items() if moment is not None}
    return {"key": key.secret.reveal(), **told}


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
