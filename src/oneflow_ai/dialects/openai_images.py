"""OpenAI's pictures: what a request may hold, and pictures of other wires in its shape."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import INVALID_VALUE, Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.order import ImageOrder
from oneflow_ai.dialects import checks

# What one request takes at OpenAI (its specification, CreateImageRequest, 2026-11-23).
IMAGES_MOST = 10
PARTIAL_MOST = 3
PROMPT_CHARACTERS_MOST = 32_000
FORMATS = ("png", "jpeg", "webp")
_SIZE = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")
_AUTO = "auto"


def one_of(*words: str) -> checks.Check:
    """A check for one of these words."""

    def check(name: str, value: Any) -> None:
        if value not in words:
            raise Failure(INVALID_VALUE, f"{name} is one of {', '.join(words)}", param=name)

    return check


def _prompt(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if not 0 < len(value) <= PROMPT_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has 1 to {PROMPT_CHARACTERS_MOST} characters", param=name)


def _size(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if value != _AUTO and not _SIZE.fullmatch(value):
        raise Failure(INVALID_VALUE, f"{name} is auto, or a width and a height such as 1024x1024", param=name)


CHECKS: Mapping[str, checks.Check] = {
    "prompt": _prompt,
    "n": checks.integer(1, IMAGES_MOST),
    "size": _size,
    "quality": one_of("auto", "low", "medium", "high", "standard", "hd"),
    "style": one_of("vivid", "natural"),
    "background": one_of("auto", "transparent", "opaque"),
    "moderation": one_of("auto", "low"),
    "output_format": one_of(*FORMATS),
    "output_compression": checks.integer(0, 100),
    "response_format": one_of("url", "b64_json"),
    "partial_images": checks.integer(0, PARTIAL_MOST),
    "stream": checks.of_type("true or false", bool),
}


def order_of(body: Mapping[str, Any]) -> ImageOrder:
    """What a checked request asks for. `auto` leaves a thing to the provider."""
    size = _SIZE.fullmatch(body.get("size") or _AUTO)
    return ImageOrder(
        prompt=body["prompt"],
        count=body.get("n") or 1,
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        quality=_chosen(body, "quality"),
        style=_chosen(body, "style"),
        background=_chosen(body, "background"),
        format=body.get("output_format") or "",
        compression=body.get("output_compression"),
        urls=body.get("response_format") == "url",
        partial=body.get("partial_images") or 0,
    )


def _chosen(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return "" if value is None or value == _AUTO else str(value)


class Encoder:
    """Writes the pictures of one answer: the provider's own bytes where it speaks this wire.

    A stream of another wire's pictures has one `completed` event each, and none of a picture that is half made.
    """

    __slots__ = ("_call", "_pictures", "_raw")

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
        """All pictures, in base64."""
        del end
        if self._raw:
            return b""
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
        size = f"{order.width}x{order.height}" if order.width else _AUTO
        event = {
            "type": "image_generation.completed",
            "b64_json": b64encode(picture.content).decode(),
            "created_at": int(self._call.received.timestamp()),
            "size": size,
            "quality": order.quality or _AUTO,
            "background": order.background or _AUTO,
            "output_format": _format(picture),
            "usage": usage,
        }
        return b"event: image_generation.completed\ndata: " + orjson.dumps(event) + b"\n\n"


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
