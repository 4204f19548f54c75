"""What a picture of OpenAI's models is at most: as many tokens as its calculator says, and never fewer are held."""

from typing import Any

import pytest

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content, ImageOrder
from oneflow_ai.dialects import openai_forms
from oneflow_ai.dialects.plain_orders import image_call
from oneflow_ai.dialects.stability_forms import parse_form
from oneflow_ai.providers.openai_picture_tokens import LARGEST, most_tokens, tokens_of
from tests.wire.requests import call_of, envelope

DEAREST = 26_347


def asked(**fields: Any) -> Call:
    return call_of({"model": "m", "prompt": "a cat", **fields}, Operation.IMAGE)


def of_stability(**fields: str) -> Call:
    form = Form((("prompt", "a cat"), *fields.items()), ())
    return parse_form("stable-image-core", form, envelope(Operation.IMAGE))


def plain(**options: Any) -> Call:
    return image_call("a cat", options, envelope(Operation.IMAGE), model="m")


@pytest.mark.parametrize(
    ("model", "quality", "size", "tokens"),
    [
        # As OpenAI's calculator says, and as answers have told.
        ("gpt-image-2", "low", (1024, 1024), 196),
        ("gpt-image-2", "low", (2560, 1440), 205),
        ("gpt-image-2", "low", (3472, 1488), 201),
        ("gpt-image-2", "medium", (1024, 1024), 1_756),
        ("gpt-image-2-2026-04-21", "medium", (1024, 1536), 1_372),
        ("gpt-image-2", "high", (1024, 1024), 7_024),
        ("gpt-image-2", "high", (1536, 1024), 5_488),
        ("gpt-image-2", "high", (1792, 1024), 5_063),
        ("gpt-image-2", "high", (3584, 2048), 12_329),
        ("gpt-image-2", "high", (3840, 2160), 13_342),
        ("gpt-image-2.5-flare", "low", (1024, 1024), 196),
        ("gpt-image-2.5-flare", "medium", (1024, 1024), 439),
        ("gpt-image-2.5-sunburst", "high", (1024, 1024), 1_756),
        ("gpt-image-2.5-sunburst-2026-09-08", "xhigh", (1024, 1024), 3_122),
        ("gpt-image-2.5-sunburst", "max", LARGEST, 23_719),
        # What is left to the model, and what it has no word for.
        ("gpt-image-2", "", (1024, 1024), 7_024),
        ("gpt-image-2", "hd", (1024, 1024), 7_024),
        ("gpt-image-2.6-flare", "", (1024, 1024), 7_024),
    ],
)
def test_a_picture_has_the_tokens_of_its_size_and_quality(
    model: str, quality: str, size: tuple[int, int], tokens: int
) -> None:
    assert tokens_of(model, quality, size) == tokens


@pytest.mark.parametrize(
    ("quality", "size", "tokens"),
    [
        ("low", (1536, 1024), 664),
        ("high", (1536, 1024), 1_353),
        ("high", (3840, 2160), 3_337),
        ("", (1024, 1024), 5_800),
    ],
)
def test_of_the_newest_models_no_fewer_are_held_than_were_seen(
    quality: str, size: tuple[int, int], tokens: int
) -> None:
    most = most_tokens(
        asked(size=f"{size[0]}x{size[1]}", **({"quality": quality} if quality else {})), "gpt-image-2.6-flare"
    )
    assert most is not None and tokens < most < 2 * tokens + 256


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("gpt-image-1.5", 16_384),
        ("gpt-image-1-mini", 16_384),
        ("chatgpt-image-latest", 16_384),
        ("gpt-image-3", None),
        ("gpt-image-2-mini", None),
        ("flux-3", None),
    ],
)
def test_of_other_models_size_and_quality_say_nothing(model: str, most: int | None) -> None:
    assert tokens_of(model, "low", (1024, 1024)) is None
    assert most_tokens(asked(size="1024x1024", quality="low"), model) == most


@pytest.mark.parametrize(
    ("call", "most"),
    [
        (asked(size="1024x1024", quality="low"), 472),
        (asked(size="3840x2160", quality="low"), 665),
        (asked(size="auto", quality="low"), 981),
        (asked(quality="low"), 981),
        (asked(size="1024x1024"), 7_983),
        (asked(size="1024x1024", quality="auto"), 7_983),
        (asked(), DEAREST),
        # No such picture is made; it is not held for more than the dearest that is.
        (asked(size="99999x99999"), DEAREST),
        # Who knows what such a field asks for.
        (asked(size="1024x1024", quality="low", frames=24), DEAREST),
        # For another wire the size is chosen here: square where none is asked for.
        (of_stability(), 7_983),
        (of_stability(aspect_ratio="16:9"), 6_293),
        # A size that is asked for in the plain form is made as it is.
        (plain(size="2048x2048", quality="low"), 693),
        (plain(size="3840x2160"), 14_933),
        (plain(size="1024x1024", quality="max"), 7_983),
    ],
)
def test_what_is_held_goes_by_what_is_asked_for(call: Call, most: int) -> None:
    assert most_tokens(call, "gpt-image-2") == most


def test_the_size_of_a_changed_picture_is_the_models_to_choose_unless_it_is_named() -> None:
    files = (("image", Content(b"\x89PNG", "a.png", "image/png")),)

    def edit(*fields: tuple[str, str]) -> Call:
        form = Form((("model", "m"), ("prompt", "a"), ("quality", "low"), *fields), files)
        return openai_forms.parse_form(form, envelope(Operation.IMAGE_EDIT))

    assert most_tokens(edit(), "gpt-image-2") == 981
    assert most_tokens(edit(("size", "1024x1024")), "gpt-image-2") == 472


def test_nothing_that_can_be_asked_for_has_more_tokens_than_what_is_held_for_anything() -> None:
    sides = range(16, 3_856, 16)
    for width in sides:
        for height in sides:
            if 655_360 <= width * height <= 8_294_400 and max(width, height) <= 3 * min(width, height):
                found = tokens_of("gpt-image-2", "high", (width, height))
                assert found is not None and found <= 23_719 < DEAREST, (width, height)


def test_what_is_no_order_of_pictures_has_none() -> None:
    assert most_tokens(call_of({"model": "m", "messages": [{"role": "user", "content": "a"}]}), "gpt-image-2") is None
    assert isinstance(asked().order, ImageOrder)
