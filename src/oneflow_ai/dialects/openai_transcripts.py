"""OpenAI's transcripts: text of other wires in its shapes."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.order import TranscriptOrder

_PLAIN = ("text", "srt", "vtt")


class Encoder:
    """Writes one transcript: the provider's own bytes where it speaks this wire, else the text, and how long it was.

    Times of words and segments are known to OpenAI's own wire only; an order that wants them is refused elsewhere.
    """

    __slots__ = ("_order", "_raw", "_stream", "_texts", "media_type")

    def __init__(self, call: Call) -> None:
        assert isinstance(call.order, TranscriptOrder)
        self._order = call.order
        self._stream = call.stream
        self._raw = False
        self._texts: list[str] = []
        plain = call.order.format in _PLAIN
        self.media_type = "text/plain; charset=utf-8" if plain else "application/json"

    def feed(self, event: Event) -> bytes:
        """Pass bytes on; keep text until the end, or give it as an event."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is not Delta:
            return b""
        self._texts.append(event.text)
        return _event({"type": "transcript.text.delta", "delta": event.text}) if self._stream else b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The whole text, with what was used."""
        del end, cost_nanos
        if self._raw:
            return b""
        text = "".join(self._texts)
        if self._order.format == "text":
            return text.encode() + b"\n"
        told = _usage_object(usage)
        if self._stream:
            return _event({"type": "transcript.text.done", "text": text, "usage": told})
        return orjson.dumps({"text": text, "usage": told})

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke; nothing of a whole answer."""
        if not self._stream:
            return b""
        error = {"message": failure.message, "type": failure.kind.type, "param": failure.param, "code": failure.code}
        return _event({"type": "error", "error": error})


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
