"""What a log line may hold: fields of known names, values of plain types, nothing that looks like a key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from types import TracebackType

from oneflow_ai.core.failure import Failure, in_own_words
from oneflow_ai.core.masking import HIDDEN, masked
from oneflow_ai.core.target import Secret

FIELDS = frozenset(
    {
        "address",
        "attempts",
        "calls",
        "code",
        "count",
        "credential",
        "dropped",
        "error",
        "file",
        "key",
        "library",
        "limit",
        "line",
        "message",
        "mode",
        "model",
        "operation",
        "outcome",
        "path",
        "pid",
        "place",
        "port",
        "provider",
        "reason",
        "request",
        "route",
        "seconds",
        "setting",
        "signal",
        "size_bytes",
        "state",
        "status",
        "suppressed",
        "task",
        "version",
        "waiting",
        "where",
        "workers",
    }
)
"""The names of the fields that are written; any other is named under `withheld`, without its value."""

TEXT_CHARACTERS_MOST = 1_000
ITEMS_MOST = 20
FRAMES_MOST = 5
_WHOLE_NUMBER_MOST = 2**63 - 1
_OURS = "oneflow_ai"


def clean(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields as they may be written; an exception becomes its class, its place, and its message if it is ours."""
    cleaned: dict[str, object] = {}
    withheld = []
    for name, value in fields.items():
        if name not in FIELDS:
            withheld.append(name)
        elif isinstance(value, BaseException):
            cleaned.update(told(value))
        else:
            cleaned[name] = clean_value(value)
    if withheld:
        cleaned["withheld"] = [clean_text(name) for name in sorted(withheld)[:ITEMS_MOST]]
    return cleaned


def clean_value(value: object) -> object:
    """A value of a plain type as it may be written; of any other, only the type's name."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) <= _WHOLE_NUMBER_MOST else str(value)[:TEXT_CHARACTERS_MOST]
        case Enum():
            return clean_value(value.value)
        case str() | PurePath():
            return clean_text(str(value))
        case datetime():
            return value.isoformat()
        case Secret():
            return HIDDEN
        case list() | tuple() | set() | frozenset():
            return [clean_value(item) for item in list(value)[:ITEMS_MOST]]
    return f"<{type(value).__name__}>"


def clean_text(text: str) -> str:
    """Text on one line, of printable characters, without what looks like a key, and not endless."""
    text = masked(text[: 2 * TEXT_CHARACTERS_MOST])
    return printable(text)[:TEXT_CHARACTERS_MOST]


def printable(text: str) -> str:
    """Text with each control, format or other invisible character written as an escape."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def told(problem: BaseException) -> dict[str, object]:
    """An exception as fields. A message that may quote a request, ours or someone else's, is left out."""
    fields: dict[str, object] = {"error": type(problem).__name__}
    if isinstance(problem, Failure):
        fields["code"] = clean_text(problem.code)
        if in_own_words(problem.code):
            fields["message"] = clean_text(problem.message)
    elif type(problem).__module__.partition(".")[0] == _OURS:
        fields["message"] = clean_text(str(problem))
    elif isinstance(problem, OSError) and problem.errno is not None:
        fields["message"] = os.strerror(problem.errno)
    if problem.__traceback__ is not None:
        fields["where"] = _frames(problem.__traceback__)
    return fields


def _frames(traceback: TracebackType | None) -> list[str]:
    """The last few places, innermost last, by module: `oneflow_ai.edge:120 serve`."""
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        module = traceback.tb_frame.f_globals.get("__name__", "?")
        frames.append(f"{module}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames[-FRAMES_MOST:]
