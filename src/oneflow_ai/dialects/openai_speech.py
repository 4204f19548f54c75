"""OpenAI's speech: what a request may hold, and sound of any wire as bytes or as events."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.openai_last_event import last_event

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SPEED_LEAST, SPEED_MOST = 0.25, 4.0
# OpenAI takes 4,096 (its specification, CreateSpeechRequest, 2026-11-23); ElevenLabs' flash models take 40,000. Each
# provider refuses what is too long for it.
TEXT_CHARACTERS_MOST = 40_000
VOICE_CHARACTERS_MOST = 256


def _input(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if not 0 < len(value) <= TEXT_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has 1 to {TEXT_CHARACTERS_MOST} characters", param=name)


def _voice(name: str, value: Any) -> None:
    found = value.get("id") if isinstance(value, dict) else value
    if not isinstance(found, str):
        raise Failure(INVALID_TYPE, f"{name} is a voice's name, or an object with its id", param=name)
    if not 0 < len(found) <= VOICE_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has 1 to {VOICE_CHARACTERS_MOST} characters", param=name)


CHECKS: Mapping[str, checks.Check] = {
    "input": _input,
    "voice": _voice,
    "instructions": checks.of_type("a text", str),
    "response_format": checks.one_of(*FORMATS),
    "speed": checks.number(SPEED_LEAST, SPEED_MOST),
    "stream_format": checks.one_of("audio", "sse"),
}


def order_of(body: Mapping[str, Any]) -> SpeechOrder:
    """What a checked request asks for."""
    voice = body.get("voice")
    return SpeechOrder(
        text=body["input"],
        voice=voice["id"] if isinstance(voice, dict) else voice or "",
        format=body.get("response_format") or FORMATS[0],
        speed=body.get("speed"),
        instructions=body.get("instructions") or "",
        events=body.get("stream_format") == "sse",
        further=checks.unknown(body, CHECKS),
    )


class Encoder:
    """Passes sound on as it comes: as bytes, or as events whose last one tells what was used."""

    __slots__ = ("_events", "_raw")

    media_type = "application/octet-stream"

    def __init__(self, call: Call) -> None:
        self._events = call.stream
        self._raw = False

    def feed(self, event: Event) -> bytes:
        """The sound of this event."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is not Blob:
            return b""
        if not self._events:
            return event.content
        return _event({"type": "speech.audio.delta", "audio": b64encode(event.content).decode()})

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """What was used and what it cost, where events are wanted."""
        last = last_event(end, cost_nanos)
        if self._raw or last or not self._events:
            return last
        total = usage.input_tokens + usage.output_tokens
        told: dict[str, Any] = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        told |= {"total_tokens": total, "cost": usd_float(cost_nanos)}
        return _event({"type": "speech.audio.done", "usage": told})

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke. Sound alone is just cut: no word belongs into it."""
        if not self._events:
            return b""
        error = {"message": failure.message, "type": failure.kind.type, "param": failure.param, "code": failure.code}
        return _event({"type": "error", "error": error})


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"
