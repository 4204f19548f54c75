"""Answers in ElevenLabs' dialect: sound as it comes, transcripts, and what was looked up."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Blob, Delta, Encoder, End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.elevenlabs_lookups import without_bills
from oneflow_ai.dialects.transcript_words import read_words

_TYPES = {"space": "spacing", "event": "audio_event"}


def encoder(call: Call, target: Target) -> Encoder:
    """What writes one answer to this call."""
    del target
    if isinstance(call.order, SpeechOrder):
        return SoundEncoder()
    return LookupEncoder(call) if call.order is None else TranscriptEncoder()


class SoundEncoder:
    """Passes sound on as it comes. A sound that breaks is just cut: no word belongs into it."""

    __slots__ = ()

    media_type = "application/octet-stream"

    def feed(self, event: Event) -> bytes:
        """The bytes of this event."""
        return event.content if isinstance(event, Blob | Raw) else b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """Nothing: sound has no end of its own."""
        del end, usage, cost_nanos
        return b""

    def failure(self, failure: Failure) -> bytes:
        """Nothing."""
        del failure
        return b""


class LookupEncoder:
    """Passes on what was looked up, whole; of an account without what its owner owes."""

    __slots__ = ("_kept", "_private")

    def __init__(self, call: Call) -> None:
        self._kept: list[bytes] = []
        self._private = call.operation is Operation.SUBSCRIPTION

    def feed(self, event: Event) -> bytes:
        """Keep it until the end."""
        if type(event) is Raw:
            self._kept.append(event.content)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """All of it."""
        del end, usage, cost_nanos
        body = b"".join(self._kept)
        return without_bills(body) if self._private else body

    def failure(self, failure: Failure) -> bytes:
        """Nothing: it is whole, or it is not there."""
        del failure
        return b""


class TranscriptEncoder:
    """Writes one transcript: the provider's own bytes where it speaks this wire, else the text and its words."""

    __slots__ = ("_language", "_raw", "_texts", "_words")

    media_type = "application/json"

    def __init__(self) -> None:
        self._raw = False
        self._language = ""
        self._texts: list[str] = []
        self._words: list[dict[str, Any]] = []

    def feed(self, event: Event) -> bytes:
        """Pass bytes on; keep text until the end."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is Delta:
            if event.kind == "words":
                self._words += read_words(event.text)
            elif event.kind == "language":
                self._language = event.text
            else:
                self._texts.append(event.text)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The whole transcript; of a language that nobody told, nothing is probable."""
        del end, cost_nanos
        if self._raw:
            return b""
        told = {
            "language_code": self._language,
            "language_probability": 1.0 if self._language else 0.0,
            "text": "".join(self._texts),
            "words": [_word(each) for each in self._words],
        }
        if usage.audio_milliseconds and usage.source == "provider":
            told["audio_duration_secs"] = usage.audio_milliseconds / 1000
        return orjson.dumps(told)

    def failure(self, failure: Failure) -> bytes:
        """Nothing of a whole answer."""
        del failure
        return b""


def _word(word: dict[str, Any]) -> dict[str, Any]:
    kind = word["kind"]
    return {
        "text": word["text"],
        "start": word.get("start"),
        "end": word.get("end"),
        "type": _TYPES.get(kind, kind),
        "speaker_id": word.get("speaker"),
        "logprob": 0.0,
    }
