"""Pictures of OpenAI's wire: passed on, decoded, counted, and what is wrong with them."""

import base64
import json
import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Blob, End, Event, Raw, Usage
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, UPSTREAM_BAD_RESPONSE, Failure
from oneflow_ai.core.order import Content, ImageOrder
from oneflow_ai.providers.openai_images import body_of, image_decoder
from oneflow_ai.simulator.form import Form
from tests.needs import require
from tests.wire.requests import call_of, target_of


def png() -> bytes:
    """One black pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


NEW = "gpt-image-2.6-flare"
PICTURE = png()
TEXT = base64.b64encode(PICTURE).decode()
TOLD = {
    "input_tokens": 20,
    "input_tokens_details": {"image_tokens": 15, "text_tokens": 5},
    "output_tokens": 30,
    "output_tokens_details": {"image_tokens": 24, "text_tokens": 6},
    "total_tokens": 50,
}
TAKEN = Usage(20, 30, input_image_tokens=15, output_image_tokens=24, images=1)


def decode(body: bytes, *, raw: bool = False, stream: bool = False, cut: int = 0) -> list[Event]:
    decoder = image_decoder(raw=raw, stream=stream)
    return [*decoder.feed(body[:cut]), *decoder.feed(body[cut:]), *decoder.close()]


def answer(**changes: Any) -> bytes:
    return json.dumps({"created": 1, "data": [{"b64_json": TEXT}], "usage": TOLD, **changes}).encode()


def test_an_answer_of_the_same_wire_is_its_bytes_and_what_it_took() -> None:
    body = answer(own=1)
    for cut in range(0, len(body), 5):
        assert decode(body, raw=True, cut=cut) == [Raw(body, 1), TAKEN, End()]


def test_pictures() -> None:
    two = answer(data=[{"b64_json": TEXT}, {"b64_json": TEXT}], usage=None)
    assert decode(two) == [Blob(PICTURE, "image/png")] * 2 + [Usage(images=2), End()]


def test_output_that_is_not_told_apart_is_pictures() -> None:
    [_, usage, _] = decode(answer(usage={"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}))
    assert usage == Usage(3, 9, output_image_tokens=9, images=1)


def test_a_price_that_the_provider_names() -> None:
    [_, usage, _] = decode(answer(usage={"cost_in_usd_ticks": 200_000_000}))
    assert usage == Usage(images=1, cost_nanos=20_000_000)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"data":{}}', b'{"data":[]}', b'{"error":{"message":"no"}}', answer(data=[{}]),
        answer(data=[None]), answer(data=[{"url": "https://pictures.invalid/1.png"}]),
        answer(data=[{"b64_json": "AA=A"}]),
        answer(data=[{"b64_json": base64.b64encode(b"<html>").decode()}]),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure(body: bytes) -> None:
    (end,) = decode(body)
    assert isinstance(end, End) and end.failure is not None and end.failure.kind is UPSTREAM_BAD_RESPONSE


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in events)


HALF = {"type": "image_generation.partial_image", "b64_json": TEXT, "partial_image_index": 0}
WHOLE = {"type": "image_generation.completed", "b64_json": TEXT, "usage": TOLD}


def passed_on(events: list[Event]) -> bytes:
    return b"".join(event.content for event in events if isinstance(event, Raw))


def test_a_stream_passes_as_it_is_and_is_counted_however_it_is_cut() -> None:
    body = stream(HALF, WHOLE)
    for cut in range(0, len(body), 3):
        events = decode(body, raw=True, stream=True, cut=cut)
        assert passed_on(events) == stream(HALF)
        kept = {"event": WHOLE, "name": "image_generation.completed", "done": False}
        assert events[-2:] == [TAKEN, End(chunk=kept)]


def test_only_the_last_event_that_tells_usage_is_kept() -> None:
    untold = {name: value for name, value in WHOLE.items() if name != "usage"}
    for given, kept in (([WHOLE, WHOLE], True), ([WHOLE, HALF], False), ([untold], False), ([HALF, untold], False)):
        events = decode(stream(*given), raw=True, stream=True)
        assert passed_on(events) == stream(*(given[:-1] if kept else given))
        end = events[-1]
        assert isinstance(end, End) and (end.chunk is not None) == kept


def test_what_was_kept_goes_out_before_a_failure() -> None:
    broken = stream({"type": "error", "error": {"message": "no more"}})
    *events, end = decode(stream(HALF, WHOLE) + broken, raw=True, stream=True)
    assert passed_on(events) == stream(HALF, WHOLE)
    assert isinstance(end, End) and end.failure is not None and end.chunk is None


def test_a_stream_that_ends_before_a_picture_is_whole_is_cut() -> None:
    *_, end = decode(stream(HALF), raw=True, stream=True)
    assert isinstance(end, End) and end.failure is not None and end.failure.code == "upstream_stream_interrupted"


def test_a_failure_within_a_stream_ends_it() -> None:
    body = stream(HALF, {"type": "error", "error": {"message": "no more", "code": "server_error"}})
    *_, end = decode(body, raw=True, stream=True)
    assert isinstance(end, End) and end.failure is not None


@pytest.mark.parametrize(
    ("order", "size"),
    [
        (ImageOrder("a"), "1024x1024"),
        # What is changed has a shape of its own.
        (ImageOrder("a", sources=(Content(PICTURE, "a.png", "image/png"),)), None),
        (ImageOrder("a", ratio="9:16"), "1024x1536"),
        (ImageOrder("a", ratio="6:5"), "1024x1024"),
    ],
)
def test_a_shape_becomes_the_nearest_size(order: ImageOrder, size: str | None) -> None:
    assert body_of(order, NEW)[0].get("size") == size


@pytest.mark.parametrize(
    ("model", "width", "height"),
    [
        (NEW, 2048, 2048), (NEW, 3840, 2160), (NEW, 1536, 864), (NEW, 3840, 1280), (NEW, 640, 1024),
        ("gpt-image-2", 2048, 2048), ("gpt-image-2-2026-04-21", 2048, 2048), ("gpt-image-1.5", 1536, 1024),
        ("chatgpt-image-latest", 1024, 1536),
        # Who knows what others take.
        ("dall-e-3", 1792, 1024), ("flux-3", 7, 5), ("gpt-image-3", 7, 5),
    ],
)  # fmt: skip
def test_a_size_goes_out_as_it_is(model: str, width: int, height: int) -> None:
    assert body_of(ImageOrder("a", width=width, height=height), model)[0]["size"] == f"{width}x{height}"


@pytest.mark.parametrize(
    ("model", "width", "height"),
    [
        (NEW, 1920, 1080), (NEW, 512, 512), (NEW, 3856, 2160), (NEW, 3840, 2176), (NEW, 3840, 1264),
        (NEW, 512, 1552), ("gpt-image-2", 1000, 1000), ("gpt-image-1.5", 2048, 2048), ("gpt-image-1-mini", 512, 512),
        ("chatgpt-image-latest", 1920, 1088),
    ],
)  # fmt: skip
def test_a_size_that_a_model_does_not_make_is_refused_and_named(model: str, width: int, height: int) -> None:
    with pytest.raises(Failure) as refused:
        body_of(ImageOrder("a", width=width, height=height), model)
    assert (refused.value.kind, refused.value.param) == (UNSUPPORTED_PARAMETER, "size")


def test_an_order_of_another_wire() -> None:
    body, dropped = body_of(ImageOrder("a", count=2, quality="low", format="webp", compression=0, seed=7), NEW)
    asked = {"prompt": "a", "n": 2, "size": "1024x1024", "quality": "low"}
    assert body == {**asked, "output_format": "webp", "output_compression": 0}
    assert dropped == ("seed",)


@pytest.mark.parametrize(
    ("order", "param"),
    [
        (ImageOrder("a", negative="b"), "negative_prompt"),
        (ImageOrder("a", preset="anime"), "style_preset"),
        (ImageOrder("a", elsewhere=1), "image"),
    ],
)
def test_what_another_wire_asks_and_this_one_cannot_is_refused(order: ImageOrder, param: str) -> None:
    with pytest.raises(Failure) as refused:
        body_of(order, NEW)
    assert (refused.value.kind, refused.value.param) == (UNSUPPORTED_PARAMETER, param)


SOURCE = Content(PICTURE, "a.png", "image/png")


def changed(order: ImageOrder) -> tuple[str, dict[str, list[str]], tuple[str, ...]]:
    """The request that changes pictures for a client of another wire: its address, its form and what was left out."""
    target = target_of("openai", model=NEW)
    call = replace(call_of({"prompt": "a"}, Operation.IMAGE), operation=Operation.IMAGE_EDIT, order=order, wire="other")
    request = target.adapter.request(call, target)
    assert request.large is not None
    kind = dict(request.headers)["content-type"]
    form = Form(kind.partition("boundary=")[2].encode())
    form.feed(b"".join(request.large.pieces()))
    found: dict[str, list[str]] = {}
    for part in form.parts:
        found.setdefault(part.name, []).append(f"{part.size_bytes} bytes" if part.is_file else part.text)
    return request.url, found, request.dropped


def test_pictures_that_a_client_of_another_wire_wants_changed_go_as_files() -> None:
    size = f"{len(PICTURE)} bytes"
    common = {"model": ["gpt-image-2.6-flare"], "prompt": ["a cat"], "n": ["1"]}
    url, form, dropped = changed(ImageOrder("a cat", sources=(SOURCE,), strength=0.5, seed=1, minor=("cfg_scale",)))
    assert url == "https://api.openai.com/v1/images/edits"
    assert (form, dropped) == ({**common, "image": [size]}, ("seed", "strength", "cfg_scale"))
    _, form, _ = changed(ImageOrder("a cat", sources=(SOURCE, SOURCE), mask=SOURCE, ratio="3:2", format="webp"))
    further = {"size": ["1536x1024"], "output_format": ["webp"], "image[]": [size, size], "mask": [size]}
    assert form == {**common, **further}


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        (
            "images-edit-gpt-image-1_5-usage",
            Usage(221, 415, input_image_tokens=194, output_image_tokens=272, images=1),
        ),
        ("images-generate-b64-dall-e", Usage(images=1)),
    ],
)
def test_recorded_pictures(name: str, usage: Usage) -> None:
    recorded = json.loads((require("shared") / "recordings" / "openai" / f"{name}.json").read_text("utf-8"))
    body = recorded["response"]["body"].encode()
    assert decode(body, raw=True) == [Raw(body, 1), usage, End()]
    picture, *rest = decode(body)
    assert isinstance(picture, Blob) and picture.media_type == "image/png"
    assert rest == [usage, End()]
