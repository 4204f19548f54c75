"""The vendored price snapshot: its rows, and which row a model's name means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeAlias

import msgspec

Clause: TypeAlias = str | list[Any]

_COMPACT_DATE = re.compile(r"-(20\d\d)(\d\d)(\d\d)(?=-|:|$)")


class Header(msgspec.Struct, frozen=True):
    """Where the snapshot comes from: the package and its version, the day it was checked, whose it is, its digest."""

    source: str
    version: str
    checked: str
    copyright: str
    sha256: str


class ModelRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One model. `periods` and `tiers` stay undecoded until somebody asks for the price."""

    id: str
    match: Clause
    context_window_tokens: int | None
    periods: msgspec.Raw
    tiers: msgspec.Raw = msgspec.Raw(b"{}")
    audio_least_milliseconds: int = 0


class ProviderRows(msgspec.Struct, frozen=True):
    """The models of one provider, first match counting, and the providers whose models it resells."""

    fallback: list[str]
    models: list[ModelRow]


class PriceSnapshot(msgspec.Struct, frozen=True):
    """The whole file."""

    header: Header
    providers: dict[str, ProviderRows]


def read_snapshot(content: bytes) -> PriceSnapshot:
    """The snapshot in these bytes; raises `msgspec.ValidationError` for another shape."""
    return msgspec.json.decode(content, type=PriceSnapshot)


def find_row(providers: Mapping[str, ProviderRows], provider: str, model: str) -> tuple[ModelRow, bool] | None:
    """The row that prices a model, and whether it is the provider's own; None when no row fits.

    A compact date in the name (`-20251211`) is tried with dashes too.
    """
    rows = providers.get(provider)
    if rows is None:
        return None
    name = model.lower()
    found = _match(providers, rows, name)
    dashed = _COMPACT_DATE.sub(_dashed, name)
    if found is None and dashed != name:
        return _match(providers, rows, dashed)
    return found


def exact_names(row: ModelRow) -> Iterator[str]:
    """The names that a row spells out: those a caller may be offered."""
    for clause in row.match if isinstance(row.match, list) else [row.match]:
        if isinstance(clause, str) and clause[0] == "=":
            yield clause[1:]
    if fits(row.match, row.id.lower()):
        yield row.id


def fits(clause: Clause, name: str) -> bool:
    """Whether a name in lower case fits a clause: `=` equal, `^` start, `$` end, `*` within, `~` regular expression.

    A list means any of its clauses, one that begins with `&` all of them. Raises `ValueError` for another clause.
    """
    if isinstance(clause, list):
        if clause and clause[0] == "&":
            return all(fits(part, name) for part in clause[1:])
        return any(fits(part, name) for part in clause)
    text = clause[1:]
    match clause[0]:
        case "=":
            return name == text.lower()
        case "^":
            return name.startswith(text)
        case "$":
            return name.endswith(text)
        case "*":
            return text in name
        case "~":
            return re.search(text, name) is not None
    raise ValueError(f"an unknown clause: {clause!r}")


def _match(providers: Mapping[str, ProviderRows], rows: ProviderRows, name: str) -> tuple[ModelRow, bool] | None:
    for row in rows.models:
        if fits(row.match, name):
            return row, True
    for other in rows.fallback:
        for row in providers[other].models:
            if fits(row.match, name):
                return row, False
    return None


def _dashed(found: re.Match[str]) -> str:
    try:
        return f"-{date(*map(int, found.groups())).isoformat()}"
    except ValueError:
        return found.group()
