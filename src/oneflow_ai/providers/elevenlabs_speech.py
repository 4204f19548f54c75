"""ElevenLabs' speech: orders of other wires written for it, and sound passed on as it comes, with what it cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from oneflow_ai.core.events import Blob, End, Event, Usage
from oneflow_ai.core.failure import (
    UNSUPPORTED_PARAMETER,
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_STREAM_INTERRUPTED,
    Failure,
)
from oneflow_ai.core.money import NANOS_PER_USD, PER_MILLION
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import SoundDecoder, told_type

COST_HEADER = "character-cost"
CREDITS_OPTION = "usd_per_million_credits"
# What is asked for where only the sort of sound is: OpenAI's has 24 kHz where nothing in it says so.
_FORMATS: Mapping[str, str] = {
    "mp3": "mp3_44100_128",
    "opus": "opus_48000_128",
    "pcm": "pcm_24000",
    "wav": "wav_24000",
    "ulaw": "ulaw_8000",
    "alaw": "alaw_8000",
}
# Only a whole answer has it: its head tells its length (the vendor's specification, 2026-08-22).
_WHOLE_ONLY = "wav"
# A voice is as fast as the others of its vendor's settings let it be (its API reference, voice settings, 2026-11-27).
SPEED_LEAST, SPEED_MOST = 0.7, 1.2
_MEDIA_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "pcm": "audio/pcm",
    "wav": "audio/wav",
    "ulaw": "audio/basic",
    "alaw": "audio/x-alaw-basic",
}
_JSON = "application/json"
# An error's first key, which comes as soon as anything does.
_ERROR = re.compile(rb'\s*\{\s*"(?:detail|error)"')
_TELLING_BYTES = 16
_CREDITS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def address(order: SpeechOrder) -> str:
    """What stands behind the voice in the address."""
    flows = "" if order.whole or order.format == _WHOLE_ONLY else "/stream"
    return flows + ("/with-timestamps" if order.timed else "")


def body_of(order: SpeechOrder) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """The fields that ask for an order of another wire, the format in the address, and what is left out.

    Raises `Failure` for what this wire has no word for.
    """
    if order.further:
        raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for this field", param=order.further[0])
    if order.format not in _FORMATS:
        words = f"the target gives no {order.format}; it gives mp3, opus, wav and pcm"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="response_format")
    speed = order.speed
    if speed is not None and not SPEED_LEAST <= speed <= SPEED_MOST:
        words = f"the target speaks at a speed of {SPEED_LEAST:g} to {SPEED_MOST:g}"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="speed")
    body: dict[str, Any] = {"text": order.text}
    if order.language:
        body["language_code"] = order.language
    if speed is not None and speed != 1:
        body["voice_settings"] = {"speed": speed}
    if order.seed is not None:
        body["seed"] = order.seed
    dropped = (*order.minor, "instructions") if order.instructions else order.minor
    return body, _FORMATS[order.format], dropped


def usage_of(order: SpeechOrder, target: Target, headers: Mapping[str, str]) -> Usage:
    """What speech took: the provider's own count of credits at the price of a credit, else the text at list price."""
    characters, told = len(order.text), headers.get(COST_HEADER, "")
    if not _CREDITS.fullmatch(told):
        return Usage(characters=characters, source="estimated")
    rate = target.options.get(CREDITS_OPTION)
    if rate is None:
        # The operator has set what characters cost.
        return Usage(characters=characters)
    nanos = Decimal(told) * Decimal(rate) * NANOS_PER_USD / PER_MILLION
    return Usage(characters=characters, cost_nanos=int(nanos.to_integral_value(ROUND_CEILING)))


def speech_decoder(order: SpeechOrder, headers: Mapping[str, str], usage: Usage) -> SoundDecoder | TimedDecoder:
    """The decoder of one answer of speech."""
    if order.timed:
        return TimedDecoder(headers, usage)
    told = told_type(headers)
    return SoundDecoder(told, _media_type(order, told), usage)


class TimedDecoder:
    """Gives sound with its times as it comes: objects of JSON, whose last byte tells whether they are all there."""

    __slots__ = ("_begun", "_failure", "_last", "_usage")

    def __init__(self, headers: Mapping[str, str], usage: Usage) -> None:
        told = told_type(headers)
        self._usage = usage
        self._last = b""
        self._begun: bytes | None = b""
        wrong = told.startswith(("text/html", "audio/"))
        words = f"the provider sent {told} instead of sound with its times"
        self._failure = Failure(UPSTREAM_BAD_RESPONSE, words) if wrong else None

    @property
    def told(self) -> Usage | None:
        """What it takes, where its head tells."""
        return self._usage if self._failure is None and self._usage.source == "provider" else None

    def feed(self, chunk: bytes) -> list[Event]:
        """The bytes of this chunk, once it is known that they are no error."""
        if self._failure is not None:
            return []
        self._last = chunk.rstrip()[-1:] or self._last
        if self._begun is not None:
            chunk = self._begun + chunk
            if len(chunk.lstrip()) < _TELLING_BYTES:
                self._begun = chunk
                return []
            self._begun = None
            if not chunk.lstrip().startswith(b"{") or _ERROR.match(chunk):
                self._failure = Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an error as success, or no object")
                return []
        return [Blob(chunk, _JSON)]

    def close(self) -> list[Event]:
        """The end: none of an object that is cut."""
        if self._failure is not None:
            return [End(failure=self._failure)]
        if self._begun is not None:
            return [End(failure=Failure(UPSTREAM_BAD_RESPONSE, "the provider sent no sound"))]
        if self._last != b"}":
            words = "the provider ended the speech before it was finished"
            return [self._usage, End(failure=Failure(UPSTREAM_STREAM_INTERRUPTED, words))]
        return [self._usage, End()]


def _media_type(order: SpeechOrder, told: str) -> str:
    """What the sound is. That it is MP3 is said of everything by the vendor's own specification."""
    asked = _MEDIA_TYPES[order.format]
    return told if told.startswith("audio/") and told != _MEDIA_TYPES["mp3"] else asked
