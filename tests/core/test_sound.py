"""A recording is known by its first bytes, whatever it is called."""

import pytest

from oneflow_ai.core.sound import sort_of
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
