"""OpenAI's transcripts: text of other wires in its shapes."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.order import TranscriptOrder
from oneflow_ai.dialects.openai_last_event import last_event
from oneflow_ai.dialects.transcript_words import read_words, segments_of, subtitles, timed_words

_PLAIN = ("text", "srt", "vtt")


class Encoder:
    """Writes one transcript: the provider's own bytes where it speaks this wire, else the text, and how long it was.

    Subtitles, segments and speakers are laid out of the words that another wire tells.
    """

    __slots__ = ("_language", "_order", "_raw", "_stream", "_texts", "_words", "media_type")

    def __init__(self, call: Call) -> None:
        assert isinstance(call.order, TranscriptOrder)
        self._order = call.order
        self._stream = call.stream
        self._raw = False
        self._texts: list[str] = []
        self._words: list[dict[str, Any]] = []
        self._language = ""
        plain = call.order.format in _PLAIN
        self.media_type = "text/plain; charset=utf-8" if plain else "application/json"

    def feed(self, event: Event) -> bytes:
        """Pass bytes on; keep text until the end, or give it as an event."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is not Delta:
            return b""
        if event.kind == "words":
            self._words += read_words(event.text)
            return b""
        if event.kind == "language":
            self._language = event.text
            return b""
        self._texts.append(event.text)
        return _event({"type": "transcript.text.delta", "delta": event.text}) if self._stream else b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The whole text, with what was used; at the end of a stream also what it cost."""
        last = last_event(end, cost_nanos)
        if self._raw or last:
            return last
        text, form, told = "".join(self._texts), self._order.format, _usage_object(usage)
        if self._stream:
            cost = {"cost": usd_float(cost_nanos)}
            return _event({"type": "transcript.text.done", "text": text, "usage": {**told, **cost}})
        if form == "text":
            return text.encode() + b"\n"
        if form == "json":
            return orjson.dumps({"text": text, "usage": told})
        seconds = usage.audio_milliseconds / 1000
        segments = segments_of(self._words, text, seconds)
        if form in _PLAIN:
            return subtitles(segments, form)
        found: dict[str, Any] = {"task": "transcribe", "language": self._language, "duration": seconds, "text": text}
        if form == "verbose_json":
            found |= self._times(segments)
        else:
            found["segments"] = [_speaking(number, each) for number, each in enumerate(segments)]
        return orjson.dumps({**found, "usage": told})

    def _times(self, segments: list[dict[str, Any]]) -> dict[str, Any]:
        """Segments unless words alone are wanted, and words where they are; as the official client expects them."""
        times = self._order.times or ("segment",)
        found: dict[str, Any] = {}
        if "segment" in times:
            found["segments"] = [_segment(number, each) for number, each in enumerate(segments)]
        if "word" in times:
            found["words"] = timed_words(self._words)
        return found

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke; nothing of a whole answer."""
        if not self._stream:
            return b""
        error = {"message": failure.message, "type": failure.kind.type, "param": failure.param, "code": failure.code}
        return _event({"type": "error", "error": error})


def _segment(number: int, segment: dict[str, Any]) -> dict[str, Any]:
    """A segment of OpenAI's `verbose_json`; of what only its models measure, the value that says nothing."""
    return {
        "id": number,
        "seek": 0,
        "start": segment["start"],
        "end": segment["end"],
        "text": segment["text"],
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def _speaking(number: int, segment: dict[str, Any]) -> dict[str, Any]:
    """A segment of OpenAI's `diarized_json`."""
    told = {name: segment[name] for name in ("start", "end", "text")}
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number}",
        **told,
        "speaker": segment.get("speaker", "speaker"),
    }


def _usage_object(usage: Usage) -> dict[str, Any]:
    if not (usage.input_tokens or usage.output_tokens):
        return {"type": "duration", "seconds": usage.audio_milliseconds / 1000}
    audio_tokens = usage.input_audio_tokens
    return {
        "type": "tokens",
        "input_tokens": usage.input_tokens,
        "input_token_details": {"text_tokens": usage.input_tokens - audio_tokens, "audio_tokens": audio_tokens},
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"
