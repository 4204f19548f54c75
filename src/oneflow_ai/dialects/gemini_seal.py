"""Seals on Gemini's wire, where each is base64: its own as they are, and those that another wire made, wrapped."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from binascii import Error
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

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


def is_foreign(text: str) -> bool:
    """Whether a seal is another than one of this wire's own, as it is."""
    return text.startswith(_BEGINNINGS) and read(text) != Seal(text, WIRE, whole=False)


def without_foreign(contents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The contents for this wire's own models: without others' seals, and the thoughts of the turns that have such."""
    return [content for _, turn in groupby(contents, lambda content: content["role"]) for content in _own(list(turn))]


def _own(turn: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if not any(is_foreign(part.get("thoughtSignature", "")) for content in turn for part in content["parts"]):
        yield from turn
        return
    for content in turn:
        parts = [_unsealed(part) for part in content["parts"] if part.get("thought") is not True]
        if parts := [part for part in parts if part not in ({}, {"text": ""})]:
            yield {**content, "parts": parts}


def _unsealed(part: dict[str, Any]) -> dict[str, Any]:
    foreign = is_foreign(part.get("thoughtSignature", ""))
    return {name: value for name, value in part.items() if name != "thoughtSignature"} if foreign else part


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
