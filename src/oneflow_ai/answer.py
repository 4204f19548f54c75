"""What a call in process gives: an answer, or an error with what happened on the way."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from oneflow_ai.core.events import Blob, Delta, End, Event, Usage, Vector
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.order import TranscriptOrder
from oneflow_ai.core.ports import Head
from oneflow_ai.core.record import Exchange
from oneflow_ai.dialects.transcript_words import SUBTITLES, read_words, segments_of, subtitles


class OneFlowError(Exception):
    """A call that failed: `code` and `status` as over HTTP, the number of `attempts` made, and the `request_id`."""

    def __init__(self, message: str, *, code: str, status: int, attempts: int = 0, request_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.attempts = attempts
        self.request_id = request_id


def in_words(failure: Failure) -> str:
    """What went wrong, beginning with the option that it is about where the words do not tell which."""
    param = failure.param
    if param is None or param == "model" or param in failure.message:
        return failure.message
    return f"{param}: {failure.message}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that the model asks for; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What every answer tells: who gave it, what it cost in US dollars, what was used, how long it took in seconds."""

    provider: str
    model: str
    cost_usd: float
    usage: Usage
    attempts: int
    seconds: float
    request_id: str
    simulated: bool = False
    estimated: bool = False

    def figures(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return {
            "provider": self.provider,
            "model": self.model,
            "cost_usd": self.cost_usd,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "characters": self.usage.characters,
            "images": self.usage.images,
            "audio_seconds": self.usage.audio_milliseconds / 1000,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "simulated": self.simulated,
            "estimated": self.estimated,
            "request_id": self.request_id,
        }


@dataclass(frozen=True, slots=True)
class Answer(Known):
    """One answer of text, with who gave it, what it cost in US dollars, and how long it took in seconds.

    `continued_by` are the places, `provider/model`, that went on with it where it had broken off.
    """

    text: str
    finish_reason: str | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    continued_by: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready values."""
        return {
            "text": self.text,
            **self.figures(),
            "finish_reason": self.finish_reason,
            "tool_calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in self.tool_calls],
            "continued_by": list(self.continued_by),
        }


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, or sound: its bytes and its media type."""

    data: bytes = field(repr=False)
    media_type: str

    @property
    def url(self) -> str:
        """It as a `data:` URL."""
        return f"data:{self.media_type};base64,{b64encode(self.data).decode()}"

    def save(self, path: str | PathLike[str]) -> Path:
        """Write it into a file, in place of one that is there; gives the file. Raises `OSError`."""
        file = Path(path)
        file.write_bytes(self.data)
        return file


@dataclass(frozen=True, slots=True)
class MediaAnswer(Known):
    """Pictures or sound, with who gave it, what it cost in US dollars, and how long it took in seconds.

    `media` holds each picture that was asked for, or the one sound; there is always one.
    """

    media: tuple[Media, ...]

    @property
    def data(self) -> bytes:
        """The bytes of the first."""
        return self.media[0].data

    @property
    def media_type(self) -> str:
        """The media type of the first."""
        return self.media[0].media_type

    def save(self, path: str | PathLike[str]) -> list[Path]:
        """Write all into files: the first into this one, others beside it (`cat.png`, `cat-2.png`); gives the files.

        Raises `OSError`.
        """
        first = Path(path)
        more = (first.with_stem(f"{first.stem}-{number}") for number in range(2, len(self.media) + 1))
        return [one.save(file) for one, file in zip(self.media, (first, *more), strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready values, its bytes in base64."""
        media = [{"media_type": one.media_type, "data": b64encode(one.data).decode()} for one in self.media]
        return {"media": media, **self.figures()}


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer(Known):
    """A vector of each text, in their order, with who gave them, what they cost in US dollars, and how long it took."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)


class Collector:
    """Implements the `Client` port: gathers one answer's events. A subclass may pass each on as it comes."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.deltas: list[Delta] = []
        self.blobs: list[Blob] = []
        self.vectors: list[Vector] = []
        self.failure: Failure | None = None
        self.end: End | None = None
        self.exchange: Exchange | None = None

    @property
    def slow(self) -> bool:
        """Never: what it gathers is bounded by the answer."""
        return False

    async def drained(self) -> None:
        """It has nothing to wait for."""

    def begin(self, head: Head) -> None:
        """The answer commits to a target."""
        self.head = head

    def send(self, event: Event) -> None:
        """One event of the answer."""
        if isinstance(event, Delta):
            self.deltas.append(event)
        elif isinstance(event, Blob):
            self.blobs.append(event)
        elif isinstance(event, Vector):
            self.vectors.append(event)

    async def finish(self, end: End, exchange: Exchange) -> None:
        """The answer is complete and accounted for."""
        self.end, self.exchange = end, exchange

    async def fail(self, failure: Failure, exchange: Exchange) -> None:
        """The call failed."""
        self.failure, self.exchange = failure, exchange

    def error(self) -> OneFlowError | None:
        """The failure as the error that callers see; None for a success."""
        if self.failure is None:
            return None
        exchange = self.exchange
        return OneFlowError(
            in_words(self.failure),
            code=self.failure.code,
            status=self.failure.status,
            attempts=exchange.tries if exchange is not None else 0,
            request_id=exchange.call.id if exchange is not None else "",
        )

    def answer(self, ended_seconds: float) -> Answer:
        """The whole answer of text; raises `OneFlowError` for a failure."""
        known = self._known(ended_seconds)
        return Answer(
            text=self._subtitles(known["usage"]) or self._text("text"),
            **known,
            finish_reason=self.end.reason if self.end is not None else None,
            reasoning=self._text("reasoning"),
            tool_calls=self._tool_calls(),
            continued_by=tuple(delta.text for delta in self.deltas if delta.kind == "continued"),
        )

    def _subtitles(self, usage: Usage) -> str:
        """Subtitles laid out of the words that a provider told; empty where none are wanted, or they came as such."""
        assert self.exchange is not None
        order = self.exchange.call.order
        words = [word for delta in self.deltas if delta.kind == "words" for word in read_words(delta.text)]
        if not isinstance(order, TranscriptOrder) or order.format not in SUBTITLES or not words:
            return ""
        segments = segments_of(words, self._text("text"), usage.audio_milliseconds / 1000)
        return subtitles(segments, order.format).decode()

    def media_answer(self, ended_seconds: float) -> MediaAnswer:
        """The whole answer of pictures or sound; raises `OneFlowError` for a failure."""
        known = self._known(ended_seconds)
        assert self.exchange is not None and self.blobs
        if self.exchange.call.operation.flows:
            # Sound comes in pieces; of pictures each is one.
            sound = b"".join(blob.content for blob in self.blobs)
            return MediaAnswer((Media(sound, self.blobs[0].media_type),), **known)
        return MediaAnswer(tuple(Media(blob.content, blob.media_type) for blob in self.blobs), **known)

    def embedding_answer(self, ended_seconds: float) -> EmbeddingAnswer:
        """The whole answer of vectors; raises `OneFlowError` for a failure."""
        known = self._known(ended_seconds)
        vectors = sorted(self.vectors, key=lambda vector: vector.index)
        return EmbeddingAnswer(tuple(vector.values for vector in vectors), **known)

    def _known(self, ended_seconds: float) -> dict[str, Any]:
        """What every answer tells beside what was asked for."""
        error = self.error()
        if error is not None:
            raise error
        exchange, head = self.exchange, self.head
        assert exchange is not None and head is not None
        return {
            "provider": head.target.provider,
            "model": head.target.model,
            "cost_usd": usd_float(exchange.cost_nanos),
            "usage": exchange.usage or Usage(),
            "attempts": exchange.tries,
            "seconds": ended_seconds - exchange.call.started_seconds,
            "request_id": exchange.call.id,
            "simulated": head.target.simulated,
            "estimated": exchange.estimated,
        }

    def _text(self, kind: str) -> str:
        return "".join(delta.text for delta in self.deltas if delta.kind == kind and delta.index == 0)

    def texts(self) -> list[str]:
        """The text of every choice that has one, in their order."""
        found: dict[int, str] = {}
        for delta in self.deltas:
            if delta.kind == "text":
                found[delta.index] = found.get(delta.index, "") + delta.text
        return [found[index] for index in sorted(found)]

    def _tool_calls(self) -> tuple[ToolCall, ...]:
        calls: dict[int, list[str]] = {}
        for delta in self.deltas:
            if delta.index:
                continue
            if delta.kind == "tool_call":
                calls[delta.tool_index] = [delta.tool_id, delta.text, ""]
            elif delta.kind == "tool_arguments" and delta.tool_index in calls:
                calls[delta.tool_index][2] += delta.text
        return tuple(ToolCall(*parts) for _, parts in sorted(calls.items()))
