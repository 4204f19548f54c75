"""ElevenLabs' speech: which addresses it has, what a request may hold, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from oneflow_ai.core.call import Call, Operation, Task
from oneflow_ai.core.chain import CHAIN_FIELDS, name_model
from oneflow_ai.core.failure import INVALID_VALUE, MISSING_REQUIRED_PARAMETER, TOO_MANY_ITEMS, Failure
from oneflow_ai.core.order import SpeechOrder
from oneflow_ai.dialects import checks, elevenlabs_query
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.guard import read_object
from oneflow_ai.dialects.openai_speech import TEXT_CHARACTERS_MOST, VOICE_CHARACTERS_MOST

DIALECT = "elevenlabs"
SEED_MOST = 4_294_967_295
LANGUAGE_CHARACTERS_MOST = 16
# Of a text that stands before or after, and of ids of requests: more is a mistake.
REQUEST_IDS_MOST = 3
_ADDRESS = re.compile(rb"/v1/text-to-speech/([^/]+)(/stream)?(/with-timestamps)?")
# The vendor's specification, 2026-08-22: a stream has no head that could tell its length, so no WAV.
FLOWING_FORMATS = (
    *("mp3_22050_32", "mp3_24000_48", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96", "mp3_44100_128"),
    *("mp3_44100_192", "pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000", "pcm_32000", "pcm_44100", "pcm_48000"),
    *("ulaw_8000", "alaw_8000", "opus_48000_32", "opus_48000_64", "opus_48000_96", "opus_48000_128", "opus_48000_192"),
)
WHOLE_FORMATS = (
    *FLOWING_FORMATS,
    *("wav_8000", "wav_16000", "wav_22050", "wav_24000", "wav_32000", "wav_44100", "wav_48000"),
)
_FORMAT = "mp3_44100_128"
# Other wires give no others, or do not say: whoever asks for another is told that it was left out.
_USUAL = frozenset({_FORMAT, "opus_48000_128", "pcm_24000", "wav_24000"})
_TEXT = checks.of_type("a text", str)


def operation_at(path: bytes) -> Operation | None:
    """What is done at an address; None for one that is not of speech."""
    found = _ADDRESS.fullmatch(path)
    if found is None:
        return None
    return Operation.TIMED_SPEECH if found[3] and not found[2] else Operation.SPEECH


def _text(name: str, value: Any) -> None:
    _TEXT(name, value)
    if not 0 < len(value) <= TEXT_CHARACTERS_MOST or not value.strip():
        raise Failure(INVALID_VALUE, f"{name} has 1 to {TEXT_CHARACTERS_MOST} characters", param=name)


def model(name: str, value: Any) -> None:
    """A check for a model's name."""
    _TEXT(name, value)
    if not 0 < len(value) <= MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has 1 to {MODEL_CHARACTERS_MOST} characters", param=name)


def language(name: str, value: Any) -> None:
    """A check for a language's code."""
    _TEXT(name, value)
    if not 0 < len(value) <= LANGUAGE_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} is a code such as en", param=name)


def _settings(name: str, value: Any) -> None:
    checks.of_type("an object", dict)(name, value)
    checks.run(
        {f"{name}.{key}": check for key, check in _SETTINGS.items()}, {f"{name}.{key}": value[key] for key in value}
    )


def _ids(name: str, value: Any) -> None:
    checks.of_type("a list", list)(name, value)
    if len(value) > REQUEST_IDS_MOST:
        raise Failure(TOO_MANY_ITEMS, f"{name} has at most {REQUEST_IDS_MOST} ids", param=name)
    for each in value:
        _TEXT(name, each)


