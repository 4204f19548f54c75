"""OpenAI's speech: sound in six formats, as bytes that flow or as events (checked 2026-11-26)."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from oneflow_ai.simulator.answer import CONTENT, FINISH, STREAM_TYPE, Answer, StreamEvent
from oneflow_ai.simulator.fields import Path, number, one_of, record, text
from oneflow_ai.simulator.lazy import Lazy
from oneflow_ai.simulator.media.sound import Format, Pieces, seconds_of, sound
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires.events import event
from oneflow_ai.simulator.wires.openai import MODELS
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, need_model
from oneflow_ai.simulator.wires.openai_shapes import BadRequest
from oneflow_ai.simulator.wires.wire import Surroundings

CHARACTERS_MOST = 4_096
VOICES = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse"),
    *("marin", "cedar"),
)
SPEECH_FORMATS = {
    "mp3": Format("mp3", 24_000, 128),
    "opus": Format("opus", 48_000, 32),
    "aac": Format("aac", 24_000),
    "flac": Format("flac", 24_000),
    "wav": Format("wav", 24_000),
    "pcm": Format("pcm", 24_000),
}
TOKENS_A_SECOND = 20
_WITHOUT_EVENTS = ("tts-1",)


def _voice(value: Any, path: Path) -> None:
    """A voice's name, or the id of one's own."""
    if isinstance(value, dict):
        record({"id": text(1)}, required=("id",))(value, path)
    else:
        one_of(*VOICES)(value, path)


_CHECK = record(
    {
        "model": text(1),
        "input": text(1, CHARACTERS_MOST),
        "voice": _voice,
        "instructions": text(0, CHARACTERS_MOST),
        "response_format": one_of(*SPEECH_FORMATS),
        "speed": number(0.25, 4),
        "stream_format": one_of("audio", "sse"),
    },
    required=("input", "voice"),
)


class OpenAISpeechWire(OpenAIManners):
    """`/audio/speech`, on any base path."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether a path ends in the route."""
        return request.path.endswith("/audio/speech")

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        return self.checked(request, around, lambda document: _answer(document, around))

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        # sound flows, whether as bytes or as events: bytes are what most ask for
        return _spoken({"model": model, "input": "A text from somebody else"}, around)


def _answer(document: dict[str, Any], around: Surroundings) -> Answer:
    need_model(document, around, MODELS)
    _CHECK(document, ())
    if document.get("stream_format") == "sse" and document["model"].startswith(_WITHOUT_EVENTS):
        words = f"The model `{document['model']}` does not support 'stream_format' = 'sse'."
        raise BadRequest(words, "unsupported_value", "stream_format")
    return _spoken(document, around)


def _spoken(document: dict[str, Any], around: Surroundings) -> Answer:
    form = SPEECH_FORMATS[document.get("response_format") or "mp3"]
    seconds = around.speech_seconds or seconds_of(document["input"], document.get("speed") or 1.0)
    pieces = sound(form, seconds)
    heard, spoken = tokens(document["input"]), max(round(seconds * TOKENS_A_SECOND), 1)
    usage = {"input_tokens": heard, "output_tokens": spoken, "total_tokens": heard + spoken}
    if document.get("stream_format") == "sse":
        events, media_type = _events(pieces, usage), STREAM_TYPE
    else:
        events, media_type = flowing(pieces), form.media_type
    return Answer(events=events, media_type=media_type, input_tokens=heard, output_tokens=spoken)


def flowing(pieces: Pieces) -> Lazy[StreamEvent]:
    """A sound as the pieces of a body."""
    return Lazy(len(pieces), lambda place: StreamEvent(CONTENT, pieces[place]))


def _events(pieces: Pieces, usage: dict[str, Any]) -> Lazy[StreamEvent]:
    done = event(FINISH, {"type": "speech.audio.done", "usage": usage})

    def make(place: int) -> StreamEvent:
        if place == len(pieces):
            return done
        audio = base64.b64encode(pieces[place]).decode("ascii")
        return StreamEvent(CONTENT, b"data: %b\n\n" % orjson.dumps({"type": "speech.audio.delta", "audio": audio}))

    return Lazy(len(pieces) + 1, make)
