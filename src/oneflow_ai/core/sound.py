"""What a recording is, and how long, by its first bytes and its size: not every provider that counts seconds tells."""

from __future__ import annotations

from oneflow_ai.core.order import Upload

# Where nothing else is known: MP3 and AAC at 128 kbit/s, as most recorders write them.
BYTES_PER_SECOND = 16_000
_HEAD_BYTES = 64
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
    try:
        head = next(upload.pieces(), b"")[:_HEAD_BYTES]
    except OSError:
        head = b""
    return -(-upload.size_bytes * 1000 // max(_rate(head), 1))


def _rate(head: bytes) -> int:
    """Bytes a second."""
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt ":
        return int.from_bytes(head[28:32], "little") or BYTES_PER_SECOND
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] >> 4 not in (0, 15):
        rates = _RATES_1 if head[1] & 0x18 == 0x18 else _RATES_2
        return rates[head[2] >> 4] * 125
    return BYTES_PER_SECOND
