"""How likely the tokens of a chat's answer are, as OpenAI tells it: made up, and always the same for the same token."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import log
from typing import Any
from zlib import crc32

ALTERNATIVES_MOST = 20
_CHANCES = (0.9998, 0.97, 0.88, 0.64)
_DIGITS = 8
_WORDS = (
    *(" the", " a", " and", " to", " of", " in", " is", " it", " that", " this", " for", " with", " on", " as", " at"),
    *(" by", " or", " an", " be", " we"),
)


def logprobs(texts: Iterable[str], alternatives: int) -> dict[str, Any]:
    """What is told of these tokens: each one's chance, and that of so many that could stand there, itself the first."""
    return {"content": [_told(text, alternatives) for text in texts], "refusal": None}


def _told(text: str, alternatives: int) -> dict[str, Any]:
    chance = _CHANCES[crc32(text.encode()) % len(_CHANCES)]
    own = _token(text, chance)
    others = islice((word for word in _WORDS if word != text), max(alternatives - 1, 0))
    # each of the others is half as likely as the one before: together they never have more than is left
    left = [_token(word, (1 - chance) / 2**place) for place, word in enumerate(others, 1)]
    return {**own, "top_logprobs": [own, *left] if alternatives else []}


def _token(text: str, chance: float) -> dict[str, Any]:
    return {"token": text, "logprob": round(log(chance), _DIGITS), "bytes": list(text.encode())}
