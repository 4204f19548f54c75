"""OpenAI's transcripts and translations: every form of them, whole or streamed, as recorded (checked 2026-11-26)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from oneflow_ai.simulator.answer import CONTENT, DONE, FINISH, STREAM_TYPE, Answer, StreamEvent
from oneflow_ai.simulator.fields import anything, boolean, listed, nullable, number, one_of, record, text, text_or
from oneflow_ai.simulator.form import NUMBER, TRUTH, Part, typed
from oneflow_ai.simulator.media.sound import CHARACTERS_A_SECOND
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import TOKEN_BYTES, compose, tokens
from oneflow_ai.simulator.wires.openai import MODELS
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, need_model
from oneflow_ai.simulator.wires.openai_shapes import BadRequest, missing
from oneflow_ai.simulator.wires.openai_transcript_forms import Transcript, document_of, subtitles, usage_of
from oneflow_ai.simulator.wires.wire import Surroundings

FILE_BYTES_MOST = 25 << 20
EXTENSIONS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_TEXT_TYPE = "text/plain; charset=utf-8"
_TOKENS_MOST = 4_096
_TOKENS_LEAST = 8
_BYTES_A_SECOND = 16_000
_WAV_HEAD_BYTES = 44
_WHISPER = ("json", "text", "srt", "verbose_json", "vtt")
# By the beginning of a model's name: the forms it gives, the first that fits; all to models of other makers.
_FORMS: Mapping[str, tuple[str, ...]] = {
    "whisper": _WHISPER,
    "gpt-4o-transcribe-diarize": ("json", "text", "diarized_json"),
    "gpt-": ("json", "text"),
}
_ALL_FORMS = (*_WHISPER, "diarized_json")
_FIELDS = {
    "model": text(1),
    "prompt": text(),
    "response_format": one_of(*_ALL_FORMS),
    "temperature": number(0, 1),
}
_TRANSLATION = record(_FIELDS, required=("model",))
_TRANSCRIPTION = record(
    {
        **_FIELDS,
        "language": text(),
        "languages": listed(text()),
        "keywords": listed(text()),
        "include": listed(one_of("logprobs")),
        "timestamp_granularities": listed(one_of("word", "segment")),
        "stream": nullable(boolean),
        "chunking_strategy": text_or(anything),
        "known_speaker_names": listed(text(), 0, 4),
        "known_speaker_references": listed(text(), 0, 4),
    },
    required=("model",),
)
_KINDS: Mapping[str, Callable[[str], Any]] = {"temperature": NUMBER, "stream": TRUTH}
_INSIDE = re.compile(r"^(chunking_strategy)\[.*$")


class OpenAITranscriptsWire(OpenAIManners):
    """`/audio/transcriptions` and `/audio/translations`, on any base path."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether a path ends in one of the routes."""
        return request.path.endswith(("/audio/transcriptions", "/audio/translations"))

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        translated = request.path.endswith("/translations")

        def make(document: dict[str, Any]) -> Answer:
            # an object comes as a part for each of its fields
            document = {_INSIDE.sub(r"\1", name): value for name, value in typed(document, _KINDS).items()}
            need_model(document, around, MODELS)
            (_TRANSLATION if translated else _TRANSCRIPTION)(document, ())
            file = _file(request, around)
            form = document.get("response_format") or "json"
            _check_form(document["model"], form)
            transcript = _heard(file, "translate" if translated else "transcribe", document, around)
            if document.get("stream") and not document["model"].startswith("whisper"):
                return _streamed(transcript)
            return _whole(transcript, form)

        return self.checked(request, around, make)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        file = Part("file", "somebody-else.wav", "audio/wav", 2 * _BYTES_A_SECOND)
        transcript = _heard(file, "transcribe", {"model": model}, around)
        return _streamed(transcript) if stream else _whole(transcript, "json")


def _file(request: Request, around: Surroundings) -> Part:
    files = request.form.files("file") if request.form else []
    if not files:
        raise missing("file")
    file, most = files[0], around.file_bytes_most or FILE_BYTES_MOST
    if file.size_bytes > most:
        words = f"413: Maximum content size limit ({most}) exceeded ({file.size_bytes} bytes read)"
        raise BadRequest(words, "", None, 413)
    extension = (file.filename or "").rpartition(".")[2].lower()
    if extension not in EXTENSIONS or not file.size_bytes:
        words = f"Invalid file format. Supported formats: {list(EXTENSIONS)}"
        raise BadRequest(words, "unsupported_value" if file.size_bytes else "invalid_value", "file")
    return file


def _check_form(model: str, form: str) -> None:
    forms = next((forms for name, forms in _FORMS.items() if model.startswith(name)), _ALL_FORMS)
    if form not in forms:
        instead = " or ".join([f"'{each}'" for each in forms])
        words = f"response_format '{form}' is not compatible with model '{model}'. Use {instead} instead."
        raise BadRequest(words, "unsupported_value", "response_format")


def _seconds(file: Part) -> float:
    """How long a file is: by a WAV file's own word, else as if it were of 128 kbit/s."""
    if file.beginning[8:16] == b"WAVEfmt " and (rate := int.from_bytes(file.beginning[28:32], "little")):
        return max(file.size_bytes - _WAV_HEAD_BYTES, 0) / rate
    return file.size_bytes / _BYTES_A_SECOND


def _heard(file: Part, task: str, document: dict[str, Any], around: Surroundings) -> Transcript:
    seconds = _seconds(file)
    fitting = int(seconds * CHARACTERS_A_SECOND) // TOKEN_BYTES
    wanted = around.answer_tokens or min(max(fitting, _TOKENS_LEAST), _TOKENS_MOST)
    said = around.say or compose(f"{file.filename} {file.sha256[:8]}", tokens_wanted=wanted)
    return Transcript(
        text=said,
        task=task,
        model=document["model"],
        seconds=max(round(seconds, 2), 0.01),
        words=task == "transcribe" and "word" in document.get("timestamp_granularities", ()),
        prompt_tokens=tokens(document.get("prompt", "")) if document.get("prompt") else 0,
    )


def _whole(transcript: Transcript, form: str) -> Answer:
    usage = usage_of(transcript)
    media_type = _TEXT_TYPE
    if form == "text":
        body = transcript.text.encode() + b"\n"
    elif form in ("srt", "vtt"):
        body = subtitles(transcript, form).encode()
    else:
        body, media_type = orjson.dumps(document_of(transcript, form, usage)), "application/json"
    written = tokens(transcript.text)
    return Answer(body=body, media_type=media_type, input_tokens=transcript.input_tokens, output_tokens=written)


def _streamed(transcript: Transcript) -> Answer:
    """As recorded: events without names, ended by CR and LF."""
    words = re.findall(r"\s*\S+", transcript.text)
    events = [_event(CONTENT, {"type": "transcript.text.delta", "delta": word}) for word in words]
    done = {"type": "transcript.text.done", "text": transcript.text, "usage": usage_of(transcript)}
    events += [_event(FINISH, done), StreamEvent(DONE, b"data: [DONE]\r\n\r\n")]
    return Answer(
        events=tuple(events),
        media_type=STREAM_TYPE,
        input_tokens=transcript.input_tokens,
        output_tokens=tokens(transcript.text),
    )


def _event(kind: str, document: dict[str, Any]) -> StreamEvent:
    return StreamEvent(kind, b"data: %b\r\n\r\n" % orjson.dumps(document))
