"""A picture's width and height are told by its first bytes, as any image library tells them."""

import io

import pytest
from PIL import Image

from oneflow_ai.core.pixels import pixels_of


def picture(form: str, **options: object) -> bytes:
    """A small picture in a format, as an image library writes it."""
    out = io.BytesIO()
    Image.new("RGB", (48, 31), (10, 200, 90)).save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        picture("PNG"),
        picture("JPEG"),
        picture("JPEG", progressive=True, comment=b"of nothing"),
        picture("WEBP"),
        picture("WEBP", lossless=True),
        picture("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    ],
    ids=["png", "jpeg", "progressive jpeg", "webp", "lossless webp", "extended webp"],
)
def test_width_and_height_are_those_of_an_image_library(content: bytes) -> None:
    assert pixels_of(content) == (48, 31)
    assert pixels_of(content[:20]) is None


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"RIFF\0\0\0\0WAVEfmt " + bytes(20), b"\xff\xd8\xff", b"text"])
def test_what_is_no_such_picture_has_none(content: bytes) -> None:
    assert pixels_of(content) is None
