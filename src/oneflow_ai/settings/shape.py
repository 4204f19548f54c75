"""How deep each setting lies in the file and what else could stand beside it: the models, asked by path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from oneflow_ai.settings.mistakes import SettingPath
from oneflow_ai.settings.tables import ProviderSettings, RouteSettings, Settings, TargetSettings

# Sections whose tables are named by the user, and what such a table holds; a model's price is one value.
NAMED_SECTIONS: tuple[tuple[str, type[BaseModel] | None], ...] = (
    ("providers", ProviderSettings),
    ("routes", RouteSettings),
    ("prices", None),
)
_NAMED = dict(NAMED_SECTIONS)


def sections() -> tuple[str, ...]:
    """Gives the names of the file's tables."""
    return tuple(Settings.model_fields)


def setting_depth(section: str) -> int:
    """Gives how many names lead to a setting of the section: `server.port` 2, `providers.openai.kind` 3."""
    return 3 if _NAMED.get(section) else 2


def setting_of(path: SettingPath) -> SettingPath:
    """Gives the setting that the path is, or lies in."""
    return path[: setting_depth(str(path[0]))] if path else path


def names_at(path: SettingPath) -> tuple[str, ...]:
    """Gives the keys that may stand in the table at the path; none where the user names them."""
    model = _model_at(path)
    return tuple(model.model_fields) if model else ()


def sections_with(key: str) -> list[str]:
    """Gives the sections that have a setting of this name."""
    return [section for section in sections() if key in names_at((section,)) or key in _named_fields(section)]


def is_text(path: SettingPath) -> bool:
    """Says whether a setting's value is text, which a variable gives as it stands."""
    model = _model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    return field is not None and not _holds_other_than_text(field.annotation)


def leaves(tree: Mapping[str, Any]) -> Iterator[tuple[SettingPath, Any]]:
    """Yields each setting that a tree holds, with its value; an empty table, or what is none, counts as a setting."""
    for section, table in tree.items():
        yield from _leaves((section,), table, setting_depth(section))


def _leaves(path: SettingPath, value: Any, depth: int) -> Iterator[tuple[SettingPath, Any]]:
    if len(path) == depth or not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves((*path, name), inner, depth)


def _named_fields(section: str) -> Iterable[str]:
    model = _NAMED.get(section)
    return model.model_fields if model else ()


def _model_at(path: SettingPath) -> type[BaseModel] | None:
    match path:
        case ():
            return Settings
        case (str(section),) if section not in _NAMED:
            field = Settings.model_fields.get(section)
            return type(field.get_default(call_default_factory=True)) if field else None
        case (str(section), str()):
            return _NAMED.get(section)
        case ("routes", str(), "targets", int()):
            return TargetSettings
    return None


def _holds_other_than_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    if inner := get_args(annotation):
        whole = get_origin(annotation)
        return whole in (tuple, Mapping) or any(
            _holds_other_than_text(each) for each in inner if isinstance(each, type) or get_args(each)
        )
    return isinstance(annotation, type) and issubclass(annotation, bool | int | float)
