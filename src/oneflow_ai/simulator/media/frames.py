"""Compressed sound, one frame after the other: MP3, AAC, FLAC and Opus, all of silence."""

from __future__ import annotations

import struct
from functools import lru_cache

_MP3_RATES = {44_100: (3, 0), 48_000: (3, 1), 32_000: (3, 2), 22_050: (2, 0), 24_000: (2, 1), 16_000: (2, 2)}
_MP3_KBPS = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_SAMPLES = {3: 1_152, 2: 576}
_AAC_RATES = {48_000: 3, 44_100: 4, 32_000: 5, 24_000: 6, 22_050: 7, 16_000: 8}
# A single channel element with nothing in it, and the end (ISO 14496-3 §4.4).
_AAC_SILENCE = bytes((0, 0, 0, 7))
FLAC_SAMPLES, AAC_SAMPLES = 4_096, 1_024
_FLAC_RATES = {24_000: 7, 44_100: 9, 48_000: 10}
OPUS_FRAMES_A_SECOND = 50
OPUS_RATE = 48_000
_OPUS_SERIAL = 0x0F10
_OPUS_LAST = 4
_PADDED_MOST = 254


def mp3_samples(rate: int) -> int:
    """How many samples a frame of MP3 has."""
    return _MP3_SAMPLES[_MP3_RATES[rate][0]]


def mp3_frame(rate: int, kbps: int, number: int) -> bytes:
    """A frame of one channel; some are a byte longer than others, so that the rate comes out right."""
    version, place = _MP3_RATES[rate]
    eighth = _MP3_SAMPLES[version] // 8 * kbps * 1_000
    padding = (number + 1) * eighth // rate - number * eighth // rate - eighth // rate
    head = 0xFFE1 << 16 | version << 19 | 1 << 17 | (_MP3_KBPS[version].index(kbps) + 1) << 12
    head |= place << 10 | padding << 9 | 0b11 << 6
    return struct.pack(">I", head) + bytes(eighth // rate + padding - 4)


def aac_frame(rate: int) -> bytes:
    """A frame of AAC-LC of one channel, as ADTS."""
    length = 7 + len(_AAC_SILENCE)
    head = 0xFFF1 << 40 | 1 << 38 | _AAC_RATES[rate] << 34 | 1 << 30 | length << 13 | 0x7FF << 2
    return head.to_bytes(7, "big") + _AAC_SILENCE


# ---- FLAC (RFC 9639)


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    made = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 & 1 else 0)
        made.append(value & (1 << bits) - 1)
    return tuple(made)


def _checksum(content: bytes, table: tuple[int, ...], bits: int) -> int:
    value, mask, shift = 0, (1 << bits) - 1, bits - 8
    for byte in content:
        value = (value << 8 & mask) ^ table[value >> shift ^ byte]
    return value


_CRC8, _CRC16, _CRC32 = _table(0x07, 8), _table(0x8005, 16), _table(0x04C11DB7, 32)


def flac_head(rate: int, samples: int) -> bytes:
    """What stands before the frames of a FLAC file of one channel."""
    told = rate << 44 | 15 << 36 | samples
    stream = struct.pack(">HH", FLAC_SAMPLES, FLAC_SAMPLES) + bytes(6) + told.to_bytes(8, "big") + bytes(16)
    return b"fLaC\x80" + len(stream).to_bytes(3, "big") + stream


def flac_frame(rate: int, number: int, samples: int) -> bytes:
    """A frame whose samples are all the same."""
    head = b"\xff\xf8" + bytes((0x70 | _FLAC_RATES[rate], 0x08)) + _numbered(number) + struct.pack(">H", samples - 1)
    head += bytes((_checksum(head, _CRC8, 8),))
    frame = head + bytes(3)
    return frame + struct.pack(">H", _checksum(frame, _CRC16, 16))


def _numbered(number: int) -> bytes:
    """A number as UTF-8 writes a character, surrogates among them."""
    return chr(number).encode("utf-8", "surrogatepass")


# ---- Opus in Ogg (RFC 3533, RFC 6716, RFC 7845)


def opus_head() -> bytes:
    """The two pages that stand before the sound."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, OPUS_RATE, 0, 0)
    maker = b"simulator"
    tags = b"OpusTags" + struct.pack("<I", len(maker)) + maker + struct.pack("<I", 0)
    return _page(0, 0, [head], 2) + _page(1, 0, [tags], 0)


def opus_page(number: int, kbps: int, packets: int, last: bool) -> bytes:
    """The page with a second of sound, or with what is left; `number` counts seconds."""
    end = (number * OPUS_FRAMES_A_SECOND + packets) * (OPUS_RATE // OPUS_FRAMES_A_SECOND)
    return _page(number + 2, end, [_opus_packet(kbps)] * packets, _OPUS_LAST if last else 0)


@lru_cache(8)
def _opus_packet(kbps: int) -> bytes:
    """20 ms of silence, filled up to the bit rate."""
    size = kbps * 1_000 // OPUS_FRAMES_A_SECOND // 8
    # beside the padding: the kind, the count of frames, the frame itself, and the lengths of the padding
    lengths, rest = b"", size - 4
    while rest > _PADDED_MOST + 1:
        lengths, rest = lengths + b"\xff", rest - 1 - _PADDED_MOST
    padding = max(rest - 1, 0)
    filled = len(lengths) * _PADDED_MOST + padding
    return b"\xf8\x41" + lengths + bytes((padding,)) + b"\xff\xfe" + bytes(filled)


def _page(number: int, position: int, packets: list[bytes], kind: int) -> bytes:
    laced = b"".join([b"\xff" * (len(each) // 255) + bytes((len(each) % 255,)) for each in packets])
    before = b"OggS" + struct.pack("<BBqII", 0, kind, position, _OPUS_SERIAL, number)
    after = bytes((len(laced),)) + laced + b"".join(packets)
    return before + struct.pack("<I", _checksum(before + bytes(4) + after, _CRC32, 32)) + after
