"""Seals on Gemini's wire, where each is base64: its own as they are, and those that another wire made, wrapped."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from binascii import Error
from typing import NamedTuple

from oneflow_ai.dialects.seal import unwrapped, wrapped

WIRE = "gemini"
# Before the seal of what only its own wire can read: this wire has one place for it and for a seal.
_SEALED = "sealed-"
# What a wrapped seal begins with, and so the base64 of one.
_BEGINNINGS = tuple(b64encode(text.encode())[:4].decode() for text in ("of:", _SEALED))


class Seal(NamedTuple):
    """A seal, the wire that made it, and whether it is all that there is of a thought."""

    text: str
    wire: str
    whole: bool


def written(text: str, wire: str, *, whole: bool = False) -> str:
    """A seal as a client of this wire is given it; its clients read base64 and write it again."""
    if wire in ("", WIRE) and not whole:
        return text
    return b64encode(((_SEALED if whole else "") + wrapped(wire or WIRE, text)).encode()).decode()


def read(text: str) -> Seal:
    """A seal as a client gives it back, in either alphabet of base64."""
    if text.startswith(_BEGINNINGS):
        try:
            told = urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)).decode()
        except (Error, UnicodeDecodeError, ValueError):
            return Seal(text, WIRE, whole=False)
        whole = told.startswith(_SEALED)
        wire, seal = unwrapped(told.removeprefix(_SEALED))
        if wire:
            return Seal(seal, wire, whole)
    return Seal(text, WIRE, whole=False)
