"""How many pixels a picture has, by its first bytes: of PNG, JPEG and WebP."""

from __future__ import annotations

# The frame headers of JPEG, all but those of tables (ITU-T T.81 table B.1; 2026-11-27).
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_WEBP_BITS = 0x3FFF


def pixels_of(content: bytes) -> tuple[int, int] | None:
    """Width and height; None for what is no such picture, or is cut before it tells."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return _number(content[16:20]), _number(content[20:24])
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) >= 30:
        return _webp(content)
    return None


def _number(big: bytes) -> int:
    return int.from_bytes(big, "big")


def _jpeg(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _JPEG_FRAMES:
            return _number(content[place + 7 : place + 9]), _number(content[place + 5 : place + 7])
        if marker == 0xFF:
            place += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + _number(content[place + 2 : place + 4])
    return None


def _webp(content: bytes) -> tuple[int, int] | None:
    """By the first chunk: lossy, without loss, or extended (developers.google.com/speed/webp, 2026-11-27)."""
    kind = content[12:16]
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & _WEBP_BITS) + 1, (bits >> 14 & _WEBP_BITS) + 1
    if kind == b"VP8 ":
        width, height = int.from_bytes(content[26:28], "little"), int.from_bytes(content[28:30], "little")
        return width & _WEBP_BITS, height & _WEBP_BITS
    return None
