"""Reads overrides from variables: `ONEFLOW_SERVER__PORT=9000` is `server.port`, two underscores between the names."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from oneflow_ai.settings.mistakes import Mistake, SettingPath, dotted
from oneflow_ai.settings.shape import is_text, leaves, names_at, sections, setting_depth
from oneflow_ai.settings.wording import unknown_key

PREFIX = "ONEFLOW_"
HOME_VARIABLE = "ONEFLOW_HOME"
CONFIG_VARIABLE = "ONEFLOW_CONFIG"
RESERVED_VARIABLES = frozenset({HOME_VARIABLE, CONFIG_VARIABLE, "ONEFLOW_URL", "ONEFLOW_API_KEY"})
RESERVED_PREFIX = "ONEFLOW_TEST_"

_UNNAMEABLE = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class Override:
    """One setting that a variable gives."""

    variable: str
    path: SettingPath
    value: Any


def variable_of(path: SettingPath) -> str:
    """Gives the variable that overrides a setting."""
    return PREFIX + "__".join(_plain(str(part)) for part in path).upper()


def read_overrides(
    environment: Mapping[str, str], names: Mapping[str, Collection[str]]
) -> tuple[list[Override], list[Mistake]]:
    """Gives the settings that variables override, the deepest last, and the variables that are no settings.

    `names` holds the names that stand in the sections whose tables the user names, so that `MY_PROXY` finds `my-proxy`.
    """
    overrides: list[Override] = []
    mistakes: list[Mistake] = []
    seen: set[str] = set()
    for variable in sorted(environment, key=lambda name: (name.count("__"), name)):
        upper = variable.upper()
        if not upper.startswith(PREFIX) or upper in RESERVED_VARIABLES or upper.startswith(RESERVED_PREFIX):
            continue
        parts = tuple(variable[len(PREFIX) :].lower().split("__"))
        if len(parts) == 1 and parts[0] not in sections():
            mistakes += _near_miss(variable, parts[0], environment[variable])
        elif upper in seen:
            mistakes.append(Mistake(variable, dotted(parts), "is set twice, in upper and in lower case"))
        else:
            found = list(_read(variable, parts, environment[variable], names))
            overrides += [each for each in found if isinstance(each, Override)]
            mistakes += [each for each in found if isinstance(each, Mistake)]
        seen.add(upper)
    return overrides, mistakes


def _read(
    variable: str, parts: tuple[str, ...], text: str, names: Mapping[str, Collection[str]]
) -> Iterator[Override | Mistake]:
    path: SettingPath = _with_known_name(parts, names)
    depth = setting_depth(parts[0])
    if message := _not_a_setting(path, depth):
        yield Mistake(variable, dotted(path), message)
        return
    value = text if len(path) == depth and is_text(path) else _literal(text)
    if len(path) == depth:
        yield Override(variable, path, value)
    elif not isinstance(value, dict):
        yield Mistake(variable, dotted(path), 'must be a table, as JSON {"key": value} or TOML {key = value}')
    else:
        for part in reversed(path):
            value = {part: value}
        yield from (Override(variable, leaf, inner) for leaf, inner in leaves(value))


def _with_known_name(parts: tuple[str, ...], names: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    if len(parts) < 2:
        return parts
    known = (name for name in names.get(parts[0], ()) if _plain(name) == _plain(parts[1]))
    return (parts[0], next(known, parts[1]), *parts[2:])


def _not_a_setting(path: SettingPath, depth: int) -> str | None:
    if path[0] not in sections():
        return unknown_key(path[:1], lambda meant: variable_of((*meant, *path[1:])))
    if not all(path):
        return "has an empty name between underscores"
    if len(path) > depth:
        return f"is inside a value: set the whole of it, as JSON or TOML, in {variable_of(path[:depth])}"
    known = names_at(path[:-1])
    if len(path) == depth and known and path[-1] not in known:
        return unknown_key(path, variable_of)
    return None


def _near_miss(variable: str, word: str, text: str) -> Iterator[Mistake]:
    """Warns of `ONEFLOW_SERVER_PORT` and `ONEFLOW_PORT`; other programs' variables may begin like ours."""
    # Kubernetes gives each pod NAME_PORT=tcp://… for each service; one named oneflow-server is no setting of ours.
    if "://" in text:
        return
    settings = [(section, key) for section in sections() for key in names_at((section,))]
    meant = [path for path in settings if "_".join(path) == word] or [path for path in settings if path[1] == word]
    if len(meant) == 1:
        yield Mistake(variable, "", f"is not read; did you mean {variable_of(meant[0])}?", warning=True)


def _literal(text: str) -> Any:
    """Gives what the text says as JSON or TOML, else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        tree = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return tree["value"] if len(tree) == 1 else text


def _plain(name: str) -> str:
    return _UNNAMEABLE.sub("_", name.lower())
