"""What a client says of its request in `metadata`, as the history keeps it: bounded, without what looks like a key."""

from __future__ import annotations

import orjson

from oneflow_ai.core.masking import HIDDEN, masked

# OpenAI's own bounds (developers.openai.com/api/reference, metadata; 2026-11-26).
MEMBERS_MOST = 16
NAME_CHARACTERS_MOST = 64
VALUE_CHARACTERS_MOST = 512
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
