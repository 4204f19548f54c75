"""OpenAI's pictures: made from a prompt or from pictures, whole or streamed with partial ones (checked 2026-11-26)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

import orjson

from oneflow_ai.providers.openai_picture_tokens import tokens_of
from oneflow_ai.simulator.answer import CONTENT, FINISH, STREAM_TYPE, Answer
from oneflow_ai.simulator.fields import VALUE as WRONG_VALUE
from oneflow_ai.simulator.fields import (
    Path,
    Wrong,
    anything,
    boolean,
    integer,
    listed,
    nullable,
    one_of,
    record,
    text,
)
from oneflow_ai.simulator.form import TRUTH, WHOLE, Part, typed
from oneflow_ai.simulator.media.pictures import FORMATS, colour, kind_of, picture
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires.events import named_event
from oneflow_ai.simulator.wires.moderations import flagged
from oneflow_ai.simulator.wires.openai import MODELS
from oneflow_ai.simulator.wires.openai_manners import OpenAIManners, need_model, refused
from oneflow_ai.simulator.wires.openai_shapes import BadRequest, missing
from oneflow_ai.simulator.wires.wire import Problem, Surroundings

MODEL_DEFAULT = "gpt-image-2"
FILE_BYTES_MOST = 50 << 20
_FILES_MOST = 16
_PROMPT_MOST = 32_000
_SIZE = re.compile(r"([1-9]\d{1,3})x([1-9]\d{1,3})")
_SIDE_MOST, _SIDE_STEP = 3_840, 16
# Tokens of a picture by its quality: of a square one, a tall one, a wide one (providers' price page and recordings), by
# models that have no calculator of their own.
_TOKENS = {"low": (272, 408, 400), "medium": (1_056, 1_584, 1_568), "high": (4_160, 6_240, 6_208)}
_FIXED_SIZES = {(1_024, 1_024): 0, (1_024, 1_536): 1, (1_536, 1_024): 2}
_FIXED_MODELS = ("gpt-image-1", "chatgpt-image")
_OWN_MODELS = ("gpt-image", "chatgpt-image")
# These have two qualities more than the others (OpenAI's client 3.54.0, 2026-11-27).
_NEWEST_MODELS = ("gpt-image-2.5", "gpt-image-2.6")
_MORE_QUALITIES = ("xhigh", "max")
_PARTIAL_TOKENS = 100
_GIVEN_TOKENS = 272
_SAFETY = (
    "Your request was rejected by the safety system. If you believe this is an error, contact us at help.openai.com "
    "and include the request ID."
)


def _size(value: Any, path: Path) -> None:
    """`auto`, or a width and a height."""
    text()(value, path)
    if value != "auto" and not _SIZE.fullmatch(value):
        raise Wrong(path, WRONG_VALUE, "'auto' or a size like 1024x1024")


_FIELDS = {
    "model": nullable(text(1)),
    "prompt": text(1, _PROMPT_MOST),
    "n": nullable(integer(1, 10)),
    "size": nullable(_size),
    "quality": nullable(one_of("auto", "low", "medium", "high", *_MORE_QUALITIES, "standard", "hd")),
    "background": nullable(one_of("auto", "opaque", "transparent")),
    "output_format": nullable(one_of(*FORMATS)),
    "output_compression": nullable(integer(0, 100)),
    "moderation": nullable(one_of("auto", "low")),
    "stream": nullable(boolean),
    "partial_images": nullable(integer(0, 3)),
    "user": text(),
}
_GENERATION = record(_FIELDS, required=("prompt",))
_EDIT = record(
    {**_FIELDS, "input_fidelity": nullable(one_of("low", "high")), "images": listed(anything, 1, _FILES_MOST)},
    required=("prompt",),
)
_OTHERS = {"response_format": one_of("b64_json", "url"), "style": text()}
_KINDS = {
    "n": WHOLE,
    "output_compression": WHOLE,
    "partial_images": WHOLE,
    "stream": TRUTH,
}


class OpenAIImagesWire(OpenAIManners):
    """`/images/generations` and `/images/edits`, on any base path."""

    __slots__ = ()

    def claims(self, request: Request) -> bool:
        """Whether a path ends in one of the routes."""
        return request.path.endswith(("/images/generations", "/images/edits"))

    def answer(self, request: Request, around: Surroundings) -> Answer:
        """The answer to a request, errors in it included."""
        edit = request.path.endswith("/edits")

        def make(document: dict[str, Any]) -> Answer:
            document = typed(document, _KINDS) if request.form else document
            given = _given(request, document, around) if edit else 0
            _check(document, edit)
            need_model({"model": document.get("model") or MODEL_DEFAULT}, around, MODELS)
            if flagged(document["prompt"]):
                return refused(Problem(400, _SAFETY, "moderation_blocked", "image_generation_user_error"))
            asked = _asked(document)
            return _streamed(asked, given, around) if document.get("stream") else _whole(asked, given, around)

        return self.checked(request, around, make)

    def sample(self, model: str, stream: bool, around: Surroundings) -> Answer:
        """The answer to a question that nobody asked."""
        asked = _asked({"model": model, "prompt": "A picture that somebody else asked for", "partial_images": 1})
        return _streamed(asked, 0, around) if stream else _whole(asked, 0, around)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request asks for, its defaults filled in."""

    model: str
    prompt: str
    count: int
    width: int
    height: int
    quality: str
    transparent: bool
    form: str
    partial: int
    url: bool

    @property
    def image_tokens(self) -> int:
        """What one picture costs in tokens."""
        known = tokens_of(self.model, self.quality, (self.width, self.height))
        if known is not None:
            return known
        row = _TOKENS.get(self.quality, _TOKENS["high"])
        place = _FIXED_SIZES.get((self.width, self.height))
        return row[place] if place is not None else max(row[0] * self.width * self.height >> 20, 1)

    @property
    def shown(self) -> dict[str, Any]:
        """The fields that the answer repeats."""
        return {
            "background": "transparent" if self.transparent else "opaque",
            "output_format": self.form,
            "quality": self.quality,
            "size": f"{self.width}x{self.height}",
        }

    def made(self, words: str) -> str:
        """A picture in base64; other words, another colour."""
        shade = colour(f"{self.prompt} {words}")
        return base64.b64encode(picture(self.form, self.width, self.height, shade, self.transparent)).decode("ascii")

    def usage(self, given: int) -> dict[str, Any]:
        """What it cost; `given` is how many pictures were sent along."""
        words, pictures = tokens(self.prompt), given * _GIVEN_TOKENS
        made = self.count * self.image_tokens + self.partial * _PARTIAL_TOKENS
        return {
            "input_tokens": words + pictures,
            "input_tokens_details": {"text_tokens": words, "image_tokens": pictures},
            "output_tokens": made,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": made},
            "total_tokens": words + pictures + made,
        }


