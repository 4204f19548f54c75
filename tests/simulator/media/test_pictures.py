"""Every picture opens in an image library, with its size, its mode and its colour."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from oneflow_ai.simulator.media.pictures import FORMATS, JPEG, PNG, WEBP, colour, kind_of, picture

SHADES = [(0, 0, 0), (255, 255, 255), (200, 30, 90), (1, 128, 254)]


def opened(content: bytes) -> Image.Image:
    """A picture decoded whole."""
    image = Image.open(BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (17, 9), (1_024, 1_024), (1_536, 1_024)])
def test_a_picture_opens_with_its_size(form: str, size: tuple[int, int]) -> None:
    content = picture(form, *size, (200, 30, 90))
    image = opened(content)
    assert (image.format, image.size) == (form.upper(), size)
    assert kind_of(content) == form


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("shade", SHADES)
def test_a_picture_has_its_colour(form: str, shade: tuple[int, int, int]) -> None:
    corner = opened(picture(form, 64, 64, shade)).convert("RGB").getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert all(abs(seen - wanted) <= 2 for seen, wanted in zip(corner, shade, strict=True)), corner


@pytest.mark.parametrize("form", [PNG, WEBP])
def test_a_transparent_picture_can_be_seen_through(form: str) -> None:
    pixel = opened(picture(form, 64, 64, (200, 30, 90), True)).convert("RGBA").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 0


def test_a_picture_without_transparency_ignores_it() -> None:
    assert opened(picture(JPEG, 64, 64, (1, 2, 3), True)).mode == "RGB"


def test_colours_tell_words_apart() -> None:
    assert colour("bees") == colour("bees") != colour("wasps")


@pytest.mark.parametrize("content", [b"", b"text", b"RIFF1234WAVEfmt "])
def test_what_is_no_picture_is_known(content: bytes) -> None:
    assert kind_of(content) == ""
