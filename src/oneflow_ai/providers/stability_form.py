"""Orders of pictures as forms of Stability's second edition, where each family of models is a service of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.order import ImageOrder, Upload

# Stability's API reference, v2beta, stable-image/generate (2026-11-23).
PATH = "/v2beta/stable-image/generate/"
BODY_BYTES_MOST = 10 << 20
PROMPT_CHARACTERS_MOST = 10_000
SEED_MOST = 4_294_967_294
_SHAPES = ((16, 9), (1, 1), (21, 9), (2, 3), (3, 2), (4, 5), (5, 4), (9, 16), (9, 21))
RATIOS: Mapping[str, float] = {f"{width}:{height}": width / height for width, height in _SHAPES}
STRENGTH = 0.65
"""How little of a picture is kept where nobody says: the first edition keeps 0.35 of it (its specification, v1)."""

_FAMILY = "stable-image-"
_SEVERAL, _SEVERAL_DEFAULT = "sd3", "sd3.5-large"
_MAKES_ONLY = "core"


@dataclass(frozen=True, slots=True)
class Written:
    """A form: its fields, its files, and what was left out, by the client's names."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, Upload], ...]
    dropped: tuple[str, ...]


def service_of(model: str) -> str:
    """The service that a model is, or that has it beside others."""
    return _SEVERAL if model.startswith(_SEVERAL) else model.removeprefix(_FAMILY)


def written(order: ImageOrder, model: str) -> Written:
    """The form that asks a model for it; raises `Failure` for what it cannot be asked for."""
    service = service_of(model)
    check(_misfits(order, service))
    several = service == _SEVERAL
    # The shape of a picture that is changed is its own (API reference of sd3: "only valid for text-to-image requests").
    shaped = not (several and order.sources)
    fields = {
        "prompt": order.prompt,
        "model": (_SEVERAL_DEFAULT if model == _SEVERAL else model) if several else "",
        "mode": ("image-to-image" if order.sources else "text-to-image") if several else "",
        "negative_prompt": order.negative,
        "aspect_ratio": order.nearest(RATIOS) if shaped else "",
        "strength": str(STRENGTH if order.strength is None else order.strength) if order.sources else "",
        "seed": "" if order.seed is None else str(order.seed),
        "style_preset": order.preset,
        "output_format": order.format,
    }
    dropped = left_out(order)
    if not shaped and order.proportion is not None:
        dropped = ("size" if order.width is not None else "aspect_ratio", *dropped)
    files = tuple(("image", source) for source in order.sources)
    return Written(tuple((name, text) for name, text in fields.items() if text), files, dropped)


def left_out(order: ImageOrder) -> tuple[str, ...]:
    """What neither edition has a word for, and little hangs on."""
    found = {
        "quality": order.quality,
        "style": order.style,
        "output_compression": order.compression is not None,
        "partial_images": order.partial,
    }
    return tuple(name for name, asked in found.items() if asked)


def check(misfits: Iterator[tuple[bool, str, str]]) -> None:
    """Raises `Failure` for the first of these that is true: a parameter, and why it cannot be."""
    for wrong, param, words in misfits:
        if wrong:
            raise Failure(UNSUPPORTED_PARAMETER, words, param=param)


def common_misfits(order: ImageOrder) -> Iterator[tuple[bool, str, str]]:
    """What neither edition can be asked for."""
    seed = order.seed or 0
    further = order.further[0] if order.further else ""
    yield bool(further), further, "the target's wire has no place for this field"
    yield order.urls, "response_format", "the target gives pictures, not addresses of them: ask for b64_json"
    yield order.background == "transparent", "background", "the target's pictures have no transparent background"
    yield order.mask is not None, "mask", "the target changes a whole picture, not the part under a mask"
    yield order.elsewhere > 0, "image", "the target cannot get at a picture that stands elsewhere: send it"
    yield not 0 <= seed <= SEED_MOST, "seed", f"the target takes a seed from 0 to {SEED_MOST}"


def _misfits(order: ImageOrder, service: str) -> Iterator[tuple[bool, str, str]]:
    most = PROMPT_CHARACTERS_MOST
    yield len(order.prompt) > most, "prompt", f"the target takes a prompt of {most} characters at the most"
    yield len(order.negative) > most, "negative_prompt", f"the target takes {most} characters of it at the most"
    yield order.count > 1, "n", "the target makes one picture a call: ask once for each"
    yield from common_misfits(order)
    yield len(order.sources) > 1, "image", "the target changes one picture at a time"
    yield bool(order.sources) and service == _MAKES_ONLY, "image", "the target makes pictures, and changes none"
    yield order.strength is not None and not order.sources, "strength", "it says how much of an image to keep"
    webp = order.format == "webp" and service == _SEVERAL
    yield webp, "output_format", "the target makes png and jpeg, no webp"