def _check(document: dict[str, Any], edit: bool) -> None:
    """Refuse what OpenAI refuses; models of other makers, who speak this wire too, know fields of old."""
    model = document.get("model") or MODEL_DEFAULT
    own = isinstance(model, str) and model.startswith(_OWN_MODELS)
    known = document if own else {name: value for name, value in document.items() if name not in _OTHERS}
    (_EDIT if edit else _GENERATION)(known, ())
    if document.get("background") == "transparent" and document.get("output_format") == "jpeg":
        words = "Transparent background is not supported for JPEG output format."
        raise BadRequest(words, "invalid_value", "background")
    if document.get("stream") and (document.get("n") or 1) > 1:
        raise BadRequest("Streaming is only supported when 'n' is 1.", "invalid_value", "n")
    if own and document.get("quality") in _MORE_QUALITIES and not str(model).startswith(_NEWEST_MODELS):
        expected = "'low', 'medium', 'high', and 'auto'"
        words = f"Invalid value: '{document['quality']}'. Supported values are: {expected}."
        raise BadRequest(words, "invalid_value", "quality")
    _check_size(document, model)


def _check_size(document: dict[str, Any], model: Any) -> None:
    size = document.get("size") or "auto"
    if size == "auto":
        return
    sides = tuple(map(int, size.split("x")))
    if isinstance(model, str) and model.startswith(_FIXED_MODELS) and sides not in _FIXED_SIZES:
        expected = "'1024x1024', '1024x1536', '1536x1024', and 'auto'"
        words = f"Invalid value: '{size}'. Supported values are: {expected}."
        raise BadRequest(words, "invalid_value", "size")
    if any(side > _SIDE_MOST or side % _SIDE_STEP for side in sides):
        words = f"Invalid size '{size}'. Width and height must be divisible by {_SIDE_STEP}, at most {_SIDE_MOST}."
        raise BadRequest(words, "invalid_value", "size")


