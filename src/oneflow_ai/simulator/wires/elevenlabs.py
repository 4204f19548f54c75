"""ElevenLabs' speech: whole, flowing and with timestamps; what stands beside it is in files of its own.

Checked 2026-11-26.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from oneflow_ai.simulator.answer import CONTENT, Answer, Headers, StreamEvent
from oneflow_ai.simulator.fields import (
    Wrong,
    anything,
    boolean,
    integer,
    listed,
    nullable,
    number,
    one_of,
    record,
    text,
)
from oneflow_ai.simulator.lazy import Lazy
from oneflow_ai.simulator.limits import CONCURRENCY, LimitState, Refusal
from oneflow_ai.simulator.media.sound import Pieces, named, seconds_of, sound
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.wires import elevenlabs_lists as lists
from oneflow_ai.simulator.wires import elevenlabs_transcripts as transcripts
from oneflow_ai.simulator.wires.elevenlabs_errors import Unfit, failed, missing_key, unfit, wrong_field
from oneflow_ai.simulator.wires.events import Editable
from oneflow_ai.simulator.wires.openai_speech import flowing
from oneflow_ai.simulator.wires.wire import BAD_KEY, POOR_KEY, Problem, Surroundings

CONCURRENCY_TOLD = 10
_SPEECH = "/v1/text-to-speech/"
_UNKNOWN_VOICE = "no-such"
_SIMULATED = "sim-"
_FLOWING_FORMATS = (
    *("mp3_22050_32", "mp3_24000_48", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96", "mp3_44100_128"),
    *("mp3_44100_192", "pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000", "pcm_32000", "pcm_44100", "pcm_48000"),
    *("ulaw_8000", "alaw_8000", "opus_48000_32", "opus_48000_64", "opus_48000_96", "opus_48000_128", "opus_48000_192"),
)
_WHOLE_FORMATS = (
    *_FLOWING_FORMATS,
    *("wav_8000", "wav_16000", "wav_22050", "wav_24000", "wav_32000", "wav_44100", "wav_48000"),
)
_FORMAT_DEFAULT = "mp3_44100_128"
_SETTINGS = {
    "stability": nullable(number(0, 1)),
    "similarity_boost": nullable(number(0, 1)),
    "style": nullable(number(0, 1)),
    "use_speaker_boost": nullable(boolean),
    "speed": nullable(number(0.7, 1.2)),
}
_FIELDS = {
    "text": text(),
    "model_id": text(1),
    "language_code": nullable(text()),
    "voice_settings": nullable(record(_SETTINGS)),
    "pronunciation_dictionary_locators": nullable(listed(anything)),
    "seed": nullable(integer(0, 4_294_967_295)),
    "previous_text": nullable(text()),
    "next_text": nullable(text()),
    "previous_request_ids": nullable(listed(text(), 0, 3)),
    "next_request_ids": nullable(listed(text(), 0, 3)),
    "use_pvc_as_ivc": boolean,
    "apply_text_normalization": one_of("auto", "on", "off"),
    "apply_language_text_normalization": boolean,
}
_CHECK = record(_FIELDS, required=("text",))
_LISTS: Mapping[str, Callable[[dict[str, list[str]], bool, Surroundings], Any]] = {
    "/v1/models": lambda query, poor, around: lists.models(),
    "/v1/voices": lambda query, poor, around: lists.voices(),
    "/v2/voices": lambda query, poor, around: _paged(query),
    "/v1/user/subscription": lambda query, poor, around: lists.subscription(poor, around.now_unix),
}
_VOICE = "/v1/voices/"


class ElevenLabsWire(Editable):
    """`/v1/text-to-speech/{voice}` with `/stream` and `/with-timestamps`, transcripts, and the lists beside them."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether the path is one of its own; for the models, which others have too, its header must be there."""
        path = request.path
        if path.endswith("/v1/models"):
            return b"xi-api-key" in request.fields
        if _SPEECH in path or _VOICE in path:
            return True
        return path.endswith(("/v1/voices", "/v2/voices", "/v1/user/subscription", transcripts.PATH))

    def model(self, request: Request) -> str:
        """The body's `model_id`, or a voice that asks for a fault; else the model that speaks unasked."""
        document = request.document if request.body or request.form is not None else None
        model = document.get("model_id") if isinstance(document, dict) else None
        if isinstance(model, str) and model:
            return model
        if request.path.endswith(transcripts.PATH):
            return transcripts.MODELS[0]
        voice = _voice(request.path)
        return voice if not voice or voice.startswith(_SIMULATED) else lists.MODEL_DEFAULT

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        if not request.credential or request.credential.startswith(BAD_KEY):
            refused = failed(missing_key() if not request.credential else Problem(401))
            return Answer(refused.status, refused.body, barred=True)
        try:
            if request.path.endswith(transcripts.PATH):
                return transcripts.transcribed(request, around)
            return _spoken(request, around) if _SPEECH in request.path else _listed(request, around)
        except Unfit as error:
            return error.answer

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        said = "A text from somebody else"
        return _as_bytes(sound(named(_FORMAT_DEFAULT), seconds_of(said)), _FORMAT_DEFAULT, {"text": said}, around)

    def headers(self, around: Surroundings, processing_seconds: float, limits: LimitState | None) -> Headers:
        """The ids, and how many requests there are at a time and may be."""
        told = limits is not None and limits.concurrency
        current, most = (limits.in_flight, limits.concurrency) if limits and told else (1, CONCURRENCY_TOLD)
        return (
            ("request-id", around.unique),
            ("x-trace-id", around.unique.lower()),
            ("x-region", "simulated"),
            ("current-concurrent-requests", str(current)),
            ("maximum-concurrent-requests", str(most)),
        )

    def refusal(self, refusal: Refusal, around: Surroundings) -> Answer:
        """A 429: too many at a time, or a busy system; neither says when to come back."""
        if refusal.scope == CONCURRENCY:
            return failed(Problem(429))
        return failed(Problem(429, code="slow_down"))

    def failure(self, problem: Problem, around: Surroundings) -> Answer:
        """`{"detail": {"status", "message"}}`, for fields a list."""
        return failed(problem)

    def stream_failure(self, problem: Problem, named: bool, sent: Sequence[bytes]) -> bytes:
        """The same as a line; a sound that flows only breaks off."""
        return failed(problem).body + b"\n"

    def stream_ping(self, sent: Sequence[bytes]) -> bytes:
        """An empty line, as there may be between two with timestamps."""
        return b"\n"

    def odd(self, kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
        """None: no unusual forms are known."""
        return None


def _voice(path: str) -> str:
    return unquote(path.partition(_SPEECH)[2].partition("/")[0])


def _listed(request: Request, around: Surroundings) -> Answer:
    if request.method != "GET":
        raise unfit(Problem(405))
    if _VOICE in request.path:
        voice = lists.voice(request.path.rpartition("/")[2])
        if voice is None:
            raise unfit(Problem(404, "A voice with this voice_id was not found.", "voice_not_found"))
        return Answer(body=orjson.dumps(voice))
    found = next(make for path, make in _LISTS.items() if request.path.endswith(path))
    poor = request.credential.startswith(POOR_KEY)
    return Answer(body=orjson.dumps(found(parse_qs(request.query), poor, around)))


def _paged(query: dict[str, list[str]]) -> dict[str, Any]:
    size = query.get("page_size", ["1"])[-1]
    if not size.removeprefix("-").isdecimal():
        words = "Input should be a valid integer, unable to parse string as an integer"
        raise wrong_field(("query", "page_size"), "int_parsing", words)
    return lists.voices_paged(query)


# ---- speech


def _spoken(request: Request, around: Surroundings) -> Answer:
    voice, action = _voice(request.path), request.path.partition(_SPEECH)[2].partition("/")[2]
    if not voice or action not in ("", "stream", "with-timestamps", "stream/with-timestamps"):
        raise unfit(Problem(404))
    if request.method != "POST":
        raise unfit(Problem(405))
    flows = action.startswith("stream")
    output = _output_format(request, _FLOWING_FORMATS if flows else _WHOLE_FORMATS)
    document = _document(request)
    if voice.startswith(_UNKNOWN_VOICE):
        raise unfit(Problem(404, f"A voice with voice_id {voice} was not found.", "voice_not_found"))
    cost = _cost(document, request.credential.startswith(POOR_KEY), around)
    said, settings = document["text"], document.get("voice_settings") or {}
    seconds = around.speech_seconds or seconds_of(said, settings.get("speed") or 1.0)
    pieces = sound(named(output), seconds)
    if not action.endswith("with-timestamps"):
        return _as_bytes(pieces, output, document, around)
    told = (("character-cost", str(cost)), ("history-item-id", around.unique))
    if flows:
        return Answer(events=_timed(pieces, said, seconds), headers=told, input_tokens=len(said))
    whole = _chunk(b"".join(pieces), said, 0, seconds / max(len(said), 1))
    return Answer(body=orjson.dumps(whole), headers=told, input_tokens=len(said))


def _document(request: Request) -> dict[str, Any]:
    document = request.document if request.body else None
    if document is None:
        raise wrong_field(("body",), "json_invalid" if request.body else "missing", "JSON decode error")
    if not isinstance(document, dict):
        raise wrong_field(("body",), "model_attributes_type", "Input should be a valid dictionary")
    known = {name: value for name, value in document.items() if name in _FIELDS}
    try:
        _CHECK(known, ())
    except Wrong as wrong:
        raise wrong_field(("body", *wrong.path), wrong.sort, f"Input should be {wrong.expected}") from None
    if not known["text"].strip():
        raise unfit(Problem(400, "The text must not be empty.", "input_text_empty"))
    return known


def _output_format(request: Request, formats: Sequence[str]) -> str:
    query = parse_qs(request.query)
    output = query.get("output_format", [_FORMAT_DEFAULT])[-1]
    if output not in formats:
        expected = " or ".join([", ".join([f"'{each}'" for each in formats[:-1]]), f"'{formats[-1]}'"])
        raise wrong_field(("query", "output_format"), "enum", f"Input should be {expected}")
    latency = query.get("optimize_streaming_latency", ["0"])[-1]
    if latency not in ("0", "1", "2", "3", "4"):
        raise wrong_field(("query", "optimize_streaming_latency"), "value", "Input should be from 0 to 4")
    return output


def _cost(document: dict[str, Any], poor: bool, around: Surroundings) -> int:
    """What a text costs in credits; raises `Unfit` for a model there is not, a text too long, an empty purse."""
    model, said = document.get("model_id") or lists.MODEL_DEFAULT, document["text"]
    if not around.knows(model, [each.id for each in lists.MODELS]):
        raise unfit(Problem(400, f"A model with model ID {model} does not exist.", "model_not_found"))
    known = lists.model(model)
    if len(said) > known.characters_most:
        raise unfit(
            Problem(
                400,
                f"This request's text has {len(said)} characters and exceeds the character limit of "
                f"{known.characters_most} characters.",
                "max_character_limit_exceeded",
            )
        )
    cost = math.ceil(len(said) * known.multiplier)
    if poor:
        words = f"You have 0 credits remaining, while {cost} credits are required for this request."
        raise unfit(
            Problem(401, f"This request exceeds your quota of {lists.CHARACTERS_MOST}. {words}", "quota_exceeded")
        )
    return cost


def _as_bytes(pieces: Pieces, output: str, document: dict[str, Any], around: Surroundings) -> Answer:
    known = lists.model(document.get("model_id") or lists.MODEL_DEFAULT)
    cost = math.ceil(len(document["text"]) * known.multiplier)
    told = (("character-cost", str(cost)), ("history-item-id", around.unique))
    characters = len(document["text"])
    return Answer(events=flowing(pieces), media_type=named(output).media_type, headers=told, input_tokens=characters)


def _timed(pieces: Pieces, said: str, seconds: float) -> Lazy[StreamEvent]:
    """A line for each piece, with the characters that fall into it."""
    count, per_character = len(pieces), seconds / max(len(said), 1)

    def make(place: int) -> StreamEvent:
        first, end = len(said) * place // count, len(said) * (place + 1) // count
        line = orjson.dumps(_chunk(pieces[place], said[first:end], first, per_character))
        return StreamEvent(CONTENT, line + b"\n")

    return Lazy(count, make)


def _chunk(content: bytes, said: str, first: int, per_character: float) -> dict[str, Any]:
    starts = [round((first + place) * per_character, 3) for place in range(len(said))]
    alignment = {
        "characters": list(said),
        "character_start_times_seconds": starts,
        "character_end_times_seconds": [round(start + per_character, 3) for start in starts],
    }
    told = alignment if said else None
    return {
        "audio_base64": base64.b64encode(content).decode("ascii"),
        "alignment": told,
        "normalized_alignment": told,
    }
