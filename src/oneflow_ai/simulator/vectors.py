"""Embeddings: for each text always the same vector of length 1; texts that share words lie near each other."""

from __future__ import annotations

import hashlib
import math
import re
import struct

DIMENSIONS_MOST = 3_072
_WORDS_MOST = 64
_WORD = re.compile(r"\w+")


def vector(text: str, dimensions: int) -> list[float]:
    """The embedding of a text. A shorter one is the beginning of a longer one, brought to length 1 again."""
    words = list(dict.fromkeys(_WORD.findall(text.lower())))[:_WORDS_MOST]
    # The text itself counts a little, so that no two texts have the same vector.
    added = [0.2 * each for each in _noise(f"text {text}", dimensions)]
    for word in words:
        added = [one + other for one, other in zip(added, _noise(f"word {word}", dimensions), strict=True)]
    length = math.sqrt(sum([each * each for each in added]))
    return [_single(each / length) for each in added]


def _noise(seed: str, dimensions: int) -> list[float]:
    drawn = hashlib.shake_128(seed.encode("utf-8", "surrogatepass")).digest(dimensions)
    return [each - 127.5 for each in drawn]


def _single(value: float) -> float:
    """The number as four bytes hold it, so that both forms of an embedding say the same."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
