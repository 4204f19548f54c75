"""Finds the configuration file and reads it: its tree, and where each key stands."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oneflow_ai.settings.lines import key_lines, line_of
from oneflow_ai.settings.mistakes import Mistake, SettingPath, SettingsError

FILE_NAME = "oneflow.toml"
FILE_BYTES_MOST = 1 << 20

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file as it was read: `name` for messages, its tree, the line of each key."""

    name: str
    tree: Mapping[str, Any]
    lines: Mapping[SettingPath, int]

    def where(self, path: SettingPath) -> str:
        """Gives `oneflow.toml:12` for a path, or the file's name when nothing of it stands there."""
        line = line_of(self.lines, path)
        return self.name if line is None else f"{self.name}:{line}"


def find_file(named: Path | None, variable: str, directory: Path, home: Path) -> Path | None:
    """Gives the file to read: the one named, `$ONEFLOW_CONFIG`, `./oneflow.toml` or the one in the home; None: none.

    The first two are given even if they do not exist, since somebody asked for them.
    """
    for asked in (named, Path(variable) if variable else None):
        if asked is not None:
            return directory / asked
    return next((place for place in (directory / FILE_NAME, home / FILE_NAME) if os.path.isfile(place)), None)


def read_file(path: Path) -> SettingsFile:
    """Reads a file; raises `SettingsError` with line and column when it is no TOML, or cannot be read."""
    text = _text(path)
    try:
        return SettingsFile(path.name, tomllib.loads(text), key_lines(text))
    except tomllib.TOMLDecodeError as error:
        mistake = _syntax(path.name, str(error), text)
    except RecursionError:
        mistake = Mistake(path.name, "", "is nested too deeply")
    raise SettingsError([mistake])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(FILE_BYTES_MOST + 1)
        if len(content) > FILE_BYTES_MOST:
            raise SettingsError([Mistake(path.name, "", f"is longer than {FILE_BYTES_MOST} bytes")])
        return content.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError([Mistake(str(path), "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError([Mistake(f"{path.name}:{line}", "", "is not UTF-8 text")]) from None


def _syntax(name: str, words: str, text: str) -> Mistake:
    place = _PLACE.search(words)
    line, column = place.groups() if place else (None, None)
    at = f"{line}:{column}" if line else str(text.rstrip("\n").count("\n") + 1)
    said = _PLACE.sub("", words)
    return Mistake(f"{name}:{at}", "", f"is not TOML: {said[:1].lower()}{said[1:]}")
