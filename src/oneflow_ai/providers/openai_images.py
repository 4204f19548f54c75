"""OpenAI's pictures: orders of other wires written for it, answers as raw bytes or as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from oneflow_ai.core.events import End, Event, Raw, Usage
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, UPSTREAM_STREAM_INTERRUPTED, Failure
from oneflow_ai.core.order import ImageOrder, Upload
from oneflow_ai.providers.base import WholeDecoder, bad, mapping, word
from oneflow_ai.providers.openai_failure import event_of
from oneflow_ai.providers.openai_last_event import LastEvent
from oneflow_ai.providers.openai_stream import whole_failure
from oneflow_ai.providers.openai_usage import read_usage
from oneflow_ai.providers.picture import picture_of
from oneflow_ai.providers.sse_decoder import EventStreamDecoder, NamedBatch

# A picture of 4K in base64 is some 32 MB at the most; an event holds one.
EVENT_BYTES_MOST = 48 << 20
# The sizes that every GPT image model takes (OpenAI's specification, CreateImageRequest, 2026-11-23).
SIZES: Mapping[str, float] = {"1024x1024": 1.0, "1536x1024": 1.5, "1024x1536": 2 / 3}
_SIZE_UNASKED = "1024x1024"
# These take no others.
_THREE_SIZES = ("gpt-image-1", "chatgpt-image-")
# GPT Image 2 and newer take any other within bounds: a step and the longest side in pixels, how many times the shorter
# one that is, and all pixels (the same specification, and OpenAI's client 3.54.0; the fewest pixels, which these do not
# tell, as measured in https://docs.apiyi.com/en/live/2026-11/gpt-image-2-6-gif-size-table; all read 2026-11-27).
_ANY_SIZE = "gpt-image-2"
_STEP, _SIDE_MOST, _PROPORTION_MOST = 16, 3_840, 3
_PIXELS_LEAST, _PIXELS_MOST = 655_360, 8_294_400
# What the qualities of the models before them, DALL·E, are called now (the same specification).
_QUALITIES: Mapping[str, str] = {"standard": "medium", "hd": "high"}


def body_of(order: ImageOrder, model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields that ask a model for it, and what is left out; raises `Failure` for what it cannot be asked for.

    The pictures to be changed are no fields: they go with them as files.
    """
    if order.further:
        raise Failure(UNSUPPORTED_PARAMETER, "the target's wire has no place for this field", param=order.further[0])
    if order.negative:
        raise Failure(UNSUPPORTED_PARAMETER, "the target takes no negative prompt", param="negative_prompt")
    if order.preset:
        raise Failure(
            UNSUPPORTED_PARAMETER, "the target has no such styles: say it in the prompt", param="style_preset"
        )
    if order.elsewhere:
        raise Failure(UNSUPPORTED_PARAMETER, "the target cannot get at a picture that stands elsewhere", param="image")
    misfit = _misfit(size_of(order), model)
    if misfit:
        raise Failure(UNSUPPORTED_PARAMETER, misfit, param="size")
    fields = {
        "prompt": order.prompt,
        "n": order.count,
        "size": size_of(order),
        "quality": quality_of(order),
        "background": order.background,
        "output_format": order.format,
        "output_compression": order.compression,
    }
    # How much of a picture stays is OpenAI's to choose.
    dropped = {"seed": order.seed, "style": order.style, "strength": order.strength}
    body = {name: value for name, value in fields.items() if value is not None and value != ""}
    left_out = tuple(name for name, value in dropped.items() if value is not None and value != "")
    return body, (*left_out, *order.minor)


def size_of(order: ImageOrder) -> str:
    """The size that is asked for, the nearest where only a shape is; empty where a picture that is changed decides.

    One that is made is square where nobody says otherwise, as Stability's are: left to OpenAI, it may have any size.
    """
    if order.width is not None and order.height is not None:
        return f"{order.width}x{order.height}"
    return order.nearest(SIZES) or ("" if order.sources else _SIZE_UNASKED)


