"""What is asked for of a picture, of speech or of a transcript, in the form between all wires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from math import log
from typing import Protocol, TypeAlias

from oneflow_ai.core.value import value


class Upload(Protocol):
    """A file that came with a request. It may lie on a disk: its pieces are read as they are sent."""

    @property
    def name(self) -> str:
        """The file's name, as the client gave it, without any folder."""

    @property
    def media_type(self) -> str:
        """What the client says that it is; `application/octet-stream` where it says nothing."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""

    @property
    def kept_bytes(self) -> int:
        """How much of it is in memory."""

    def pieces(self) -> Iterator[bytes]:
        """Its content, from the beginning, as often as it is asked for; raises `OSError` where it cannot be read."""

    def close(self) -> None:
        """Let go of it: it is of no more use. Harmless if repeated."""


class Content:
    """Implements `Upload` for what is in memory already."""

    __slots__ = ("_content", "media_type", "name")

    def __init__(self, content: bytes, name: str, media_type: str) -> None:
        self._content = content
        self.name = name
        self.media_type = media_type

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return len(self._content)

    kept_bytes = size_bytes

    def pieces(self) -> Iterator[bytes]:
        """All of it."""
        yield self._content

    def close(self) -> None:
        """Nothing: it goes with whoever has it."""


@value
class ImageOrder:
    """Pictures to be made, or made of others. What is None or empty is left to the provider.

    `width` and `height` are pixels, `ratio` is `width:height` where only the shape is asked for. `quality`, `style`,
    `background` and `format` (`png`, `jpeg`, `webp`) are OpenAI's words. `negative` is what must not be seen,
    `strength` (0 to 1) how little of the first of `sources` is kept. `urls` says that addresses of the pictures are
    wanted, not the pictures. `partial` pictures are wanted on the way. `elsewhere` counts the pictures to be changed
    that only their provider can get at. `preset` names a style in Stability's words. `minor` and `further` are what
    else was asked for, by the client's names: what another wire may leave out, and what it must not.
    """

    prompt: str = field(repr=False)
    count: int = 1
    width: int | None = None
    height: int | None = None
    ratio: str = ""
    quality: str = ""
    style: str = ""
    background: str = ""
    format: str = ""
    compression: int | None = None
    negative: str = field(default="", repr=False)
    seed: int | None = None
    strength: float | None = None
    urls: bool = False
    partial: int = 0
    sources: tuple[Upload, ...] = ()
    mask: Upload | None = None
    elsewhere: int = 0
    preset: str = ""
    minor: tuple[str, ...] = ()
    further: tuple[str, ...] = ()

    @property
    def proportion(self) -> float | None:
        """Its width for a height of one; None where the shape is left to the provider."""
        if self.width is not None and self.height is not None:
            return self.width / self.height
        width, _, height = self.ratio.partition(":")
        return int(width) / int(height) if width and height else None

    def nearest(self, choices: Mapping[str, float]) -> str:
        """The name of the shape that is most like the one asked for; empty where none is."""
        wanted = self.proportion
        if wanted is None:
            return ""
        return min(choices, key=lambda name: abs(log(choices[name] / wanted)))


@value
class SpeechOrder:
    """A text to be spoken. `voice` is a name of the client's wire, or a provider's id of one; empty: the default.

    `format` is `mp3`, `opus`, `aac`, `flac`, `wav`, `pcm`, `ulaw` or `alaw`; `rate_hertz` and `bits_per_second` None
    where they are the provider's to choose. `speed` is 1 for the usual one. `events` says that the sound is wanted as
    events, not as bytes, `timed` that the time of each character is wanted with it, `whole` that all of it may come at
    once. `minor` and `further` are what else was asked for, by the client's names: what another wire may leave out,
    and what it must not.
    """

    text: str = field(repr=False)
    voice: str = ""
    format: str = "mp3"
    rate_hertz: int | None = None
    bits_per_second: int | None = None
    speed: float | None = None
    instructions: str = field(default="", repr=False)
    language: str = ""
    seed: int | None = None
    events: bool = False
    timed: bool = False
    whole: bool = False
    minor: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


@value
class TranscriptOrder:
    """Speech to be written down, or, `english`, translated into English.

    `format` is `json`, `text`, `srt`, `verbose_json`, `vtt` or `diarized_json`; `times` are `word` and `segment`.
    `channels` is how many speakers may have one of their own, which costs as much as a recording of its own.
    `bytes_per_second` is how much of the file sounds a second, where the client says that it is samples and nothing
    else; 0 where the file itself may tell. `minor` and `further` are as those of speech.
    """

    audio: Upload
    language: str = ""
    prompt: str = field(default="", repr=False)
    format: str = "json"
    temperature: float | None = None
    times: tuple[str, ...] = ()
    english: bool = False
    channels: int = 1
    bytes_per_second: int = 0
    minor: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


Order: TypeAlias = ImageOrder | SpeechOrder | TranscriptOrder
