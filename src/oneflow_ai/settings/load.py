"""Loads the configuration: defaults, then the file, then variables; every mistake at once, or a checked whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from platformdirs import user_data_path

from oneflow_ai.core.call import Task
from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.settings.check import check
from oneflow_ai.settings.draft import Draft
from oneflow_ai.settings.environment import CONFIG_VARIABLE, HOME_VARIABLE, read_overrides
from oneflow_ai.settings.file import SettingsFile, find_file, read_file
from oneflow_ai.settings.loaded import DEFAULT_KINDS, Kind, Loaded
from oneflow_ai.settings.mistakes import Mistake, SettingsError, dotted
from oneflow_ai.settings.show import effective_values

Vault: TypeAlias = Callable[[Loaded], Mapping[str, tuple[KeptKey, ...]]]

_NAME = "oneflow"
_LINE = re.compile(r":(\d+)(?::\d+)?$")


def load(
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    variables: Mapping[str, str] | None = None,
    vault: Vault | None = None,
    at: datetime | None = None,
) -> Loaded:
    """Gives the checked configuration, and where each value came from.

    `config` is the file to read, else it is looked for. `environment` is the process's own when left out, `directory`
    the working directory. `kinds` are the known sorts of provider; without them a provider's kind is not checked.
    `variables` are laid over the environment. `vault` opens the keys that the database keeps; without it there are
    none. Keys are judged as of the moment `at`, the present when left out.
    Raises `SettingsError` with every mistake found.
    """
    environment = MappingProxyType({**(os.environ if environment is None else environment), **(variables or {})})
    directory = Path.cwd() if directory is None else directory
    home = home_of(environment, directory)
    path = find_file(config, environment.get(CONFIG_VARIABLE, ""), directory, home)
    file, unread = _read(path)
    draft = Draft(file)
    written = frozenset(draft.names("providers"))
    names = {
        "providers": draft.names("providers") | set(DEFAULT_KINDS) | set(kinds or {}),
        "routes": draft.names("routes") | {task.value for task in Task},
    }
    overrides, misnamed = read_overrides(environment, names)
    draft.override(overrides)
    settings, refused = draft.validated()
    loaded = Loaded(settings, home, path, {}, directory, environment, draft.place_of, kinds, written=written)
    sources = {dotted(setting): draft.source_of(setting) for setting, _ in effective_values(loaded)}
    loaded = replace(loaded, sources=MappingProxyType(sources), at=at or loaded.at)
    loaded, unopened = _opened(loaded, None if unread or refused else vault)
    # What an unreadable file would have said is not known; what was refused is at its default, which nobody wrote.
    names_refused = {each.name for each in refused}
    contradictions = () if unread else (each for each in check(loaded) if each.name not in names_refused)
    found = [*unread, *misnamed, *refused, *unopened, *contradictions]
    if mistakes := [each for each in found if not each.warning]:
        raise SettingsError(sorted(mistakes, key=_order))
    return replace(loaded, warnings=tuple(sorted(found, key=_order)))


def home_of(environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Path:
    """Gives `$ONEFLOW_HOME`, or the platform's folder; no configuration is read for it. Left out as for `load`."""
    found = (os.environ if environment is None else environment).get(HOME_VARIABLE)
    return (Path.cwd() if directory is None else directory) / (found or user_data_path(_NAME, appauthor=False))


def _opened(loaded: Loaded, vault: Vault | None) -> tuple[Loaded, tuple[Mistake, ...]]:
    if vault is None:
        return loaded, ()
    try:
        return replace(loaded, vault=vault(loaded), sealed=False), ()
    except SettingsError as error:
        return loaded, error.mistakes


def _read(path: Path | None) -> tuple[SettingsFile | None, tuple[Mistake, ...]]:
    try:
        return (read_file(path) if path else None), ()
    except SettingsError as error:
        return None, error.mistakes


def _order(mistake: Mistake) -> tuple[bool, int, str, str]:
    line = _LINE.search(mistake.where)
    return line is None, int(line[1]) if line else 0, mistake.where, mistake.name
