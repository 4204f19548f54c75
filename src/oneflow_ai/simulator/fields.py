"""What a request's fields must be, said as data: each wire lists its own, and says in its own words what is wrong."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

Path = tuple[str | int, ...]
Check = Callable[[Any, Path], None]
"""Says nothing of a value that is right at its place in the request; raises `Wrong` for any other."""

UNKNOWN, MISSING, TYPE, VALUE = "unknown", "missing", "type", "value"
"""What can be wrong: a field that there is not, one that is not there, a wrong type, a wrong value."""


class Wrong(Exception):
    """A field that is wrong: where, in which way, and what it should be."""

    def __init__(self, path: Path, sort: str, expected: str = "") -> None:
        super().__init__(f"{dotted(path)}: {sort} {expected}")
        self.path = path
        self.sort = sort
        self.expected = expected


def dotted(path: Path) -> str:
    """A place as `messages.0.content`."""
    return ".".join(map(str, path))


def bracketed(path: Path) -> str:
    """A place as `messages[0].content`."""
    return "".join([f"[{each}]" if isinstance(each, int) else f".{each}" for each in path]).lstrip(".")


def anything(value: Any, path: Path) -> None:
    """Take any value."""


def boolean(value: Any, path: Path) -> None:
    """Take true and false."""
    if not isinstance(value, bool):
        raise Wrong(path, TYPE, "boolean")


def object_(value: Any, path: Path) -> None:
    """Take any object."""
    if not isinstance(value, dict):
        raise Wrong(path, TYPE, "object")


def text(least: int = 0, most: int | None = None, pattern: str = "") -> Check:
    """Take text of a length in characters, and of a pattern where there is one."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, str):
            raise Wrong(path, TYPE, "string")
        _count(value, "character", least, most, path)
        if pattern and not re.fullmatch(pattern, value):
            raise Wrong(path, VALUE, f"a string that matches {pattern}")

    return check


def base64_text(safe: bool = False) -> Check:
    """Take base64; where `safe`, in the alphabet for addresses too."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, str):
            raise Wrong(path, TYPE, "string")
        try:
            base64.b64decode(value.replace("-", "+").replace("_", "/") if safe else value, validate=True)
        except (binascii.Error, ValueError):
            raise Wrong(path, VALUE, "valid base64 data") from None

    return check


def _count(value: Sized, what: str, least: int, most: int | None, path: Path) -> None:
    if len(value) < least:
        raise Wrong(path, VALUE, f"at least {least} {what}" + ("s" if least > 1 else ""))
    if most is not None and len(value) > most:
        raise Wrong(path, VALUE, f"at most {most} {what}s")


def number(least: float | None = None, most: float | None = None, whole: bool = False) -> Check:
    """Take a number within its bounds, whole ones only where it says so."""
    expected = "integer" if whole else "number"

    def check(value: Any, path: Path) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise Wrong(path, TYPE, expected)
        if least is not None and value < least:
            raise Wrong(path, VALUE, f"greater than or equal to {least}")
        if most is not None and value > most:
            raise Wrong(path, VALUE, f"less than or equal to {most}")

    return check


def integer(least: int | None = None, most: int | None = None) -> Check:
    """Take a whole number within its bounds."""
    return number(least, most, whole=True)


def one_of(*values: str) -> Check:
    """Take one of these words."""

    def check(value: Any, path: Path) -> None:
        if not isinstance(value, str):
            raise Wrong(path, TYPE, "string")
        if value not in values:
            raise Wrong(path, VALUE, " or ".join([f"'{each}'" for each in values]))

    return check


def nullable(check: Check) -> Check:
    """Take null too."""
    return lambda value, path: None if value is None else check(value, path)


def listed(check: Check, least: int = 0, most: int | None = None) -> Check:
    """Take a list of such values."""

    def check_list(value: Any, path: Path) -> None:
        if not isinstance(value, list):
            raise Wrong(path, TYPE, "array")
        _count(value, "item", least, most, path)
        for place, each in enumerate(value):
            check(each, (*path, place))

    return check_list


def mapping(check: Check, most: int | None = None) -> Check:
    """Take an object with any names and such values."""

    def check_mapping(value: Any, path: Path) -> None:
        object_(value, path)
        _count(value, "field", 0, most, path)
        for name, each in value.items():
            check(each, (*path, name))

    return check_mapping


def text_or(check: Check, words: Check | None = None) -> Check:
    """Take text, or a value of another type by its own check."""
    words = words or text()
    return lambda value, path: words(value, path) if isinstance(value, str) else check(value, path)


def record(fields: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """Take an object with these fields and no others."""

    def check(value: Any, path: Path) -> None:
        object_(value, path)
        for name in required:
            if name not in value:
                raise Wrong((*path, name), MISSING)
        for name, each in value.items():
            if name not in fields:
                raise Wrong((*path, name), UNKNOWN)
            fields[name](each, (*path, name))

    return check


def tagged(tag: str, kinds: Mapping[str, Check], default: str = "") -> Check:
    """Take an object of the kind that one of its fields names; without it, of the default kind if there is one."""

    def check(value: Any, path: Path) -> None:
        object_(value, path)
        kind = value.get(tag, default or None)
        if kind is None:
            raise Wrong((*path, tag), MISSING)
        if not isinstance(kind, str) or kind not in kinds:
            raise Wrong((*path, tag), VALUE, " or ".join([f"'{each}'" for each in kinds]))
        kinds[kind](value, path)

    return check
