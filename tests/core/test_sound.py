"""A recording is known by its first bytes, whatever it is called."""

import struct

import pytest

from oneflow_ai.core.order import Content
from oneflow_ai.core.sound import known_milliseconds, milliseconds_of, sort_of
from oneflow_ai.simulator.media.sound import named, sound


@pytest.mark.parametrize(
    ("form", "sort"),
    [
        ("mp3_44100_128", ("mp3", "audio/mpeg")),
        ("wav_24000", ("wav", "audio/wav")),
        ("opus_48000_32", ("ogg", "audio/ogg")),
        ("flac_24000", ("flac", "audio/flac")),
        ("aac_24000", ("aac", "audio/aac")),
    ],
)
def test_sound_is_known_by_its_first_bytes(form: str, sort: tuple[str, str]) -> None:
    content = b"".join(sound(named(form), 0.5))
    assert sort_of(content) == sort


@pytest.mark.parametrize(
    ("content", "sort"),
    [
        (b"ID3\x04", ("mp3", "audio/mpeg")),
        (b"\0\0\0\x20ftypM4A ", ("m4a", "audio/mp4")),
        (b"\x1aE\xdf\xa3", ("webm", "audio/webm")),
        (b"words", ("bin", "application/octet-stream")),
        (b"", ("bin", "application/octet-stream")),
    ],
)
def test_containers_are_known_too_and_the_rest_is_bytes(content: bytes, sort: tuple[str, str]) -> None:
    assert sort_of(content) == sort


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def told(coding: int = 1, channels: int = 2, samples: int = 44_100, bits: int = 16, *, more: bytes = b"") -> bytes:
    """What a WAV says of its format."""
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", coding, channels, samples, samples * block, block, bits) + more)


def wav(*chunks: bytes, sound_bytes: int = 176_400, said_bytes: int | None = None) -> Content:
    """A WAV with so many bytes of sound, or, as it says, with others."""
    said = struct.pack("<I", sound_bytes if said_bytes is None else said_bytes)
    content = b"RIFF" + said + b"WAVE" + b"".join(chunks) + b"data" + said + bytes(sound_bytes)
    return Content(content, "a.wav", "audio/wav")


SUBFORMAT = struct.pack("<HHIH", 22, 16, 3, 1) + bytes(14)


@pytest.mark.parametrize(
    ("upload", "milliseconds"),
    [
        (wav(told()), 1_000),
        (wav(told(samples=16_000, channels=1), sound_bytes=32_001), 1_001),
        (wav(told(coding=3, bits=32)), 500),
        (wav(told(coding=7, channels=1, samples=8_000, bits=8)), 22_050),
        (wav(told(0xFFFE, more=SUBFORMAT)), 1_000),
        (wav(chunk(b"JUNK", bytes(27)), told(), chunk(b"LIST", bytes(100))), 1_000),
        # All that is there counts, whatever the head says.
        (wav(told(), said_bytes=10), 1_000),
        (wav(told(), said_bytes=0xFFFF_FFFF), 1_000),
        (wav(told(), sound_bytes=0), 0),
    ],
)
def test_the_length_of_a_wav_is_known(upload: Content, milliseconds: int) -> None:
    assert known_milliseconds(upload) == milliseconds == milliseconds_of(upload)


def lie(place: int, value: int, size: str = "<I") -> bytes:
    """A format with another value at a place of it."""
    made = bytearray(told())
    struct.pack_into(size, made, 8 + place, value)
    return bytes(made)


@pytest.mark.parametrize(
    "upload",
    [
        wav(lie(8, 176_400_000)),
        wav(lie(4, 44_100_000)),
        wav(lie(12, 400, "<H")),
        wav(lie(2, 0, "<H")),
        wav(told(samples=384_000)),
        wav(told(channels=9)),
        wav(told(coding=0x55)),
        wav(told(coding=1, bits=64)),
        wav(told(0xFFFE)),
        wav(told(), told(samples=8_000)),
        wav(),
        wav(chunk(b"JUNK", bytes(5_000)), told()),
        wav(told(), chunk(b"JUNK", bytes(5_000))),
        wav(chunk(b"fmt ", b"\1\0")),
        Content(b"RIFF\0\0\0\0WAVE", "a.wav", "audio/wav"),
        Content(b"OggS" + bytes(100), "a.ogg", "audio/ogg"),
        Content(b"", "a.wav", "audio/wav"),
    ],
)
def test_what_leaves_a_doubt_is_not_known(upload: Content) -> None:
    assert known_milliseconds(upload) is None
    assert milliseconds_of(upload) == -(-upload.size_bytes * 1000 // 16_000)
