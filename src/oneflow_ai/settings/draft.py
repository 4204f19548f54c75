"""A configuration in the making: the file's tree with variables laid over it, each value knowing its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from oneflow_ai.core.call import Task
from oneflow_ai.settings.environment import Override
from oneflow_ai.settings.file import SettingsFile
from oneflow_ai.settings.mistakes import Mistake, SettingPath
from oneflow_ai.settings.shape import setting_depth, setting_of
from oneflow_ai.settings.tables import Settings
from oneflow_ai.settings.wording import mistakes_of

DEFAULT = "default"
_PASSES_MOST = 8


class Draft:
    """The tree of a file, or of none, that variables may override."""

    def __init__(self, file: SettingsFile | None) -> None:
        self._file = file
        self._tree: dict[str, Any] = deepcopy(dict(file.tree)) if file else {}
        self._variables: dict[SettingPath, str] = {}

    def names(self, section: str) -> set[str]:
        """Gives the names of the tables that stand in a section."""
        table = self._tree.get(section)
        return set(table) if isinstance(table, Mapping) else set()

    def override(self, overrides: Iterable[Override]) -> None:
        """Lays variables over the tree, in order."""
        for each in overrides:
            if _put(self._tree, each.path, each.value):
                self._variables[each.path] = each.variable

    def source_of(self, setting: SettingPath) -> str:
        """Gives where a setting's value came from: a variable, `oneflow.toml:12`, or `default`."""
        if setting in self._variables:
            return self._variables[setting]
        return self._file.where(setting) if self._file and _holds(self._file.tree, setting) else DEFAULT

    def place_of(self, path: SettingPath) -> str:
        """Gives where to look for a path, or for the table around it: as `source_of`, but as near as there is."""
        if variable := self._variables.get(setting_of(path)):
            return variable
        for size in range(len(path), 0, -1):
            if self._file and _holds(self._file.tree, path[:size]):
                return self._file.where(path)
            if near := [name for key, name in self._variables.items() if key[:size] == path[:size]]:
                return near[0]
        return DEFAULT

    def validated(self) -> tuple[Settings, list[Mistake]]:
        """Gives the settings, refused ones at their defaults, and a mistake for each of those."""
        tree = deepcopy(self._tree)
        refused: list[Mistake] = []
        for _ in range(_PASSES_MOST):
            settings, errors = _validate(tree)
            if settings is not None:
                return settings, refused
            refused = refused or mistakes_of(errors, self.place_of)
            for error in errors:
                _mend(tree, error)
        return Settings(), refused


def _validate(tree: Mapping[str, Any]) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings.model_validate(tree), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _put(tree: dict[str, Any], path: SettingPath, value: Any) -> bool:
    """Sets a value in a tree; False when something that is no table is in the way, which is a mistake of its own."""
    depth = setting_depth(str(path[0]))
    for part in path[:-1]:
        inner = tree.setdefault(str(part), {})
        if not isinstance(inner, dict):
            return False
        tree = inner
    if value != {} or len(path) == depth:
        tree[str(path[-1])] = value
    else:
        tree.setdefault(str(path[-1]), value)
    return True


def _mend(tree: dict[str, Any], error: ErrorDetails) -> None:
    """Takes what was refused out of a tree, as little as can be, so that the rest can still be checked."""
    path: SettingPath = error["loc"]
    if error["type"] == "missing" and path[-1] == "task":
        _put(tree, path, Task.TEXT.value)
    elif path[0] == "prices" or not _drop(tree, path):
        any(_drop(tree, part) for part in (setting_of(path), path[:2], path[:1]))


def _drop(tree: Any, path: SettingPath) -> bool:
    """Takes out a key of a table; an element of a list stays, for its neighbours' sake."""
    if not _holds(tree, path):
        return False
    for part in path[:-1]:
        tree = tree[part]
    return isinstance(tree, dict) and tree.pop(path[-1], path) is not path


def _holds(tree: Any, path: SettingPath) -> bool:
    for part in path:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
