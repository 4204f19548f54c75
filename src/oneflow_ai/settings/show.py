"""Shows a configuration: every effective value with its source and without a secret, and the schema of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from oneflow_ai.settings.effective import configured_providers, configured_routes
from oneflow_ai.settings.loaded import Loaded
from oneflow_ai.settings.mistakes import SettingPath, dotted
from oneflow_ai.settings.rules import is_reference
from oneflow_ai.settings.tables import Settings, TargetSettings

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its dotted name, its value as JSON holds it, and where that came from."""

    name: str
    value: Any
    source: str


def show(loaded: Loaded) -> list[Row]:
    """Gives every effective setting in the file's order; references stand as written, header values as `***`."""
    rows: list[Row] = []
    for path, value in effective_values(loaded):
        name = dotted(path)
        rows.append(Row(name, _shown(str(path[-1]), value), loaded.sources[name]))
    return rows


def effective_values(loaded: Loaded) -> Iterator[tuple[SettingPath, Any]]:
    """Yields the path and the value of every setting, those of providers and routes that need no table included."""
    named: Mapping[str, Mapping[str, Any]] = {
        "providers": configured_providers(loaded),
        "routes": configured_routes(loaded),
        "prices": loaded.settings.prices,
    }
    for section in Settings.model_fields:
        if section not in named:
            yield from _settings((section,), getattr(loaded.settings, section))
            continue
        for name, table in named[section].items():
            yield from _settings((section, name), table)


def json_schema() -> dict[str, Any]:
    """Gives the JSON Schema of `oneflow.toml`, with what each setting means."""
    schema = Settings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "oneflow.toml"}


def _settings(path: SettingPath, table: Any) -> Iterator[tuple[SettingPath, Any]]:
    if isinstance(table, BaseModel):
        yield from (((*path, name), getattr(table, name)) for name in type(table).model_fields)
    else:
        yield path, table


def _shown(key: str, value: Any) -> Any:
    match value:
        case Mapping() if key == "headers":
            return {name: text if is_reference(text) else HIDDEN for name, text in value.items()}
        case Mapping():
            return {name: _shown(str(name), inner) for name, inner in value.items()}
        case TargetSettings():
            told = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
            return _shown(key, told) if len(told) > 1 else value.target
        case tuple() | list():
            return [_shown(key, each) for each in value]
        case bool() | int() | float() | None:
            return value
    return str(value)
