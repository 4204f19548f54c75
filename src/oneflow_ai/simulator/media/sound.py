"""Speech as the simulator has it: as long as a text would take, in any format, made a piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oneflow_ai.simulator.lazy import Lazy
from oneflow_ai.simulator.media import frames, waves

CHARACTERS_A_SECOND = 15
_PIECE_BYTES = 8_192
_FRAMES_A_PIECE = 8
_SAMPLE_BYTES = {"pcm": 2, "wav": 2, "ulaw": 1, "alaw": 1}
_MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "ulaw": "audio/basic",
    "alaw": "audio/x-alaw-basic",
}

Pieces = Lazy[bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """How sound is written: the coding, samples a second and, where it is compressed, kilobits a second."""

    coding: str
    rate: int
    kbps: int = 0

    @property
    def media_type(self) -> str:
        """The media type that goes with it."""
        return _MEDIA_TYPES[self.coding]


def named(name: str) -> Format:
    """The format of a name like `mp3_44100_128` or `pcm_24000`."""
    coding, rate, *rest = name.split("_")
    return Format(coding, int(rate), int(rest[0]) if rest else 0)


def seconds_of(text: str, speed: float = 1.0) -> float:
    """How long somebody takes to say a text; at least half a second."""
    return max(len(text) / CHARACTERS_A_SECOND / speed, 0.5)


def sound(form: Format, seconds: float) -> Pieces:
    """The pieces of a file that lasts so long; each piece but those of PCM holds whole frames."""
    return _MAKERS[form.coding](form, round(seconds * form.rate))


def _plain(form: Format, samples: int) -> Pieces:
    second = waves.second("pcm" if form.coding == "wav" else form.coding, form.rate)
    size = samples * _SAMPLE_BYTES[form.coding]

    def make(place: int) -> bytes:
        head = waves.wav_head(form.rate, size) if form.coding == "wav" and place == 0 else b""
        start = place * _PIECE_BYTES
        return head + waves.part(second, start, min(start + _PIECE_BYTES, size))

    return Lazy(-(-size // _PIECE_BYTES), make)


def _framed(count: int, frame: Callable[[int], bytes], head: bytes = b"") -> Pieces:
    def make(place: int) -> bytes:
        start = place * _FRAMES_A_PIECE
        joined = b"".join(map(frame, range(start, min(start + _FRAMES_A_PIECE, count))))
        return joined if place else head + joined

    return Lazy(-(-count // _FRAMES_A_PIECE), make)


def _mp3(form: Format, samples: int) -> Pieces:
    count = -(-samples // frames.mp3_samples(form.rate))
    return _framed(count, lambda number: frames.mp3_frame(form.rate, form.kbps, number))


def _aac(form: Format, samples: int) -> Pieces:
    return _framed(-(-samples // frames.AAC_SAMPLES), lambda number: frames.aac_frame(form.rate))


def _flac(form: Format, samples: int) -> Pieces:
    def frame(number: int) -> bytes:
        left = samples - number * frames.FLAC_SAMPLES
        return frames.flac_frame(form.rate, number, min(left, frames.FLAC_SAMPLES))

    return _framed(-(-samples // frames.FLAC_SAMPLES), frame, frames.flac_head(form.rate, samples))


def _opus(form: Format, samples: int) -> Pieces:
    packets = -(-samples * frames.OPUS_FRAMES_A_SECOND // form.rate)
    count = -(-packets // frames.OPUS_FRAMES_A_SECOND)

    def make(place: int) -> bytes:
        left = packets - place * frames.OPUS_FRAMES_A_SECOND
        page = frames.opus_page(place, form.kbps, min(left, frames.OPUS_FRAMES_A_SECOND), place == count - 1)
        return page if place else frames.opus_head() + page

    return Lazy(count, make)


_MAKERS: dict[str, Callable[[Format, int], Pieces]] = {
    "mp3": _mp3,
    "opus": _opus,
    "aac": _aac,
    "flac": _flac,
    "wav": _plain,
    "pcm": _plain,
    "ulaw": _plain,
    "alaw": _plain,
}
