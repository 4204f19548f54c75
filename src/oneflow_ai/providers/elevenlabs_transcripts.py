"""ElevenLabs' transcripts: orders of other wires written for it, answers as raw bytes or as text with its words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from oneflow_ai.core.call import Call
from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import UNSUPPORTED_OPERATION, UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.order import TranscriptOrder, Upload
from oneflow_ai.core.sound import milliseconds_of
from oneflow_ai.providers.base import WholeDecoder, bad, encoded, listed, mapping, word
from oneflow_ai.providers.form import FormBody

_SECONDS_MOST = 1_000_000
_KINDS = {"word": "word", "spacing": "space", "audio_event": "event"}
_SPEAKERS = "diarized_json"


def form_of(call: Call, model: str) -> tuple[FormBody, tuple[str, ...]]:
    """The form that asks for a transcript, and what is left out; raises `Failure` for what this wire cannot do.

    One of this wire is sent as it came, but for the model's name; unknown fields are kept, in their order.
    """
    order = call.order
    assert isinstance(order, TranscriptOrder) and call.form is not None
    # Nobody knew a call's id when the form was written: no file of it holds this.
    boundary = f"oneflow-{call.id}"
    if call.wire == call.dialect == "elevenlabs":
        kept = [each for each in call.form.fields if each[0].removesuffix("[]") not in (*CHAIN_FIELDS, "model_id")]
        return FormBody(boundary, [("model_id", model), *kept], call.form.files), ()
    fields, dropped = _written(order)
    files: list[tuple[str, Upload]] = [("file", order.audio)]
    return FormBody(boundary, [("model_id", model), *fields], files), dropped


def _written(order: TranscriptOrder) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    if order.english:
        words = "the target translates nothing; it writes down what it hears"
        raise Failure(UNSUPPORTED_OPERATION, words, param="model")
    if order.further:
        raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for this field", param=order.further[0])
    # Laughter and steps are written down unless one asks for words alone, which is all that others do.
    fields = [("tag_audio_events", "false"), ("timestamps_granularity", "word")]
    if order.language:
        fields.append(("language_code", order.language))
    if order.temperature is not None:
        fields.append(("temperature", f"{order.temperature:g}"))
    if order.format == _SPEAKERS:
        fields.append(("diarize", "true"))
    return fields, (*order.minor, "prompt") if order.prompt else order.minor


def transcript_decoder(order: TranscriptOrder, *, raw: bool) -> WholeDecoder:
    """The decoder of one transcript."""
    return WholeDecoder(lambda body, found: _read(order, raw, body, mapping(found)))


def _read(order: TranscriptOrder, raw: bool, body: bytes, found: dict[str, Any]) -> list[Event]:
    channels = [mapping(each) for each in listed(found.get("transcripts"))]
    parts = channels or [found]
    if not all(isinstance(part.get("text"), str) for part in parts):
        return bad("the provider's answer has no text")
    usage = _usage(found, channels, order)
    if raw:
        return [Raw(body, 1), usage, End()]
    words = [each for part in parts for each in _words(part)]
    out: list[Event] = [Delta("language", word(parts[0].get("language_code")))]
    out += [Delta("text", "\n".join(part["text"] for part in parts)), Delta("words", encoded(words, "[]"))]
    return [*out, usage, End()]


def _words(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in map(mapping, listed(part.get("words"))):
        told: dict[str, Any] = {"text": word(each.get("text")), "kind": _KINDS.get(word(each.get("type")), "word")}
        for name in ("start", "end"):
            seconds = _seconds(each.get(name))
            if seconds is not None:
                told[name] = seconds
        if word(each.get("speaker_id")):
            told["speaker"] = each["speaker_id"]
        yield told


def _usage(found: dict[str, Any], channels: list[dict[str, Any]], order: TranscriptOrder) -> Usage:
    """How long it was, once for each channel: as told, else until the last word, else by the file."""
    seconds = _seconds(found.get("audio_duration_secs"))
    if seconds is None and channels:
        seconds = max((_seconds(each.get("audio_duration_secs")) or 0.0 for each in channels), default=0.0) or None
    times = max(len(channels), 1)
    if seconds is not None:
        return Usage(audio_milliseconds=_milliseconds(seconds) * times)
    ends = [end for part in channels or [found] for end in map(_end, listed(part.get("words"))) if end is not None]
    milliseconds = _milliseconds(max(ends)) if ends else milliseconds_of(order.audio)
    return Usage(audio_milliseconds=milliseconds * times, source="estimated")


def _end(item: Any) -> float | None:
    return _seconds(mapping(item).get("end"))


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _SECONDS_MOST:
        return None
    return float(value)


def _milliseconds(seconds: float) -> int:
    return math.ceil(round(seconds * 1000, 3))
