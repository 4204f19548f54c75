"""ElevenLabs' transcripts: a file of a form, written down word by word with its times (checked 2026-11-27)."""

from __future__ import annotations

import re
from typing import Any

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.fields import Wrong, boolean, integer, listed, nullable, number, one_of, record, text
from oneflow_ai.simulator.form import NUMBER, TRUTH, WHOLE, Part, typed
from oneflow_ai.simulator.media.sound import CHARACTERS_A_SECOND
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import TOKEN_BYTES, compose, tokens
from oneflow_ai.simulator.wires.elevenlabs_errors import unfit, wrong_field
from oneflow_ai.simulator.wires.wire import POOR_KEY, Problem, Surroundings

MODELS = ("scribe_v2", "scribe_v1")
PATH = "/v1/speech-to-text"
FILE_BYTES_MOST = 3 << 30
_BYTES_A_SECOND = 16_000
_WAV_HEAD_BYTES = 44
_CHANNELS = 2
_TOKENS_LEAST, _TOKENS_MOST = 8, 4_096
_FIELDS = {
    "model_id": text(1),
    "language_code": text(),
    "tag_audio_events": boolean,
    "num_speakers": integer(1, 32),
    "timestamps_granularity": one_of("none", "word", "character"),
    "diarize": boolean,
    "diarization_threshold": number(0.1, 0.4),
    "file_format": one_of("pcm_s16le_16", "other"),
    "temperature": number(0, 2),
    "seed": integer(0, (1 << 31) - 1),
    "use_multi_channel": boolean,
    "webhook": boolean,
    "no_verbatim": boolean,
    "keyterms": nullable(listed(text())),
}
_CHECK = record(_FIELDS, required=("model_id",))
_KINDS = {
    **dict.fromkeys(("tag_audio_events", "diarize", "use_multi_channel", "webhook", "no_verbatim"), TRUTH),
    **dict.fromkeys(("num_speakers", "seed"), WHOLE),
    **dict.fromkeys(("diarization_threshold", "temperature"), NUMBER),
    "keyterms": lambda value: [value],
}


def transcribed(request: Request, around: Surroundings) -> Answer:
    """The answer to a form; raises `Unfit` for what is refused."""
    if request.method != "POST":
        raise unfit(Problem(405))
    document = request.document if request.form is not None else None
    if not isinstance(document, dict):
        raise wrong_field(("body", "model_id"), "missing", "Field required")
    known = {name: value for name, value in typed(document, _KINDS).items() if name in _FIELDS}
    try:
        _CHECK(known, ())
    except Wrong as wrong:
        raise wrong_field(("body", *wrong.path), wrong.sort, f"Input should be {wrong.expected}") from None
    if not around.knows(known["model_id"], MODELS):
        words = f"'{known['model_id']}' is not a valid model_id. Only {', '.join(MODELS)} are valid."
        raise unfit(Problem(400, words, "invalid_model_id"))
    file = _file(request, around)
    if request.credential.startswith(POOR_KEY):
        words = "This request exceeds your quota. You have 0 credits remaining."
        raise unfit(Problem(401, words, "quota_exceeded"))
    return _answer(file, known, around)


def _file(request: Request, around: Surroundings) -> Part:
    files = request.form.files("file") if request.form else []
    if not files:
        words = "Must provide either file or cloud_storage_url parameter."
        raise unfit(Problem(400, words, "invalid_parameters"))
    file = files[0]
    if file.size_bytes > (around.file_bytes_most or FILE_BYTES_MOST):
        raise unfit(Problem(400, "The file is too large.", "file_too_large"))
    if not file.size_bytes:
        raise unfit(Problem(400, "The file is empty.", "empty_file"))
    return file


def _answer(file: Part, known: dict[str, Any], around: Surroundings) -> Answer:
    seconds = _seconds(file, known)
    fitting = int(seconds * CHARACTERS_A_SECOND) // TOKEN_BYTES
    wanted = around.answer_tokens or min(max(fitting, _TOKENS_LEAST), _TOKENS_MOST)
    said = around.say or compose(f"{file.filename} {file.sha256[:8]}", tokens_wanted=wanted)
    one = _transcript(said, known, seconds)
    length = round(seconds, 3)
    if known.get("use_multi_channel"):
        transcripts = [{**one, "channel_index": place} for place in range(_CHANNELS)]
        whole: dict[str, Any] = {"transcripts": transcripts, "audio_duration_secs": length}
    else:
        whole = {**one, "transcription_id": around.unique, "audio_duration_secs": length}
    return Answer(body=orjson.dumps(whole), output_tokens=tokens(said))


def _seconds(file: Part, known: dict[str, Any]) -> float:
    """How long a file is: by a WAV file's own word, as plain samples, else as if it were of 128 kbit/s."""
    if known.get("file_format") == "pcm_s16le_16":
        return file.size_bytes / 32_000
    if file.beginning[8:16] == b"WAVEfmt " and (rate := int.from_bytes(file.beginning[28:32], "little")):
        return max(file.size_bytes - _WAV_HEAD_BYTES, 0) / rate
    return file.size_bytes / _BYTES_A_SECOND


def _transcript(said: str, known: dict[str, Any], seconds: float) -> dict[str, Any]:
    """A transcript of one speaker; of two, sentence by sentence, where they are to be told apart."""
    timed = known.get("timestamps_granularity") != "none"
    a_character = seconds / max(len(said), 1)
    words: list[dict[str, Any]] = []
    place = speaker = 0
    for piece in re.findall(r"\s+|\S+", said):
        start, place = place, place + len(piece)
        kind = "spacing" if piece.isspace() else "word"
        told: dict[str, Any] = {"text": piece, "type": kind, "logprob": 0.0}
        if timed:
            told |= {"start": round(start * a_character, 3), "end": round(place * a_character, 3)}
        if known.get("diarize"):
            told["speaker_id"] = f"speaker_{speaker}"
            speaker = 1 - speaker if piece.endswith(".") else speaker
        words.append(told)
    return {"language_code": "eng", "language_probability": 0.98, "text": said, "words": words}
