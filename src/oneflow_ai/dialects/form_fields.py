"""The fields of a form as JSON would have them: texts read as the numbers and the truths that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_NUMBER, INVALID_TYPE, Failure
from oneflow_ai.core.form import Form

Reader = Callable[[str, str], Any]
"""Takes a field's name and its text; raises `Failure` for a text that stands for nothing."""


def typed(form: Form, readers: Mapping[str, Reader], repeated: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields by name; those that end in `[]`, or are among the `repeated`, are lists."""
    found: dict[str, Any] = {}
    lists: set[str] = set()
    for sent, text in form.fields:
        name = sent.removesuffix("[]")
        value = readers[name](name, text) if name in readers else text
        listed = sent != name or name in repeated
        if name in found and not (listed and name in lists):
            raise Failure(INVALID_TYPE, f"{name} is given twice", param=name)
        if listed:
            lists.add(name)
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def whole(name: str, text: str) -> int:
    """A number without a fraction."""
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise Failure(INVALID_TYPE, f"{name} is an integer", param=name)
    return int(text)


def decimal(name: str, text: str) -> float:
    """A number."""
    try:
        value = float(text)
    except ValueError:
        raise Failure(INVALID_TYPE, f"{name} is a number", param=name) from None
    if value - value != 0:
        raise Failure(INVALID_NUMBER, f"{name} is a finite number", param=name)
    return value


def truth(name: str, text: str) -> bool:
    """True or false."""
    if text.lower() not in ("true", "false"):
        raise Failure(INVALID_TYPE, f"{name} is true or false", param=name)
    return text.lower() == "true"
