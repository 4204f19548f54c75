"""What is said of a request in `metadata`, as it is kept: bounded, without what looks like a key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.masking import HIDDEN, masked

# OpenAI's own bounds (developers.openai.com/api/reference, metadata; 2026-11-26).
MEMBERS_MOST = 16
NAME_CHARACTERS_MOST = 64
VALUE_CHARACTERS_MOST = 512
WHOLE_BYTES_MOST = 1 << 16
"""What a program says of its own requests is kept whole, up to here as JSON."""

# A member whose name ends so is kept without its value.
_SECRET_NAMES = ("key", "token", "secret", "password", "authorization", "credential", "credentials")


def metadata_of(found: object) -> str:
    """The members that are texts, numbers or truths, as JSON; empty where there is none."""
    if type(found) is not dict or not found:
        return ""
    kept: dict[str, str | int | float | bool] = {}
    for name, value in found.items():
        if len(kept) == MEMBERS_MOST:
            break
        if isinstance(value, str | int | float):
            kept[_text(name, NAME_CHARACTERS_MOST)] = _value(name, value)
    return orjson.dumps(kept).decode() if kept else ""


def whole_metadata(found: object) -> dict[str, Any]:
    """Everything that a program says of its request, as JSON has it; what looks like a key is hidden.

    Raises `ValueError` for what JSON cannot say, and for more than `WHOLE_BYTES_MOST`.
    """
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError("metadata is a mapping of names to values")
    try:
        written = orjson.dumps(_hidden(found), option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except (orjson.JSONEncodeError, RecursionError):
        raise ValueError("metadata holds values of JSON only: texts, numbers, lists and mappings of names") from None
    if len(written) > WHOLE_BYTES_MOST:
        raise ValueError(f"metadata has at most {WHOLE_BYTES_MOST} bytes as JSON")
    kept: dict[str, Any] = orjson.loads(written)
    return kept


def _hidden(value: object) -> object:
    match value:
        case str():
            return _text(value, len(value))
        case Mapping():
            return dict(_member(name, inner) for name, inner in value.items())
        case list() | tuple():
            return [_hidden(inner) for inner in value]
        case float() if not math.isfinite(value):
            raise ValueError("metadata holds a number that is not finite")
    return value


def _member(name: object, value: object) -> tuple[str, object]:
    if not isinstance(name, str):
        raise ValueError("a name in metadata is a text")
    return _text(name, len(name)), HIDDEN if name.lower().endswith(_SECRET_NAMES) else _hidden(value)


def _value(name: str, value: str | int | float | bool) -> str | int | float | bool:
    if name.lower().endswith(_SECRET_NAMES):
        return HIDDEN
    if isinstance(value, str):
        return _text(value, VALUE_CHARACTERS_MOST)
    # JSON's larger numbers fit into no column and no 64 bits.
    return value if -(2**63) <= value < 2**63 else HIDDEN


def _text(text: str, characters_most: int) -> str:
    # A key that the cut goes through is still seen to be one.
    return masked(text[: 2 * characters_most])[:characters_most].encode(errors="replace").decode()
