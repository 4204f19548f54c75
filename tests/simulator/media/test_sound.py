"""Every sound opens in a decoder and lasts as long as it should."""

from __future__ import annotations

import tracemalloc
import wave
from io import BytesIO

import av
import pytest

from oneflow_ai.simulator.media.sound import Format, named, seconds_of, sound

NAMES = [
    *("mp3_22050_32", "mp3_24000_48", "mp3_24000_160", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96"),
    *("mp3_44100_128", "mp3_44100_192", "opus_48000_32", "opus_48000_64", "opus_48000_96", "opus_48000_128"),
    *("opus_48000_192", "aac_24000_32", "flac_24000", "flac_44100", "wav_8000", "wav_24000", "wav_44100"),
]
RAW = {"pcm": "s16le", "ulaw": "mulaw", "alaw": "alaw"}


def seconds_heard(content: bytes, form: Format) -> float:
    """How long a sound is, decoded to its last sample."""
    raw = RAW.get(form.coding)
    options = {"sample_rate": str(form.rate), "ch_layout": "mono"} if raw else {}
    with av.open(BytesIO(content), "r", format=raw, options=options) as opened:
        return float(sum([frame.samples / frame.sample_rate for frame in opened.decode(opened.streams.audio[0])]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seconds", [0.5, 3.3])
def test_a_sound_is_decoded_to_its_end(name: str, seconds: float) -> None:
    form = named(name)
    assert seconds_heard(b"".join(sound(form, seconds)), form) == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize("name", ["pcm_8000", "pcm_16000", "pcm_44100", "ulaw_8000", "alaw_8000"])
def test_a_sound_without_a_head_is_decoded_too(name: str) -> None:
    form = named(name)
    assert seconds_heard(b"".join(sound(form, 2.0)), form) == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("coding", ["ulaw", "alaw"])
def test_the_laws_give_the_tone_back(coding: str) -> None:
    """The loudest sample is as loud as that of PCM, to the few percent that the law loses."""
    content = b"".join(sound(Format(coding, 8_000), 1))
    options = {"sample_rate": "8000", "ch_layout": "mono"}
    with av.open(BytesIO(content), "r", format=RAW[coding], options=options) as opened:
        decoded = opened.decode(opened.streams.audio[0])
        heard = b"".join([bytes(frame.planes[0])[: 2 * frame.samples] for frame in decoded])
    plain = memoryview(b"".join(sound(Format("pcm", 8_000), 1))).cast("h")
    assert all(abs(one - other) <= 260 for one, other in zip(memoryview(heard).cast("h"), plain, strict=True))


def test_a_wav_file_tells_its_length() -> None:
    with wave.open(BytesIO(b"".join(sound(Format("wav", 24_000), 1.5)))) as opened:
        assert (opened.getframerate(), opened.getnchannels(), opened.getnframes()) == (24_000, 1, 36_000)


@pytest.mark.parametrize(("name", "kbps"), [("mp3_44100_128", 128), ("mp3_22050_32", 32), ("opus_48000_64", 64)])
def test_a_compressed_sound_is_as_large_as_its_rate_says(name: str, kbps: int) -> None:
    size = sum(map(len, sound(named(name), 60)))
    assert size * 8 / 60 / 1_000 == pytest.approx(kbps, rel=0.05)


def test_a_hundred_megabytes_are_made_a_piece_at_a_time() -> None:
    form = Format("wav", 44_100)
    tracemalloc.start()
    try:
        size = sum(map(len, sound(form, 1_200)))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert size > 100_000_000


def test_speech_lasts_as_long_as_its_text() -> None:
    assert seconds_of("a" * 150) == 10
    assert seconds_of("a" * 150, speed=2) == 5
    assert seconds_of("") == 0.5
