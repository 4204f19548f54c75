"""OpenAI's speech: orders of other wires written for it, and sound that is passed on as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.events import Event, Usage
from oneflow_ai.core.failure import (
    UNSUPPORTED_OPERATION,
    UNSUPPORTED_PARAMETER,
    UPSTREAM_STREAM_INTERRUPTED,
    Failure,
)
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.providers.base import SoundDecoder, mapping, told_type, word
from oneflow_ai.providers.openai_failure import event_of
from oneflow_ai.providers.openai_last_event import LastEvent
from oneflow_ai.providers.openai_usage import read_usage
from oneflow_ai.providers.sse_decoder import EventStreamDecoder, NamedBatch

# What each format is called where a server names none; OpenAI's own headers are recorded for mp3 and pcm (2026-11-23).
MEDIA_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "ulaw": "audio/basic",
}
_UNKNOWN = "application/octet-stream"
# Of what has no head: 16 bits, little endian, one channel (OpenAI's guide to speech, 2026-11-23).
PCM_RATE_HERTZ = 24_000


def body_of(order: SpeechOrder, voice: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields that ask for it, and what is left out; `voice` is the target's own for the one that was asked for.

    Raises `Failure` for what this wire does not have.
    """
    # Sound that does not say how fast it is to be played has one rate here.
    if order.format in ("ulaw", "alaw") or (order.format == "pcm" and order.rate_hertz not in (None, PCM_RATE_HERTZ)):
        raise Failure(UNSUPPORTED_PARAMETER, "the target gives no such sound", param="output_format")
    if order.timed:
        raise Failure(UNSUPPORTED_OPERATION, "the target does not tell when each character is spoken", param="model")
    if order.further:
        raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for this field", param=order.further[0])
    fields = {
        "input": order.text,
        "voice": voice,
        "response_format": order.format,
        "speed": order.speed,
        "instructions": order.instructions,
    }
    dropped = {"seed": order.seed, "language_code": order.language}
    body = {name: value for name, value in fields.items() if value is not None and value != ""}
    left_out = [name for name, value in dropped.items() if value is not None and value != ""]
    return body, (*left_out, *order.minor)


def sound_decoder(order: SpeechOrder, headers: Mapping[str, str]) -> SoundDecoder:
    """The decoder of sound that is what the answer says, else what was asked for.

    Its usage is the text that was spoken: these answers tell none.
    """
    told = told_type(headers)
    kind = told if told.startswith("audio/") else MEDIA_TYPES.get(order.format, _UNKNOWN)
    return SoundDecoder(told, kind, Usage(characters=len(order.text)))


class SpeechStreamDecoder(EventStreamDecoder[NamedBatch]):
    """Decodes speech that comes as events: they are passed on as they are, and the last one tells the usage."""

    __slots__ = ("_characters", "_done", "_last", "_usage")

    def __init__(self, order: SpeechOrder) -> None:
        super().__init__()
        self._characters = len(order.text)
        self._done = False
        self._last = LastEvent()
        self._usage: dict[str, Any] = {}

    def _batch(self) -> NamedBatch:
        return NamedBatch()

    def _take(self, data: bytes, out: NamedBatch) -> Failure | bool | None:
        if data == b"[DONE]":
            return self._cut()
        found, failure = event_of(data)
        if failure is not None:
            return failure
        self._seen = True
        kind = word(found.get("type"))
        # This wire's events of speech have no name of their own beside their type.
        if kind.endswith(".done"):
            self._done = True
            self._usage = mapping(found.get("usage"))
            self._last.keep(out, None, data, found, content=False)
        else:
            self._last.add(out, None, data, content=kind.endswith(".delta"))
        return None

    def _cut(self) -> Failure | bool:
        return self._done or Failure(
            UPSTREAM_STREAM_INTERRUPTED, "the provider ended the speech before it was finished"
        )

    def _end(self, failure: Failure | None) -> list[Event]:
        told = {
            "prompt_tokens": self._usage.get("input_tokens"),
            "completion_tokens": self._usage.get("output_tokens"),
            "total_tokens": self._usage.get("total_tokens"),
        }
        counted = read_usage(told)
        usage = Usage(
            input_tokens=counted.input_tokens if counted else 0,
            output_tokens=counted.output_tokens if counted else 0,
            output_audio_tokens=counted.output_tokens if counted else 0,
            characters=self._characters,
        )
        return [usage, *self._last.end(failure)]
