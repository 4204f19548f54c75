"""What seals a thought on Gemini's wire, and what stands in for a seal that another model never made."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

WIRE = "gemini"
# Google's own stand-in for calls of functions that no Gemini 3 model made: without any, the first call of each step is
# refused with 400 (ai.google.dev/gemini-api/docs/thought-signatures, checked 2026-11-26).
STAND_IN = "skip_thought_signature_validator"
Content = dict[str, Any]


def turns(contents: Iterable[Content]) -> list[Content]:
    """The contents, those of the model that follow each other as one: a call of a function stands behind a user's."""
    found: list[Content] = []
    for role, run in groupby(contents, lambda content: content["role"]):
        turn = list(run)
        found += [_joined(turn)] if role == "model" else turn
    return found


def _joined(turn: list[Content]) -> Content:
    """Contents as one, without the empty texts in which pieces of a stream may end."""
    said = {name: value for content in turn for name, value in content.items()}
    parts = [part for content in turn for part in content["parts"]]
    return {**said, "parts": [part for part in parts if part != {"text": ""}] or parts[:1]}


def with_stand_ins(contents: Iterable[Content]) -> list[Content]:
    """The contents with the stand-in on the first call of a function in each turn of the model that has no seal."""
    return [_sealed(content) if content["role"] == "model" else content for content in contents]


def _sealed(content: Content) -> Content:
    parts = content["parts"]
    place = next((place for place, part in enumerate(parts) if "functionCall" in part), None)
    if place is None or parts[place].get("thoughtSignature"):
        return content
    sealed = {**parts[place], "thoughtSignature": STAND_IN}
    return {**content, "parts": [*parts[:place], sealed, *parts[place + 1 :]]}
