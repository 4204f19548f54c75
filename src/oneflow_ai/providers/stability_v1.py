"""Stability's first edition: pictures by Stable Diffusion XL and older engines, which it keeps for old callers only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from oneflow_ai.core.events import Blob, End, Event, Usage
from oneflow_ai.core.failure import UPSTREAM_ERROR, Failure
from oneflow_ai.core.order import ImageOrder
from oneflow_ai.providers.base import bad, listed, mapping, word
from oneflow_ai.providers.picture import picture_of
from oneflow_ai.providers.stability_answer import FILTERED, filtered, seed_of
from oneflow_ai.providers.stability_form import check, common_misfits, left_out

BALANCE_PATH = "/v1/user/balance"
# Stability's specification, v1, text-to-image, and the sizes that SDXL takes (2026-11-23).
SAMPLES_MOST = 10
PROMPT_CHARACTERS_MOST = 2_000
_SIDES = (
    *((1024, 1024), (1152, 896), (896, 1152), (1216, 832), (832, 1216)),
    *((1344, 768), (768, 1344), (1536, 640), (640, 1536)),
)
_SIZES: Mapping[str, float] = {f"{width}x{height}": width / height for width, height in _SIDES}
_FAMILY = "stable-diffusion-"


def has(model: str) -> bool:
    """Whether it is a model of this edition."""
    return model.startswith(_FAMILY)


def path_of(model: str) -> str:
    """Where it is asked."""
    return f"/v1/generation/{quote(model, safe='')}/text-to-image"


def body_of(order: ImageOrder) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields that ask for it, and what is left out; raises `Failure` for what it cannot be asked for."""
    check(_misfits(order))
    prompts: list[dict[str, Any]] = [{"text": order.prompt, "weight": 1}]
    if order.negative:
        prompts.append({"text": order.negative, "weight": -1})
    body: dict[str, Any] = {"text_prompts": prompts, "samples": order.count}
    size = order.nearest(_SIZES)
    if size:
        width, _, height = size.partition("x")
        body |= {"width": int(width), "height": int(height)}
    if order.seed is not None:
        body["seed"] = order.seed
    if order.preset:
        body["style_preset"] = order.preset
    return body, left_out(order)


def read(body: bytes, found: Any) -> list[Event]:
    """The pictures of a whole answer, none of them filtered."""
    del body
    artifacts = [mapping(one) for one in listed(mapping(found).get("artifacts"))]
    reasons = {word(one.get("finishReason")) for one in artifacts}
    if FILTERED in reasons:
        return [End(failure=filtered())]
    if "ERROR" in reasons:
        return [End(failure=Failure(UPSTREAM_ERROR, "the provider could not make the picture"))]
    pictures: list[Blob] = []
    for one in artifacts:
        picture = picture_of(one.get("base64"))
        if picture is None:
            return bad("the provider sent a picture that is none")
        pictures.append(picture)
    if not pictures:
        return bad("the provider's answer has no picture")
    return [*pictures, Usage(images=len(pictures)), End(chunk={"seed": seed_of(artifacts[0].get("seed"))})]


def _misfits(order: ImageOrder) -> Iterator[tuple[bool, str, str]]:
    most = PROMPT_CHARACTERS_MOST
    yield len(order.prompt) > most, "prompt", f"the target takes a prompt of {most} characters at the most"
    yield len(order.negative) > most, "negative_prompt", f"the target takes {most} characters of it at the most"
    yield order.count > SAMPLES_MOST, "n", f"the target makes {SAMPLES_MOST} pictures at a time at the most"
    yield from common_misfits(order)
    yield bool(order.sources), "image", "the target makes pictures, and changes none"
    yield order.strength is not None, "strength", "it says how much of an image to keep"
    yield order.format not in ("", "png"), "output_format", "the target makes png only"