_BOOLEAN = checks.of_type("true or false", bool)
_SETTINGS: Mapping[str, checks.Check] = {
    "stability": checks.number(0, 1),
    "similarity_boost": checks.number(0, 1),
    "style": checks.number(0, 1),
    "speed": checks.number(0.25, 4.0),
    "use_speaker_boost": _BOOLEAN,
}
_MINOR: Mapping[str, checks.Check] = {
    "previous_text": _TEXT,
    "next_text": _TEXT,
    "previous_request_ids": _ids,
    "next_request_ids": _ids,
    "use_pvc_as_ivc": _BOOLEAN,
    "apply_text_normalization": checks.one_of("auto", "on", "off"),
    "apply_language_text_normalization": _BOOLEAN,
}
_CHECKS: Mapping[str, checks.Check] = {
    "text": _text,
    "model_id": model,
    "language_code": language,
    "voice_settings": _settings,
    "seed": checks.integer(0, SEED_MOST),
    **_MINOR,
    **dict.fromkeys(checks.FORBIDDEN, checks.forbidden),
}
_KNOWN = frozenset({"text", "model_id", "language_code", "voice_settings", "seed", *CHAIN_FIELDS, *_MINOR})
_LATENCY = checks.one_of("0", "1", "2", "3", "4")
_FLOWING_QUERY: Mapping[str, checks.Check] = {
    **elevenlabs_query.LOGGING,
    "output_format": checks.one_of(*FLOWING_FORMATS),
    "optimize_streaming_latency": _LATENCY,
}
_WHOLE_QUERY = {**_FLOWING_QUERY, "output_format": checks.one_of(*WHOLE_FORMATS)}


def parse(body: bytes, envelope: Envelope) -> Call:
    """The call that a request body asks for; raises `Failure` for bad input, before anything is held or sent."""
    found = _ADDRESS.fullmatch(envelope.path)
    assert found is not None, "only addresses of speech come here"
    fields = read_object(body)
    name_model(fields, Task.SPEECH.value, field="model_id")
    checks.run(_CHECKS, fields)
    if fields.get("text") is None:
        raise Failure(MISSING_REQUIRED_PARAMETER, "text is missing", param="text")
    pairs = elevenlabs_query.read(envelope.query)
    asked = elevenlabs_query.checked(pairs, _FLOWING_QUERY if found[2] else _WHOLE_QUERY)
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=fields["model_id"],
        body=fields,
        stream=False,
        include_usage=False,
        prompt_bytes=len(body),
        wire=DIALECT,
        order=_order(found, fields, asked),
        query=pairs,
    )


def _order(found: re.Match[bytes], fields: Mapping[str, Any], asked: Mapping[str, str]) -> SpeechOrder:
    settings = fields.get("voice_settings") or {}
    output = asked.get("output_format", _FORMAT)
    coding, rate, *bits = output.split("_")
    return SpeechOrder(
        text=fields["text"],
        voice=_voice(found[1]),
        format=coding,
        rate_hertz=int(rate),
        bits_per_second=int(bits[0]) * 1_000 if bits else None,
        speed=settings.get("speed"),
        language=fields.get("language_code") or "",
        seed=fields.get("seed"),
        timed=bool(found[3]),
        whole=not found[2],
        minor=tuple(_minor(fields, asked, output)),
        further=(
            *(name for name, value in fields.items() if value is not None and name not in _KNOWN),
            *elevenlabs_query.unlogged(asked),
        ),
    )


def _minor(fields: Mapping[str, Any], asked: Mapping[str, str], output: str) -> Iterator[str]:
    yield from (name for name in _MINOR if fields.get(name) is not None)
    settings = fields.get("voice_settings") or {}
    yield from (f"voice_settings.{name}" for name, value in settings.items() if value is not None and name != "speed")
    if asked.get("optimize_streaming_latency", "0") != "0":
        yield "optimize_streaming_latency"
    if output not in _USUAL and not output.startswith("pcm"):
        yield "output_format"


def _voice(part: bytes) -> str:
    """The voice in an address, by id or by name."""
    voice = unquote(part.decode("ascii", "replace"), errors="replace")
    if not 0 < len(voice) <= VOICE_CHARACTERS_MOST or not voice.isprintable():
        raise Failure(INVALID_VALUE, f"a voice has 1 to {VOICE_CHARACTERS_MOST} characters", param="voice_id")
    return voice
