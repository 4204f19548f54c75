"""Forms that Stability's clients send: what they may hold, and the order of a picture that they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.chain import CHAIN_FIELDS
from oneflow_ai.core.failure import (
    INVALID_TYPE,
    INVALID_VALUE,
    MISSING_REQUIRED_PARAMETER,
    TOO_MANY_ITEMS,
    Failure,
)
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import ImageOrder, Upload
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.envelope import MODEL_CHARACTERS_MOST, USER_CHARACTERS_MOST, Envelope
from oneflow_ai.dialects.form_fields import Reader, decimal, typed, whole

DIALECT = "stability"
_ACCEPT, _USER = "accept", "stability-client-user-id"
FORWARDED: tuple[bytes, ...] = (
    b"accept",
    b"stability-client-id",
    b"stability-client-user-id",
    b"stability-client-version",
)
_JSON, _PICTURE = "application/json", "image/*"

# Stability's API reference, v2beta, stable-image/generate (2026-11-23).
PROMPT_CHARACTERS_MOST = 10_000
SEED_MOST = 4_294_967_294
RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
STYLES = (
    *("3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art"),
    *("isometric", "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art"),
    "tile-texture",
)
FORMATS = ("png", "jpeg", "webp")
_MAKES, _CHANGES = "text-to-image", "image-to-image"


def _words(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if len(value) > PROMPT_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has at most {PROMPT_CHARACTERS_MOST} characters", param=name)


def _model(name: str, value: Any) -> None:
    checks.of_type("a text", str)(name, value)
    if len(value) > MODEL_CHARACTERS_MOST:
        raise Failure(INVALID_VALUE, f"{name} has 1 to {MODEL_CHARACTERS_MOST} characters", param=name)


def _file(name: str, value: Any) -> None:
    del value
    raise Failure(INVALID_TYPE, f"{name} is sent as a file", param=name)


CHECKS: Mapping[str, checks.Check] = {
    "model": _model,
    "prompt": _words,
    "negative_prompt": _words,
    "aspect_ratio": checks.one_of(*RATIOS),
    "seed": checks.integer(0, SEED_MOST),
    "style_preset": checks.one_of(*STYLES),
    "output_format": checks.one_of(*FORMATS),
    "mode": checks.one_of(_MAKES, _CHANGES),
    "strength": checks.number(0, 1),
    "cfg_scale": checks.number(1, 10),
    "image": _file,
}
_READERS: Mapping[str, Reader] = {"seed": whole, "strength": decimal, "cfg_scale": decimal}
# What has no place in an order: how closely the prompt is kept to, and whatever else a form holds.
_ORDERED = frozenset(CHECKS) - {"cfg_scale"} | {*CHAIN_FIELDS}


def parse_form(model: str, form: Form, envelope: Envelope) -> Call:
    """The call that a form asks for, of `model` unless it names another.

    Raises `Failure` for bad input, before anything is held or sent.
    """
    # Clients leave a field empty, or send an empty file, for a form that has no other reason to be one.
    given = Form(tuple(field for field in form.fields if field[1]), _files(form))
    body = typed(given, _READERS)
    for name in (name for name in checks.FORBIDDEN if name in body):
        checks.forbidden(name, None)
    checks.run(CHECKS, body)
    headers = _headers(envelope)
    order = _order(body, given)
    return envelope.call(
        dialect=DIALECT,
        operation=Operation.IMAGE_EDIT if order.sources else envelope.operation,
        model=body.setdefault("model", model),
        body=body,
        stream=False,
        include_usage=False,
        prompt_bytes=given.text_bytes,
        user=headers.get(_USER, "")[:USER_CHARACTERS_MOST],
        wire=DIALECT,
        headers=tuple(headers.items()),
        order=order,
        form=given,
    )


# By the service whose address it comes to: what makes a picture where a form names no model.
READERS: Mapping[str, Callable[[Form, Envelope], Call]] = {
    service: partial(parse_form, model)
    for service, model in (("core", "stable-image-core"), ("ultra", "stable-image-ultra"), ("sd3", "sd3.5-large"))
}


def wants_json(call: Call) -> bool:
    """Whether the client wants its picture within JSON."""
    return dict(call.headers).get(_ACCEPT) == _JSON


def _order(body: Mapping[str, Any], form: Form) -> ImageOrder:
    if "prompt" not in body:
        raise Failure(MISSING_REQUIRED_PARAMETER, "prompt is missing", param="prompt")
    sources = form.uploads("image")
    _check_sources(body, sources)
    return ImageOrder(
        prompt=body["prompt"],
        ratio=body.get("aspect_ratio", ""),
        format=body.get("output_format", ""),
        negative=body.get("negative_prompt", ""),
        # Zero leaves it to the provider.
        seed=body.get("seed") or None,
        strength=body.get("strength"),
        sources=sources,
        preset=body.get("style_preset", ""),
        minor=tuple(name for name in body if name not in _ORDERED),
    )


def _check_sources(body: Mapping[str, Any], sources: tuple[Upload, ...]) -> None:
    mode, strength = body.get("mode"), body.get("strength")
    if len(sources) > 1:
        raise Failure(TOO_MANY_ITEMS, "one picture is changed at a time", param="image")
    if mode == _CHANGES and not sources:
        raise Failure(MISSING_REQUIRED_PARAMETER, "image is missing; it is sent as a file", param="image")
    if mode == _MAKES and sources:
        raise Failure(INVALID_VALUE, f"mode {_MAKES} changes no image", param="mode")
    if sources and strength is None:
        raise Failure(MISSING_REQUIRED_PARAMETER, "strength is missing: how little of image is kept", param="strength")
    if strength is not None and not sources:
        raise Failure(INVALID_VALUE, "strength is of an image, and there is none", param="strength")


def _files(form: Form) -> tuple[tuple[str, Upload], ...]:
    found = tuple(file for file in form.files if file[1].size_bytes)
    for name, _ in found:
        if name.removesuffix("[]") != "image":
            raise Failure(INVALID_VALUE, f"{name} is no file that is taken here", param=name)
    return found


def _headers(envelope: Envelope) -> dict[str, str]:
    """What the client says to the provider; its `accept` is one of the two that this wire knows."""
    found = dict(envelope.headers)
    accepted = found.get(_ACCEPT, "").lower()
    if _JSON in accepted:
        return {**found, _ACCEPT: _JSON}
    if accepted and "image/" not in accepted and "*/*" not in accepted:
        raise Failure(INVALID_VALUE, f"accept is {_PICTURE} or {_JSON}", param=_ACCEPT)
    return {**found, _ACCEPT: _PICTURE}
