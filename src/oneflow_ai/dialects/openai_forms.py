"""OpenAI's requests that come as forms: pictures to be changed, and speech to be written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.chain import name_model
from oneflow_ai.core.failure import (
    INVALID_VALUE,
    MISSING_REQUIRED_PARAMETER,
    TOO_MANY_ITEMS,
    Failure,
)
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Order, TranscriptOrder, Upload
from oneflow_ai.dialects import checks, openai_images
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, USER_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.form_fields import Reader, decimal, truth, typed, whole

DIALECT = "openai"
TRANSCRIPT_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_TEXT = checks.of_type("a text", str)
_LANGUAGE_CHARACTERS_MOST = 16


def _language(name: str, value: Any) -> None:
    _TEXT(name, value)
    if not 0 < len(value) <= _LANGUAGE_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} is a code such as en", param=name)


def _times(name: str, value: Any) -> None:
    for one in value if isinstance(value, list) else [value]:
        checks.one_of("word", "segment")(name, one)


_TRANSCRIPT: Mapping[str, checks.Check] = {
    "language": _language,
    "prompt": _TEXT,
    "response_format": checks.one_of(*TRANSCRIPT_FORMATS),
    "temperature": checks.number(0, 1),
    "timestamp_granularities": _times,
    "stream": checks.of_type("true or false", bool),
}
# Hints to OpenAI's models (its specification, CreateTranscriptionRequest, 2026-11-23).
_MINOR = ("languages", "keywords", "chunking_strategy")
_TABLES: Mapping[Operation, tuple[Mapping[str, checks.Check], str]] = {
    Operation.IMAGE_EDIT: (openai_images.EDIT_CHECKS, "image"),
    Operation.TRANSCRIPTION: (_TRANSCRIPT, "file"),
    Operation.TRANSLATION: (_TRANSCRIPT, "file"),
}


def parse_form(form: Form, envelope: Envelope) -> Call:
    """The call that a form asks for; raises `Failure` for bad input, before anything is held or sent."""
    operation = envelope.operation
    table, subject = _TABLES[operation]
    body = typed(form, _READERS)
    name_model(body, operation.task.value)
    for name in (name for name in checks.FORBIDDEN if name in body):
        checks.forbidden(name, None)
    checks.run({**table, "model": _TEXT, "user": _TEXT}, body)
    if not 0 < len(body["model"]) <= MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"model has 1 to {MODEL_CHARACTERS_MOST} characters", param="model")
    uploads = form.uploads(subject)
    if not uploads:
        raise Failure(MISSING_REQUIRED_PARAMETER, f"{subject} is missing; it is sent as a file", param=subject)
    order = _ORDERS[operation](body, form, uploads)
    return envelope.call(
        dialect=DIALECT,
        operation=operation,
        model=body["model"],
        body=body,
        stream=body.get("stream") is True,
        include_usage=False,
        prompt_bytes=form.text_bytes,
        user=body.get("user", "")[:USER_CHARACTERS_MOST],
        wire=DIALECT,
        order=order,
        form=form,
    )


def _edit(body: Mapping[str, Any], form: Form, uploads: tuple[Upload, ...]) -> Order:
    masks = form.uploads("mask")
    if len(uploads) > openai_images.SOURCES_MOST:
        raise Failure(
            TOO_MANY_ITEMS, f"at most {openai_images.SOURCES_MOST} pictures are changed at once", param="image"
        )
    if len(masks) > 1:
        raise Failure(TOO_MANY_ITEMS, "there is one mask", param="mask")
    if not all(one.size_bytes for one in (*uploads, *masks)):
        raise Failure(INVALID_VALUE, "a picture is empty", param="image")
    if "prompt" not in body:
        raise Failure(MISSING_REQUIRED_PARAMETER, "prompt is missing", param="prompt")
    return replace(
        openai_images.order_of(body, openai_images.EDIT_CHECKS), sources=uploads, mask=masks[0] if masks else None
    )


def _transcript(body: Mapping[str, Any], form: Form, uploads: tuple[Upload, ...]) -> Order:
    [audio, *others] = uploads
    if others:
        raise Failure(TOO_MANY_ITEMS, "one file is written down at a time", param="file")
    if not audio.size_bytes:
        raise Failure(INVALID_VALUE, "file is empty", param="file")
    return TranscriptOrder(
        audio,
        language=body.get("language", ""),
        prompt=body.get("prompt", ""),
        format=body.get("response_format", TRANSCRIPT_FORMATS[0]),
        temperature=body.get("temperature"),
        times=tuple(form.values("timestamp_granularities")),
        minor=tuple(name for name in _MINOR if name in body),
        further=tuple(name for name in checks.unknown(body, _TRANSCRIPT) if name not in _MINOR),
    )


def _translation(body: Mapping[str, Any], form: Form, uploads: tuple[Upload, ...]) -> Order:
    if body.get("stream"):
        raise Failure(INVALID_VALUE, "translations are not streamed", param="stream")
    order = _transcript(body, form, uploads)
    assert isinstance(order, TranscriptOrder)
    return replace(order, english=True)


_ORDERS: Mapping[Operation, Callable[[Mapping[str, Any], Form, tuple[Upload, ...]], Order]] = {
    Operation.IMAGE_EDIT: _edit,
    Operation.TRANSCRIPTION: _transcript,
    Operation.TRANSLATION: _translation,
}


_READERS: Mapping[str, Reader] = {
    "n": whole,
    "output_compression": whole,
    "partial_images": whole,
    "seed": whole,
    "strength": decimal,
    "temperature": decimal,
    "stream": truth,
}
