"""The plain form of pictures, speech and transcripts: what is asked for, as the library and `/api/request` say it."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.failure import (
    INVALID_VALUE,
    UNSUPPORTED_PARAMETER,
    Failure,
)
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content, ImageOrder, SpeechOrder, Upload
from oneflow_ai.core.sound import sort_of
from oneflow_ai.dialects import checks, openai_forms, openai_images, openai_speech
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, USER_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.guard import read_object
from oneflow_ai.dialects.plain import DIALECT, check_given, written

# What a picture's side may have; each target takes what it can make.
SIDE_PIXELS_MOST = 16_384
SEED_MOST = (1 << 32) - 1
TRANSCRIPT_FORMATS = ("json", "text", "srt", "vtt")
_RATIO = re.compile(r"[1-9][0-9]{0,2}:[1-9][0-9]{0,2}")
_TEXT = checks.of_type("a text", str)


def _ratio(name: str, value: Any) -> None:
    _TEXT(name, value)
    if not _RATIO.fullmatch(value):
        raise Failure(INVALID_VALUE, f"{name} is a width and a height such as 16:9", param=name)


_ALWAYS: Mapping[str, checks.Check] = {
    "user": _TEXT,
    **dict.fromkeys(CHAIN_FIELDS, checks.of_type("a list of model names", list)),
    **dict.fromkeys(checks.FORBIDDEN, checks.forbidden),
}
_PIXELS = checks.integer(1, SIDE_PIXELS_MOST)
_IMAGE: Mapping[str, checks.Check] = {
    **_ALWAYS,
    **{
        name: openai_images.CHECKS[name]
        for name in ("n", "size", "quality", "style", "background", "output_format", "output_compression")
    },
    "width": _PIXELS,
    "height": _PIXELS,
    "aspect_ratio": _ratio,
    "negative_prompt": _TEXT,
    "seed": checks.integer(0, SEED_MOST),
}
_SPEECH: Mapping[str, checks.Check] = {
    **_ALWAYS,
    **{name: openai_speech.CHECKS[name] for name in ("voice", "instructions", "response_format", "speed")},
    "language": _TEXT,
    "seed": checks.integer(0, SEED_MOST),
}
_TRANSCRIPT: Mapping[str, checks.Check] = {
    **_ALWAYS,
    "language": _TEXT,
    "prompt": _TEXT,
    "response_format": checks.one_of(*TRANSCRIPT_FORMATS),
    "temperature": checks.number(0, 1),
}
_OURS = ("user", *CHAIN_FIELDS)


def image_call(prompt: str, options: Mapping[str, Any], envelope: Envelope, *, model: str) -> Call:
    """The call for pictures of a prompt; raises `Failure` for bad input.

    `options` are `n`, `size` or `width` and `height` or `aspect_ratio`, `quality`, `style`, `background`,
    `output_format`, `output_compression`, `negative_prompt`, `seed`, and `models` as in a chat.
    """
    _said(prompt, openai_images.CHECKS["prompt"])
    asked = _checked(_IMAGE, options)
    if ("width" in asked) != ("height" in asked):
        raise Failure(INVALID_VALUE, "width and height go together", param="width")
    if len([name for name in ("size", "width", "aspect_ratio") if name in asked]) > 1:
        raise Failure(INVALID_VALUE, "give size, or width and height, or aspect_ratio", param="size")
    order = openai_images.order_of({"prompt": prompt, **asked})
    order = replace(
        order,
        width=asked.get("width", order.width),
        height=asked.get("height", order.height),
        ratio=asked.get("aspect_ratio", ""),
        negative=asked.get("negative_prompt", ""),
        seed=asked.get("seed"),
        further=(),
    )
    return _call({"prompt": prompt, **asked}, order, envelope, model)


def speech_call(text: str, options: Mapping[str, Any], envelope: Envelope, *, model: str) -> Call:
    """The call for a text to be spoken; raises `Failure` for bad input.

    `options` are `voice`, `response_format` (`mp3`, `opus`, `aac`, `flac`, `wav`, `pcm`), `speed`, `instructions`,
    `language`, `seed`, and `models` as in a chat.
    """
    _said(text, openai_speech.CHECKS["input"])
    asked = _checked(_SPEECH, options)
    order = openai_speech.order_of({"input": text, **asked})
    order = replace(order, language=asked.get("language", ""), seed=asked.get("seed"), further=())
    return _call({"input": text, **asked}, order, envelope, model)


def transcript_call(audio: Upload, options: Mapping[str, Any], envelope: Envelope, *, model: str) -> Call:
    """The call for a recording to be written down; raises `Failure` for bad input.

    `options` are `language`, `prompt`, `response_format` (`json`, `text`, `srt`, `vtt`), `temperature`, and `models`
    as in a chat.
    """
    asked = _checked(_TRANSCRIPT, options)
    _model(model)
    fields = tuple((name, str(value)) for name, value in asked.items() if name not in _OURS)
    form = Form((("model", model), *fields), (("file", audio),))
    call = openai_forms.parse_form(form, replace(envelope, operation=Operation.TRANSCRIPTION))
    chain = {name: asked[name] for name in _OURS if name in asked}
    return replace(call, dialect=DIALECT, body={**call.body, **chain}, user=_user(asked))


def recording_of(url: Any) -> Content:
    """The recording of a `data:` URL, as JSON carries one; raises `Failure` for what is none."""
    if not isinstance(url, str) or url[:5].lower() != "data:" or ";base64," not in url:
        words = "the prompt of a transcription is the recording, as a data: URL in base64"
        raise Failure(INVALID_VALUE, words, param="prompt")
    head, _, text = url.partition(";base64,")
    try:
        content = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        raise Failure(INVALID_VALUE, "the recording is no base64", param="prompt") from None
    ending, media_type = sort_of(content)
    return Content(content, f"audio.{ending}", head[5:] or media_type)


def _checked(table: Mapping[str, checks.Check], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are set, as JSON has them; raises `Failure` for one that there is not."""
    asked = read_object(written({name: value for name, value in options.items() if value is not None}))
    for name in asked:
        if name not in table:
            raise Failure(UNSUPPORTED_PARAMETER, f"{name} is not an option of this task", param=name)
    checks.run(table, asked)
    return asked


def _said(prompt: Any, check: checks.Check) -> None:
    check_given(prompt)
    check("prompt", prompt)
    _ = read_object(written({"prompt": prompt}))


def _model(model: Any) -> None:
    _TEXT("model", model)
    if not 0 < len(model) <= MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"model has 1 to {MODEL_CHARACTERS_MOST} characters", param="model")


def _user(asked: Mapping[str, Any]) -> str:
    return str(asked.get("user", ""))[:USER_CHARACTERS_MOST]


def _call(body: dict[str, Any], order: ImageOrder | SpeechOrder, envelope: Envelope, model: str) -> Call:
    _model(model)
    text = order.prompt + order.negative if isinstance(order, ImageOrder) else order.text + order.instructions
    return envelope.call(
        dialect=DIALECT,
        operation=Operation.IMAGE if isinstance(order, ImageOrder) else Operation.SPEECH,
        model=model,
        body={"model": model, **body},
        stream=False,
        include_usage=False,
        prompt_bytes=len(text.encode()),
        user=_user(body),
        order=order,
    )
