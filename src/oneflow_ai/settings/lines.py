"""On which line each key of a TOML text stands; `tomllib` reads the values and does not tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

from oneflow_ai.settings.mistakes import SettingPath

_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key_lines(text: str) -> Mapping[SettingPath, int]:
    """Gives the line, from 1, of every table header and key of a valid TOML text.

    An element of an array of tables has its index in the path: `("routes", "text", "targets", 0, "weight")`. What
    stands inside an inline table or a list is on its key's line and has no entry of its own.
    """
    return _Scanner(text).scan()


def line_of(lines: Mapping[SettingPath, int], path: SettingPath) -> int | None:
    """Gives the line of the longest part of the path that has one."""
    return next((lines[path[:size]] for size in range(len(path), 0, -1) if path[:size] in lines), None)


class _Scanner:
    """One pass over a text that `tomllib` has accepted, so that nothing here needs to be checked again."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._lines: dict[SettingPath, int] = {}
        self._elements: dict[SettingPath, int] = {}

    def scan(self) -> Mapping[SettingPath, int]:
        table: SettingPath = ()
        while self._skip_blank():
            line = bisect_right(self._ends, self._at) + 1
            if self._text[self._at] == "[":
                table = self._header(line)
            else:
                self._note(table, self._key(), line)
                self._skip_value()
        return self._lines

    def _skip_blank(self) -> bool:
        if blank := _BLANK.match(self._text, self._at):
            self._at = blank.end()
        return self._at < len(self._text)

    def _header(self, line: int) -> SettingPath:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        parts = self._key()
        self._at += 2 if many else 1
        path = self._note((), parts[:-1] if many else parts, line)
        if not many:
            # Its own header, where a deeper one came first and only implied it.
            self._lines[path] = line
            return path
        path = (*path, parts[-1])
        self._lines.setdefault(path, line)
        self._elements[path] = self._elements.get(path, -1) + 1
        path = (*path, self._elements[path])
        self._lines[path] = line
        return path

    def _note(self, table: SettingPath, parts: list[str], line: int) -> SettingPath:
        path = table
        for part in parts:
            path = (*path, part)
            self._lines.setdefault(path, line)
            if path in self._elements:
                path = (*path, self._elements[path])
        return path

    def _key(self) -> list[str]:
        """Reads a dotted key and stops behind it."""
        parts: list[str] = []
        while True:
            self._skip_space()
            if quoted := _STRING.match(self._text, self._at):
                parts.append(tomllib.loads(f"key = {quoted.group()}")["key"])
                self._at = quoted.end()
            elif bare := _BARE.match(self._text, self._at):
                parts.append(bare.group())
                self._at = bare.end()
            self._skip_space()
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _skip_space(self) -> None:
        if space := _SPACE.match(self._text, self._at):
            self._at = space.end()

    def _skip_value(self) -> None:
        depth = 0
        while self._at < len(self._text):
            if string := _STRING.match(self._text, self._at):
                self._at = string.end()
                continue
            character = self._text[self._at]
            if character == "\n" and depth == 0:
                return
            if character == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
                continue
            depth += (character in "[{") - (character in "]}")
            self._at += 1
