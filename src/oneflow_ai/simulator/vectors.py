"""Embeddings: for each text always the same vector of length 1; texts that share words lie near each other."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from array import array

DIMENSIONS_MOST = 3_072
_WORDS_MOST = 64
_READ_CHARACTERS_MOST = 4_096
_WORD = re.compile(r"\w+")
_LANE_BYTES = 2
_LANES = int.from_bytes(b"\xff\x00" * DIMENSIONS_MOST, "little")
_WORD_WEIGHT = 3
_MIDDLE = 127.5


def vector(text: str, dimensions: int) -> list[float]:
    """The embedding of a text. A shorter one is the beginning of a longer one, brought to length 1 again."""
    words = list(dict.fromkeys(_WORD.findall(text[:_READ_CHARACTERS_MOST].lower())))[:_WORDS_MOST]
    # The text itself counts a little, so that no two texts have the same vector.
    added = _noise(f"text {text}", dimensions) + _WORD_WEIGHT * sum(
        [_noise(f"word {each}", dimensions) for each in words]
    )
    middle = _MIDDLE * (1 + _WORD_WEIGHT * len(words))
    lanes = struct.unpack(f"<{dimensions}H", added.to_bytes(_LANE_BYTES * dimensions, "little"))
    drawn = [each - middle for each in lanes]
    length = math.hypot(*drawn)
    # As four bytes hold them, so that both forms of an embedding say the same.
    return array("f", [each / length for each in drawn]).tolist()


def _noise(seed: str, dimensions: int) -> int:
    """A byte for each dimension, in two: as one number, since all of them are added up at once."""
    drawn = hashlib.shake_128(seed.encode("utf-8", "surrogatepass")).digest(_LANE_BYTES * dimensions)
    return int.from_bytes(drawn, "little") & _LANES
