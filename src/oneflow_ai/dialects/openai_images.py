"""OpenAI's pictures: what a request may hold, and pictures of other wires in its shape."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import INVALID_IMAGE_URL, INVALID_TYPE, INVALID_VALUE, Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.order import Content, ImageOrder, Upload
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.openai_last_event import last_event
from oneflow_ai.dialects.openai_messages import check_image

# What one request takes at OpenAI (its specification, CreateImageRequest, 2026-11-23).
IMAGES_MOST = 10
PARTIAL_MOST = 3
SOURCES_MOST = 16
PROMPT_CHARACTERS_MOST = 32_000
FORMATS = ("png", "jpeg", "webp")
SEED_MOST = (1 << 63) - 1
_SIZE = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")
_RATIO = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")
_AUTO = "auto"
# What only OpenAI has a word for, and an answer is nearly the same without.
_MINOR = ("moderation", "input_fidelity")


def _prompt(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if not 0 < len(value) <= PROMPT_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has 1 to {PROMPT_CHARACTERS_MOST} characters", param=name)


def _size(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if value != _AUTO and not _SIZE.fullmatch(value):
        raise Failure(INVALID_VALUE, f"{name} is auto, or a width and a height such as 1024x1024", param=name)


def _ratio(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if not _RATIO.fullmatch(value):
        raise Failure(INVALID_VALUE, f"{name} is a shape such as 16:9", param=name)


# Options of other providers' wires, for their models; OpenAI's own refuse what they do not know.
_OTHERS: Mapping[str, checks.Check] = {
    "aspect_ratio": _ratio,
    "negative_prompt": checks.of_type("a text", str),
    "seed": checks.integer(0, SEED_MOST),
    "strength": checks.number(0, 1),
    "style_preset": checks.of_type("a text", str),
}
CHECKS: Mapping[str, checks.Check] = {
    **_OTHERS,
    "prompt": _prompt,
    "n": checks.integer(1, IMAGES_MOST),
    "size": _size,
    # `xhigh` and `max` are of GPT Image 2.5 and newer (OpenAI's client 3.54.0, 2026-11-27).
    "quality": checks.one_of("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"),
    "style": checks.one_of("vivid", "natural"),
    "background": checks.one_of("auto", "transparent", "opaque"),
    "moderation": checks.one_of("auto", "low"),
    "output_format": checks.one_of(*FORMATS),
    "output_compression": checks.integer(0, 100),
    "response_format": checks.one_of("url", "b64_json"),
    "partial_images": checks.integer(0, PARTIAL_MOST),
    "stream": checks.of_type("true or false", bool),
}
EDIT_CHECKS: Mapping[str, checks.Check] = {
    **CHECKS,
    "images": checks.of_type("a list", list),
    "mask": checks.of_type("an object", dict),
    "input_fidelity": checks.one_of("high", "low"),
}


def order_of(body: Mapping[str, Any], known: Mapping[str, checks.Check] = CHECKS) -> ImageOrder:
    """What a request that was checked by `known` asks for. `auto` leaves a thing to the provider."""
    size = _SIZE.fullmatch(body.get("size") or _AUTO)
    return ImageOrder(
        prompt=body["prompt"],
        count=body.get("n") or 1,
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        ratio=body.get("aspect_ratio") or "",
        quality=_chosen(body, "quality"),
        style=_chosen(body, "style"),
        background=_chosen(body, "background"),
        format=body.get("output_format") or "",
        compression=body.get("output_compression"),
        negative=body.get("negative_prompt") or "",
        seed=body.get("seed"),
        strength=body.get("strength"),
        urls=body.get("response_format") == "url",
        partial=body.get("partial_images") or 0,
        preset=body.get("style_preset") or "",
        minor=tuple(name for name in _MINOR if _chosen(body, name)),
        further=checks.unknown(body, known),
    )


def edit_of(body: Mapping[str, Any]) -> ImageOrder:
    """What a checked request in JSON asks for: the pictures to be changed are `data:` URLs, or stand elsewhere."""
    references = body.get("images") or []
    if not 0 < len(references) <= SOURCES_MOST:
        raise Failure(INVALID_VALUE, f"images holds 1 to {SOURCES_MOST}", param="images")
    found = [_source(f"images[{place}]", reference) for place, reference in enumerate(references)]
    sources = tuple(source for source in found if source is not None)
    mask = _source("mask", body["mask"]) if body.get("mask") is not None else None
    return replace(order_of(body, EDIT_CHECKS), sources=sources, mask=mask, elsewhere=len(found) - len(sources))


def _source(name: str, reference: Any) -> Upload | None:
    """The picture of a `data:` URL; None for one that stands elsewhere, as a file or at an address."""
    if not isinstance(reference, dict):
        raise Failure(INVALID_TYPE, f"{name} is an object with image_url or file_id", param=name)
    url = reference.get("image_url")
    if url is None and isinstance(reference.get("file_id"), str):
        return None
    check_image(url, f"{name}.image_url")
    assert isinstance(url, str)
    if url[:5].lower() != "data:":
        return None
    head, _, text = url.partition(",")
    try:
        content = a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        raise Failure(INVALID_IMAGE_URL, f"{name} holds no base64", param=f"{name}.image_url") from None
    media_type = head[5:].partition(";")[0]
    return Content(content, "image." + media_type.rpartition("/")[2], media_type)


def _chosen(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return "" if value is None or value == _AUTO else str(value)


class Encoder:
    """Writes the pictures of one answer: the provider's own bytes where it speaks this wire.

    A stream of another wire's pictures has one `completed` event each, and none of a picture that is half made.
    """

    __slots__ = ("_call", "_pictures", "_raw")

    media_type = "application/json"

    def __init__(self, call: Call) -> None:
        self._call = call
        self._raw = False
        self._pictures: list[Blob] = []

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on; keep pictures until the end, when what they cost is known."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is Blob:
            self._pictures.append(event)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """All pictures, in base64, or the event that the provider ended its own stream with."""
        last = last_event(end, cost_nanos)
        if self._raw or last:
            return last
        told = _usage_object(usage)
        if self._call.stream:
            told["cost"] = usd_float(cost_nanos)
            return b"".join(self._event(picture, told) for picture in self._pictures)
        data = [{"b64_json": b64encode(picture.content).decode()} for picture in self._pictures]
        created = int(self._call.received.timestamp())
        formats = {_format(picture) for picture in self._pictures}
        body = {"created": created, "data": data, "usage": told}
        return orjson.dumps({**body, "output_format": formats.pop()} if len(formats) == 1 else body)

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke; nothing of a whole answer."""
        if not self._call.stream:
            return b""
        error = {"message": failure.message, "type": failure.kind.type, "param": failure.param, "code": failure.code}
        return b"event: error\ndata: " + orjson.dumps({"type": "error", "error": error}) + b"\n\n"

    def _event(self, picture: Blob, usage: dict[str, Any]) -> bytes:
        order = self._call.order
        assert isinstance(order, ImageOrder)
        kind = "image_edit" if self._call.operation is Operation.IMAGE_EDIT else "image_generation"
        size = f"{order.width}x{order.height}" if order.width else _AUTO
        event = {
            "type": f"{kind}.completed",
            "b64_json": b64encode(picture.content).decode(),
            "created_at": int(self._call.received.timestamp()),
            "size": size,
            "quality": order.quality or _AUTO,
            "background": order.background or _AUTO,
            "output_format": _format(picture),
            "usage": usage,
        }
        return b"event: %b.completed\ndata: " % kind.encode() + orjson.dumps(event) + b"\n\n"


def _format(picture: Blob) -> str:
    return picture.media_type.rpartition("/")[2]


def _usage_object(usage: Usage) -> dict[str, Any]:
    text_tokens = usage.input_tokens - usage.input_image_tokens
    return {
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "input_tokens_details": {"text_tokens": text_tokens, "image_tokens": usage.input_image_tokens},
    }
