"""ElevenLabs' requests for transcripts, which come as forms: what they may hold, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oneflow_ai.core.call import Call, Task
from oneflow_ai.core.chain import CHAIN_FIELDS, name_model
from oneflow_ai.core.failure import INVALID_VALUE, MISSING_REQUIRED_PARAMETER, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import TranscriptOrder
from oneflow_ai.dialects import checks, elevenlabs_query
from oneflow_ai.dialects.elevenlabs_speech import DIALECT, language, model
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.form_fields import Reader, decimal, truth, typed, whole

CHANNELS_MOST = 5
"""More than five are refused (the vendor's guide to transcripts with several channels, 2026-11-27)."""
_SAMPLES = "pcm_s16le_16"
# Two bytes a sample, 16,000 samples a second, one channel (its API reference, speech to text, 2026-11-27).
_SAMPLES_BYTES_PER_SECOND = 32_000
_CHECKS: Mapping[str, checks.Check] = {
    "model_id": model,
    "language_code": language,
    "num_speakers": checks.integer(1, 32),
    "temperature": checks.number(0, 2),
    "diarization_threshold": checks.number(0.1, 0.4),
    "seed": checks.integer(0, (1 << 31) - 1),
    "timestamps_granularity": checks.one_of("none", "word", "character"),
    "file_format": checks.one_of(_SAMPLES, "other"),
    **dict.fromkeys(checks.FORBIDDEN, checks.forbidden),
}
_READERS: Mapping[str, Reader] = {
    "num_speakers": whole,
    "seed": whole,
    "temperature": decimal,
    "diarization_threshold": decimal,
    **dict.fromkeys(
        (
            *("tag_audio_events", "diarize", "webhook", "use_multi_channel", "no_verbatim", "use_speaker_library"),
            "detect_speaker_roles",
        ),
        truth,
    ),
}
_REPEATED = ("keyterms", "entity_detection", "entity_redaction", "additional_formats", *CHAIN_FIELDS)
# What another wire may leave out; and what it may, where it has this value: it is what is done there anyway.
_MINOR = (
    *("seed", "tag_audio_events", "num_speakers", "diarization_threshold", "keyterms", "multichannel_output_style"),
    *("webhook_id", "webhook_metadata"),
)
_USUAL: Mapping[str, Callable[[Any], bool]] = {
    "timestamps_granularity": lambda value: value == "none",
    "file_format": lambda value: value == "other",
    **dict.fromkeys(
        (
            *("diarize", "webhook", "use_multi_channel", "no_verbatim", "use_speaker_library"),
            "detect_speaker_roles",
        ),
        lambda value: value is False,
    ),
}
_KNOWN = frozenset({"model_id", "language_code", "temperature", *CHAIN_FIELDS, *_MINOR})
_NULLS = ("null", ["null"])
_ELSEWHERE = ("source_url", "cloud_storage_url")


def parse_form(form: Form, envelope: Envelope) -> Call:
    """The call that a form asks for; raises `Failure` for bad input, before anything is held or sent."""
    # The official client (2.78.0) writes some fields that nobody asked for, as the null of JSON.
    body = {name: value for name, value in typed(form, _READERS, _REPEATED).items() if value not in _NULLS}
    name_model(body, Task.TRANSCRIPTION.value, field="model_id")
    checks.run(_CHECKS, body)
    if body.get("webhook"):
        words = "transcripts are answered here, and not sent elsewhere later"
        raise Failure(INVALID_VALUE, words, param="webhook")
    for name in _ELSEWHERE:
        if body.get(name):
            words = f"send the recording as a file: what stands elsewhere has no price that is known ahead ({name})"
            raise Failure(INVALID_VALUE, words, param=name)
    pairs = elevenlabs_query.read(envelope.query)
    asked = elevenlabs_query.checked(pairs, elevenlabs_query.LOGGING)
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=body["model_id"],
        body=body,
        stream=False,
        include_usage=False,
        prompt_bytes=form.text_bytes,
        wire=DIALECT,
        order=_order(form, body, asked),
        form=form,
        query=pairs,
    )


def _order(form: Form, body: Mapping[str, Any], asked: Mapping[str, str]) -> TranscriptOrder:
    uploads = form.uploads("file")
    if not uploads:
        raise Failure(MISSING_REQUIRED_PARAMETER, "file is missing", param="file")
    if len(uploads) > 1:
        raise Failure(TOO_MANY_ITEMS, "one file is written down at a time", param="file")
    if not uploads[0].size_bytes:
        raise Failure(INVALID_VALUE, "file is empty", param="file")
    further = [name for name, value in body.items() if name not in _KNOWN and not _is_usual(name, value)]
    return TranscriptOrder(
        uploads[0],
        language=body.get("language_code", ""),
        temperature=body.get("temperature"),
        channels=CHANNELS_MOST if body.get("use_multi_channel") else 1,
        bytes_per_second=_SAMPLES_BYTES_PER_SECOND if body.get("file_format") == _SAMPLES else 0,
        minor=tuple(name for name in _MINOR if name in body),
        further=(*further, *elevenlabs_query.unlogged(asked)),
    )


def _is_usual(name: str, value: Any) -> bool:
    return name in _USUAL and _USUAL[name](value)
