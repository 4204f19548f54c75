"""Sound without compression: a tone as PCM, WAV, μ-law and A-law."""

from __future__ import annotations

import math
import struct
from array import array
from functools import lru_cache

_TONE_HERTZ = 440
_LOUDNESS = 8_000
_KEPT_MOST = 16
_MULAW_BIAS, _MULAW_MOST = 132, 32_635
_PCM, _TAG_BYTES = 1, 36


@lru_cache(_KEPT_MOST)
def second(coding: str, rate: int) -> bytes:
    """One second of the tone, which begins and ends at rest; `coding` is `pcm`, `ulaw` or `alaw`."""
    samples = [round(_LOUDNESS * math.sin(2 * math.pi * _TONE_HERTZ * at / rate)) for at in range(rate)]
    if coding == "pcm":
        return struct.pack(f"<{rate}h", *samples)
    return array("B", map(_mulaw if coding == "ulaw" else _alaw, samples)).tobytes()


def part(whole_second: bytes, start: int, end: int) -> bytes:
    """The bytes from one place to another of that second again and again."""
    length = len(whole_second)
    first = start % length
    turns = -(-(first + end - start) // length)
    return (whole_second * turns)[first : first + end - start]


def wav_head(rate: int, size: int) -> bytes:
    """What stands before so many bytes of PCM in a WAV file."""
    told = struct.pack("<IHHIIHH", 16, _PCM, 1, rate, rate * 2, 2, 16)
    return b"RIFF" + struct.pack("<I", size + _TAG_BYTES) + b"WAVEfmt " + told + b"data" + struct.pack("<I", size)


def _mulaw(sample: int) -> int:
    """A sample by ITU G.711."""
    sign = 0x80 if sample < 0 else 0
    value = min(abs(sample), _MULAW_MOST) + _MULAW_BIAS
    exponent = value.bit_length() - 8
    return ~(sign | exponent << 4 | value >> exponent + 3 & 0x0F) & 0xFF


def _alaw(sample: int) -> int:
    """A sample by ITU G.711."""
    sign = 0x80 if sample >= 0 else 0
    value = (sample if sample >= 0 else -sample - 1) >> 4
    exponent = max(value.bit_length() - 4, 0)
    mantissa = value >> max(exponent - 1, 0) & 0x0F if exponent > 1 else value & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55