def _misfit(size: str, model: str) -> str:
    """Why a model does not make a size; empty where it does, and where nobody knows what it makes."""
    if not size or size in SIZES:
        return ""
    if model.startswith(_THREE_SIZES):
        return f"the target makes {', '.join(SIZES)}, not {size}"
    if not model.startswith(_ANY_SIZE):
        return ""
    width, height = map(int, size.split("x"))
    shorter, longer = sorted((width, height))
    stepped = width % _STEP == height % _STEP == 0
    shaped = longer <= min(_SIDE_MOST, _PROPORTION_MOST * shorter)
    if stepped and shaped and _PIXELS_LEAST <= width * height <= _PIXELS_MOST:
        return ""
    return (
        f"the target makes no {size}: its sides are multiples of {_STEP} up to {_SIDE_MOST}, the longer one at most "
        f"{_PROPORTION_MOST} times the shorter, {_PIXELS_LEAST} to {_PIXELS_MOST} pixels in all"
    )


def quality_of(order: ImageOrder) -> str:
    """The quality that is asked for, in the words of today's models; empty where it is left to them."""
    return _QUALITIES.get(order.quality, order.quality)


def files_of(order: ImageOrder) -> tuple[tuple[str, Upload], ...]:
    """The pictures to be changed, under the names that this wire's forms have for them."""
    name = "image" if len(order.sources) == 1 else "image[]"
    sources = tuple((name, source) for source in order.sources)
    return sources if order.mask is None else (*sources, ("mask", order.mask))


def image_decoder(*, raw: bool, stream: bool) -> ImageStreamDecoder | WholeDecoder:
    """The decoder of one answer of pictures."""
    return ImageStreamDecoder() if stream and raw else WholeDecoder(partial(_whole, raw))


def _whole(raw: bool, body: bytes, found: Any) -> list[Event]:
    failure = whole_failure(found, "data")
    if failure is not None:
        return [End(failure=failure)]
    if not found["data"]:
        return bad("the provider's answer has no picture")
    end = End(model=word(found.get("model")) or None)
    usage = _usage(found.get("usage"), len(found["data"]))
    if raw:
        return [Raw(body, 1), usage, end]
    pictures = [picture_of(mapping(one).get("b64_json")) for one in found["data"]]
    known = [picture for picture in pictures if picture is not None]
    if len(known) < len(pictures):
        return bad("the provider sent a picture that is none, or only the address of one")
    return [*known, usage, end]


def _usage(found: Any, images: int) -> Usage:
    """What the pictures took: tokens where they are counted, and always their number."""
    told = mapping(found)
    as_text = {
        **told,
        "prompt_tokens": told.get("input_tokens"),
        "completion_tokens": told.get("output_tokens"),
        "prompt_tokens_details": told.get("input_tokens_details"),
        "completion_tokens_details": told.get("output_tokens_details"),
    }
    usage = read_usage(as_text)
    if usage is None:
        # xAI counts no tokens and names its price.
        priced = read_usage({**told, "prompt_tokens": 0, "completion_tokens": 0})
        return Usage(images=images, cost_nanos=priced.cost_nanos if priced is not None else None)
    shown = usage.output_image_tokens or usage.output_tokens
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        input_image_tokens=usage.input_image_tokens,
        # Where they are not told apart, what was made is pictures.
        output_image_tokens=shown,
        images=images,
        cost_nanos=usage.cost_nanos,
        odd=usage.odd,
    )


class ImageStreamDecoder(EventStreamDecoder[NamedBatch]):
    """Decodes one stream of pictures, some of them half made: its events as they are, and what they took."""

    __slots__ = ("_images", "_last", "_usage")

    def __init__(self) -> None:
        super().__init__(EVENT_BYTES_MOST)
        self._images = 0
        self._last = LastEvent()
        self._usage: Any = None

    def _batch(self) -> NamedBatch:
        return NamedBatch()

    def _take(self, data: bytes, out: NamedBatch) -> Failure | bool | None:
        if data == b"[DONE]":
            return self._cut()
        found, failure = event_of(data)
        if failure is not None:
            return failure
        self._seen = True
        kind = word(found.get("type"))
        if kind.endswith(".completed"):
            self._images += 1
            self._usage = found.get("usage") or self._usage
            self._last.keep(out, kind, data, found, content=True)
        else:
            self._last.add(out, kind, data, content=True)
        return None

    def _cut(self) -> Failure | bool:
        if self._images:
            return True
        return Failure(UPSTREAM_STREAM_INTERRUPTED, "the provider ended the stream before a picture was finished")

    def _end(self, failure: Failure | None) -> list[Event]:
        end = self._last.end(failure)
        return [_usage(self._usage, self._images), *end] if self._images else end
