"""What a recording is, and how long, by its first bytes and its size: not every provider that counts seconds tells."""

from __future__ import annotations

from collections.abc import Mapping
from struct import unpack_from

from oneflow_ai.core.order import Upload

# Where nothing else is known: MP3 and AAC at 128 kbit/s, as most recorders write them.
BYTES_PER_SECOND = 16_000
# Where a WAV has its format and where its sound begins, whatever else stands before that.
_HEAD_BYTES = 4_096
# Codings of WAV that have the same number of bytes for every sample, and the bits of one: PCM, floating point, A-law
# and mu-law (RFC 2361, appendix A); `_EXTENSIBLE` has one of them further on (Microsoft's WAVEFORMATEXTENSIBLE;
# 2026-11-27).
_BITS: Mapping[int, tuple[int, ...]] = {1: (8, 16, 24, 32), 3: (32, 64), 6: (8,), 7: (8,)}
_EXTENSIBLE, _EXTENSIBLE_BYTES = 0xFFFE, 40
_SAMPLES_PER_SECOND_MOST, _CHANNELS_MOST = 192_000, 8
# Layer III of MPEG-1, and of MPEG-2 and 2.5, kbit/s by index (ISO/IEC 11172-3 §2.4.2.3, 13818-3 §2.4.2.3; 2026-11-26).
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_UNKNOWN = ("bin", "application/octet-stream")
_BEGINNINGS: tuple[tuple[bytes, tuple[str, str]], ...] = (
    (b"ID3", ("mp3", "audio/mpeg")),
    (b"OggS", ("ogg", "audio/ogg")),
    (b"fLaC", ("flac", "audio/flac")),
    (b"\x1aE\xdf\xa3", ("webm", "audio/webm")),
)


def sort_of(content: bytes) -> tuple[str, str]:
    """The end of such a file's name, and its media type, by its first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "wav", "audio/wav"
    if content[4:8] == b"ftyp":
        return "m4a", "audio/mp4"
    if len(content) > 1 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0:
        # Without layer bits it is AAC (ADTS), else one of MPEG's layers.
        return ("aac", "audio/aac") if content[1] & 0x06 == 0 else ("mp3", "audio/mpeg")
    return next((sort for beginning, sort in _BEGINNINGS if content.startswith(beginning)), _UNKNOWN)


def milliseconds_of(upload: Upload) -> int:
    """About how long it sounds: exactly for plain WAV, by its first frame for MP3, else by its size alone."""
    head = _head(upload)
    known = _wav_milliseconds(head, upload.size_bytes)
    return -(-upload.size_bytes * 1000 // _rate(head)) if known is None else known


def known_milliseconds(upload: Upload) -> int | None:
    """How long it sounds at the most, where its first bytes and its size leave no doubt; else None."""
    return _wav_milliseconds(_head(upload), upload.size_bytes)


def _head(upload: Upload) -> bytes:
    try:
        return next(upload.pieces(), b"")[:_HEAD_BYTES]
    except OSError:
        return b""


def _rate(head: bytes) -> int:
    """Bytes a second."""
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] >> 4 not in (0, 15):
        rates = _RATES_1 if head[1] & 0x18 == 0x18 else _RATES_2
        return rates[head[2] >> 4] * 125
    return BYTES_PER_SECOND


def _wav_milliseconds(head: bytes, size_bytes: int) -> int | None:
    """The length of a WAV: all that follows its head is sound, however much of it the head says is none."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    place, rate = 12, 0
    while place + 8 <= len(head):
        name, length = head[place : place + 4], int.from_bytes(head[place + 4 : place + 8], "little")
        place += 8
        if name == b"data":
            return -(-max(size_bytes - place, 0) * 1000 // rate) if rate else None
        if name == b"fmt ":
            if rate:
                # Which of two counts is the reader's to choose.
                return None
            rate = _wav_rate(head[place : place + length])
        place += length + length % 2
    return None


def _wav_rate(told: bytes) -> int:
    """Bytes a second, if what is told of a WAV's format leaves no doubt; else 0."""
    if len(told) < 16:
        return 0
    coding, channels, samples, rate, block, bits = unpack_from("<HHIIHH", told)
    if coding == _EXTENSIBLE and len(told) >= _EXTENSIBLE_BYTES:
        coding = int.from_bytes(told[24:26], "little")
    plain = bits in _BITS.get(coding, ()) and block * 8 == channels * bits and rate == samples * block
    return rate if plain and samples <= _SAMPLES_PER_SECOND_MOST and channels <= _CHANNELS_MOST else 0