def _asked(document: dict[str, Any]) -> _Asked:
    found = _SIZE.fullmatch(document.get("size") or "")
    quality = document.get("quality") or "auto"
    return _Asked(
        model=document.get("model") or MODEL_DEFAULT,
        prompt=document["prompt"],
        count=document.get("n") or 1,
        width=int(found[1]) if found else 1_024,
        height=int(found[2]) if found else 1_024,
        quality={"standard": "medium", "hd": "high", "auto": "medium"}.get(quality, quality),
        transparent=document.get("background") == "transparent",
        form=document.get("output_format") or FORMATS[0],
        partial=(document.get("partial_images") or 0) if document.get("stream") else 0,
        url=document.get("response_format") == "url",
    )


def _whole(asked: _Asked, given: int, around: Surroundings) -> Answer:
    pictures = [asked.made(str(number)) for number in range(asked.count)]
    # a client of other makers' models may ask for an address: one that holds the picture itself
    data = [{"url": f"data:image/{asked.form};base64,{each}"} if asked.url else {"b64_json": each} for each in pictures]
    usage = asked.usage(given)
    body = {"created": around.now_unix, **asked.shown, "data": data, "usage": usage}
    return Answer(body=orjson.dumps(body), input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])


def _streamed(asked: _Asked, given: int, around: Surroundings) -> Answer:
    name = "image_edit" if given else "image_generation"
    frame = {"created_at": around.now_unix, **asked.shown}
    events = []
    for number in range(asked.partial):
        kind = f"{name}.partial_image"
        made = {"b64_json": asked.made(f"partial {number}"), "partial_image_index": number}
        events.append(named_event(CONTENT, kind, {"type": kind, **frame, **made}))
    usage, kind = asked.usage(given), f"{name}.completed"
    last = {"type": kind, **frame, "b64_json": asked.made("0"), "usage": usage}
    events.append(named_event(CONTENT if not events else FINISH, kind, last))
    return Answer(
        events=tuple(events),
        media_type=STREAM_TYPE,
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
    )


# ---- the pictures that come with an edit


def _given(request: Request, document: dict[str, Any], around: Surroundings) -> int:
    """How many pictures were sent; raises `BadRequest` for what is none."""
    if request.form is None:
        images = document.get("images")
        if not images:
            raise missing("images")
        return len(images) if isinstance(images, list) else 1
    files = request.form.files("image")
    if not files:
        raise missing("image")
    if len(files) > _FILES_MOST:
        raise BadRequest(f"Too many images: at most {_FILES_MOST}.", "array_above_max_length", "image")
    for each in (*files, *request.form.files("mask")):
        _check_file(each, around.file_bytes_most or FILE_BYTES_MOST)
    return len(files)


def _check_file(file: Part, most: int) -> None:
    if file.size_bytes > most:
        raise BadRequest(f"Image file is too large: at most {most >> 20}MB.", "invalid_image_file", file.name, 413)
    if not kind_of(file.beginning):
        words = f"Invalid image file or mode for image '{file.filename}', please check your image file."
        raise BadRequest(words, "invalid_image_file", file.name)
