"""Turns what the models refuse into mistakes: plain words, the place, what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from oneflow_ai.settings.mistakes import Mistake, SettingPath, closest, dotted
from oneflow_ai.settings.shape import names_at, sections_with

_QUOTED = re.compile(r"'([^']*)'")

_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "mapping_type": "must be a table",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "too_long": "has more than {max_length} entries",
}


def mistakes_of(errors: Iterable[ErrorDetails], where: Callable[[SettingPath], str]) -> list[Mistake]:
    """Gives the mistake that each of pydantic's errors stands for; `where` tells the place of a path."""
    return [Mistake(where(path), dotted(path), _message(error, path)) for error in errors for path in (error["loc"],)]


def unknown_key(path: SettingPath, shown: Callable[[SettingPath], str] = lambda path: str(path[-1])) -> str:
    """Gives what to say of a key that is not known at this path; `shown` writes a path as the reader would."""
    key, known = str(path[-1]), names_at(path[:-1])
    word = "section" if len(path) == 1 else "key"
    if meant := closest(key, known):
        return f"unknown {word}; did you mean {shown((*path[:-1], meant))}?"
    if len(path) > 1 and (homes := sections_with(key)):
        return f"unknown key; {key} belongs in [{homes[0]}]"
    return f"unknown {word}; known are {', '.join(known)}"


def _message(error: ErrorDetails, path: SettingPath) -> str:
    if error["type"] == "extra_forbidden":
        return unknown_key(path)
    if error["type"] in ("literal_error", "enum"):
        return _choice(_QUOTED.findall(error["ctx"]["expected"]), error["input"])
    words = _WORDS.get(error["type"])
    return words.format(**error.get("ctx", {})) if words else error["msg"]


def _choice(allowed: list[str], written: Any) -> str:
    meant = closest(written, allowed) if isinstance(written, str) else None
    hint = f"; did you mean {meant}?" if meant else ""
    return f"must be {' or '.join(filter(None, (', '.join(allowed[:-1]), allowed[-1])))}{hint}"
