"""Pictures of one colour or of bands of it, as PNG, JPEG and WebP; written here, in milliseconds at any size."""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import lru_cache
from itertools import chain

PNG, JPEG, WEBP = "png", "jpeg", "webp"
FORMATS = (PNG, JPEG, WEBP)
SIDE_MOST = 16_383
_KEPT_MOST = 32
_BANDS = 16

Colour = tuple[int, int, int]


def colour(words: str) -> Colour:
    """A colour that is always the same for the same words."""
    red, green, blue = hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()[:3]
    return red, green, blue


@lru_cache(_KEPT_MOST)
def picture(form: str, width: int, height: int, shade: Colour, transparent: bool = False) -> bytes:
    """A picture; a transparent one has an empty upper half where its format can tell (PNG, WebP: all of it)."""
    if form == JPEG:
        return _jpeg(width, height, shade)
    return (_png if form == PNG else _webp)(width, height, shade, transparent)


def kind_of(beginning: bytes) -> str:
    """The format that a file's first bytes tell; empty when it is no picture that a provider takes."""
    if beginning.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if beginning.startswith(b"\xff\xd8\xff"):
        return JPEG
    return WEBP if beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP" else ""


# ---- PNG


def _png(width: int, height: int, shade: Colour, transparent: bool) -> bytes:
    kind = 6 if transparent else 2
    squeezer = zlib.compressobj(1)
    rows = (_png_row(width, row * _BANDS // height, shade, transparent) for row in range(height))
    packed = b"".join([squeezer.compress(row) for row in rows]) + squeezer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join([_png_chunk(name, content) for name, content in parts])


def _png_row(width: int, band: int, shade: Colour, transparent: bool) -> bytes:
    pixel = bytes([(each + 4 * band) % 256 for each in shade])
    if transparent:
        pixel += b"\x00" if band < _BANDS // 2 else b"\xff"
    return b"\x00" + pixel * width


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


# ---- WebP: lossless, all prefix codes of one symbol, so that a pixel takes no bits at all (RFC 9649 §3)


class _Bits:
    """Bits as WebP packs them: the lowest first."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def put(self, value: int, count: int) -> None:
        self._value |= value << self._count
        self._count += count

    def packed(self) -> bytes:
        return self._value.to_bytes((self._count + 7) // 8, "little")


def _webp(width: int, height: int, shade: Colour, transparent: bool) -> bytes:
    bits = _Bits()
    bits.put(0x2F, 8)
    bits.put(width - 1, 14)
    bits.put(height - 1, 14)
    bits.put(int(transparent), 1)
    bits.put(0, 3)  # the version
    bits.put(0, 3)  # no transform, no cache of colours, one set of codes
    red, green, blue = shade
    for symbol in (green, red, blue, 0 if transparent else 255):
        bits.put(0b101, 3)  # a simple code of one symbol of 8 bits
        bits.put(symbol, 8)
    bits.put(0b0001, 4)  # the code of distances, which nothing uses: the symbol 0, in one bit
    content = bits.packed()
    padded = content + b"\x00" * (len(content) % 2)
    chunk = b"VP8L" + struct.pack("<I", len(content)) + padded
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


# ---- JPEG: baseline, blocks of 8 by 8 of one value each, a restart after every row (ITU T.81)

_BLOCK = 8
# Every value is divided by 1 alike, so that the first coefficient is 8 times the level.
_QUANTA = bytes([1] * 64)
# Codes of the first coefficient: one for each count of bits up to 11, of 4 bits each; of the others: the end alone.
_DC_TABLE = bytes([0, 0, 0, 12, *[0] * 12, *range(12)])
_AC_TABLE = bytes([1, *[0] * 15, 0x00])
_AC_END = "0"


def _jpeg(width: int, height: int, shade: Colour) -> bytes:
    across, down = -(-width // _BLOCK), -(-height // _BLOCK)
    components = b"".join([bytes([number, 0x11, 0]) for number in (1, 2, 3)])
    selected = b"".join([bytes([number, 0x00]) for number in (1, 2, 3)])
    head = (
        (0xE0, b"JFIF\x00\x01\x01\x00" + struct.pack(">HH", 1, 1) + b"\x00\x00"),
        (0xDB, b"\x00" + _QUANTA),
        (0xC0, struct.pack(">BHHB", 8, height, width, 3) + components),
        (0xC4, b"\x00" + _DC_TABLE),
        (0xC4, b"\x10" + _AC_TABLE),
        (0xDD, struct.pack(">H", across)),
        (0xDA, b"\x03" + selected + b"\x00\x3f\x00"),
    )
    segments = [bytes((0xFF, mark)) + struct.pack(">H", len(content) + 2) + content for mark, content in head]
    rows = [_jpeg_row(across, row * _BANDS // down, shade) for row in range(down)]
    marks = [bytes((0xFF, 0xD0 + row % 8)) for row in range(down - 1)] + [b"\xff\xd9"]
    return b"".join((b"\xff\xd8", *segments, *chain.from_iterable(zip(rows, marks, strict=True))))


def _jpeg_row(across: int, band: int, shade: Colour) -> bytes:
    red, green, blue = ((each + 4 * band) % 256 for each in shade)
    levels = (
        0.299 * red + 0.587 * green + 0.114 * blue - 128,
        -0.168736 * red - 0.331264 * green + 0.5 * blue,
        0.5 * red - 0.418688 * green - 0.081312 * blue,
    )
    first = "".join([_jpeg_first(round(_BLOCK * level)) + _AC_END for level in levels])
    # the blocks that follow differ by nothing
    bits = first + ("0000" + _AC_END) * (3 * (across - 1))
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _jpeg_first(value: int) -> str:
    size = abs(value).bit_length()
    written = value if value >= 0 else value + (1 << size) - 1
    return f"{size:04b}" + (f"{written:0{size}b}" if size else "")
