"""What is sent to Stability: valid by its specification, options mapped, and refused where it has no word for them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Blob, Raw
from oneflow_ai.core.failure import UNSUPPORTED_OPERATION, UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.order import Content, ImageOrder
from oneflow_ai.core.ports import HttpRequest, TellsAccount
from oneflow_ai.providers.stability_form import BODY_BYTES_MOST
from oneflow_ai.simulator.form import Form as ReadForm
from oneflow_ai.simulator.media.pictures import picture
from tests.wire.requests import call_of, target_of

PICTURE = Content(picture("png", 64, 64, (1, 2, 3)), "a.png", "image/png")
SDXL = "stable-diffusion-xl-1024-v1-0"
# Each service's schema, and one of its models.
SERVICES = {"core": "CoreRequest", "ultra": "UltraRequest", "sd3": "Sd3Request"}
MODELS = {"stable-image-core": "core", "stable-image-ultra": "ultra", "sd3.5-medium": "sd3"}
ORDERS: dict[str, ImageOrder] = {
    "plain": ImageOrder("a cat"),
    "options": ImageOrder("a cat", ratio="16:9", format="jpeg", negative="dogs", seed=7, preset="pixel-art"),
    "size": ImageOrder("a cat", width=1024, height=1536, format="png"),
    "what is left out": ImageOrder("a cat", quality="high", style="vivid", compression=80, partial=2),
}
CHANGES = {
    "change": ImageOrder("a cat", sources=(PICTURE,)),
    "strength": ImageOrder("a", sources=(PICTURE,), strength=0.2),
}


def asked(order: ImageOrder, **changes: Any) -> Call:
    operation = Operation.IMAGE_EDIT if order.sources else Operation.IMAGE
    call = call_of({"model": "image", "prompt": "a"}, Operation.IMAGE)
    return replace(call, order=order, operation=operation, wire="openai", **changes)


def request_for(order: ImageOrder, model: str = "stable-image-core", **changes: Any) -> HttpRequest:
    target = target_of("stability", model=model)
    return target.adapter.request(asked(order, **changes), target)


def form_of(request: HttpRequest) -> tuple[dict[str, str], dict[str, int]]:
    """A request's form as a server reads it: its fields, and the sizes of its files."""
    body = b"" if request.large is None else b"".join(request.large.pieces())
    assert request.size_bytes == len(body)
    kind = dict(request.headers)["content-type"]
    form = ReadForm(kind.partition("boundary=")[2].encode())
    form.feed(body)
    assert form.whole
    files = {part.name: part.size_bytes for part in form.parts if part.is_file}
    return {part.name: part.text for part in form.parts if not part.is_file}, files


def sent(order: ImageOrder, model: str = "stable-image-core", **changes: Any) -> dict[str, str]:
    return form_of(request_for(order, model, **changes))[0]


@pytest.fixture(scope="module")
def schemas(shared_folder: Path) -> Any:
    text = (shared_folder / "specs" / "stability-v2beta-generate.extract.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def mistakes(document: Any, schema: str, fields: dict[str, str], files: dict[str, int]) -> list[str]:
    """What is wrong with a form by the specification; its fields are typed as the schema has them."""
    properties = document["components"]["schemas"][schema]["properties"]
    numbers = {"integer": int, "number": float}
    typed: dict[str, Any] = dict.fromkeys(files, "bytes")
    for name, text in fields.items():
        typed[name] = numbers.get(properties.get(name, {}).get("type"), str)(text)
    unknown = [f"{name} is unknown" for name in typed if name not in properties]
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **document})
    return unknown + [error.message for error in validator.iter_errors(typed)]


@pytest.mark.parametrize("model", MODELS)
def test_what_is_sent_is_valid(schemas: Any, model: str) -> None:
    service = MODELS[model]
    orders = ORDERS if service == "core" else ORDERS | CHANGES
    for name, order in orders.items():
        request = request_for(order, model)
        assert request.url == f"https://api.stability.ai/v2beta/stable-image/generate/{service}"
        assert mistakes(schemas, SERVICES[service], *form_of(request)) == [], name


def test_the_specification_finds_mistakes(schemas: Any) -> None:
    for wrong in ({}, {"prompt": "a", "seed": "-1"}, {"prompt": "a", "aspect_ratio": "7:3"}, {"prompt": "a", "n": "1"}):
        assert mistakes(schemas, "CoreRequest", wrong, {}), wrong


@pytest.mark.parametrize(
    ("model", "service", "told"),
    [
        ("core", "core", None), ("stable-image-core", "core", None), ("ultra", "ultra", None),
        ("stable-image-ultra", "ultra", None), ("sd3", "sd3", "sd3.5-large"), ("sd3-medium", "sd3", "sd3-medium"),
        ("sd3.5-flash", "sd3", "sd3.5-flash"), ("of/tomorrow", "of%2Ftomorrow", None),
    ],
)  # fmt: skip
def test_each_model_has_its_address_and_its_name(model: str, service: str, told: str | None) -> None:
    request = request_for(ImageOrder("a cat"), model)
    assert request.url.rpartition("/")[2] == service
    assert form_of(request)[0].get("model") == told
    headers = dict(request.headers)
    assert (headers["accept"], headers["authorization"]) == ("image/*", "Bearer sk-canary-of-the-provider")


def test_options_are_written_in_its_words() -> None:
    assert sent(ORDERS["options"]) == {
        "prompt": "a cat", "aspect_ratio": "16:9", "output_format": "jpeg", "negative_prompt": "dogs", "seed": "7",
        "style_preset": "pixel-art",
    }  # fmt: skip
    request = request_for(ORDERS["what is left out"])
    assert form_of(request)[0] == {"prompt": "a cat"}
    assert request.dropped == ("quality", "style", "output_compression", "partial_images")


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((1024, 1024), "1:1"), ((1536, 1024), "3:2"), ((1024, 1536), "2:3"), ((1792, 1024), "16:9"),
        ((1024, 1792), "9:16"), ((3840, 1600), "21:9"), ((512, 600), "4:5"),
    ],
)  # fmt: skip
def test_a_size_becomes_the_nearest_shape(size: tuple[int, int], ratio: str) -> None:
    assert sent(ImageOrder("a", width=size[0], height=size[1]))["aspect_ratio"] == ratio
    assert "aspect_ratio" not in sent(ImageOrder("a"))


@pytest.mark.parametrize("model", ["stable-image-ultra", "sd3.5-large"])
def test_a_picture_is_changed_as_much_as_is_asked_for(model: str) -> None:
    fields, files = form_of(request_for(CHANGES["strength"], model))
    assert (fields["strength"], files) == ("0.2", {"image": PICTURE.size_bytes})
    assert fields.get("mode") == ("image-to-image" if model == "sd3.5-large" else None)
    assert sent(CHANGES["change"], model)["strength"] == "0.65"


def test_a_picture_that_sd3_changes_keeps_its_shape() -> None:
    for order, name in (
        (replace(CHANGES["change"], width=64, height=32), "size"),
        (replace(CHANGES["change"], ratio="16:9"), "aspect_ratio"),
    ):
        request = request_for(order, "sd3.5-large")
        assert ("aspect_ratio" in form_of(request)[0], request.dropped) == (False, (name,))
        assert "aspect_ratio" in sent(order, "stable-image-ultra")


@pytest.mark.parametrize(
    ("order", "model", "param"),
    [
        (ImageOrder("a", 2), "core", "n"),
        (ImageOrder("a" * 10_001), "core", "prompt"),
        (ImageOrder("a", negative="b" * 10_001), "core", "negative_prompt"),
        (ImageOrder("a", seed=1 << 32), "core", "seed"),
        (ImageOrder("a", urls=True), "core", "response_format"),
        (ImageOrder("a", background="transparent"), "core", "background"),
        (ImageOrder("a", strength=0.5), "ultra", "strength"),
        (ImageOrder("a", format="webp"), "sd3.5-large", "output_format"),
        (ImageOrder("a", sources=(PICTURE,)), "stable-image-core", "image"),
        (ImageOrder("a", sources=(PICTURE, PICTURE)), "ultra", "image"),
        (ImageOrder("a", elsewhere=1), "ultra", "image"),
        (ImageOrder("a", sources=(PICTURE,), mask=PICTURE), "ultra", "mask"),
        (ImageOrder("a", sources=(Content(bytes(BODY_BYTES_MOST), "a", "image/png"),)), "ultra", "image"),
        (ImageOrder("a", 11), SDXL, "n"),
        (ImageOrder("a" * 2_001), SDXL, "prompt"),
        (ImageOrder("a", negative="b" * 2_001), SDXL, "negative_prompt"),
        (ImageOrder("a", format="jpeg"), SDXL, "output_format"),
        (ImageOrder("a", sources=(PICTURE,)), SDXL, "image"),
        (ImageOrder("a", strength=0.5), SDXL, "strength"),
        (ImageOrder("a", urls=True), SDXL, "response_format"),
    ],
)
def test_what_a_model_cannot_be_asked_for_is_refused_by_name(order: ImageOrder, model: str, param: str) -> None:
    with pytest.raises(Failure) as refused:
        request_for(order, model)
    assert (refused.value.kind, refused.value.param) == (UNSUPPORTED_PARAMETER, param)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (Operation.CHAT, {"messages": [{"role": "user", "content": "Hi"}]}),
        (Operation.EMBEDDING, {"input": "Hi"}),
        (Operation.SPEECH, {"input": "Hi"}),
    ],
)
def test_it_makes_pictures_and_nothing_else(operation: Operation, body: dict[str, Any]) -> None:
    target = target_of("stability", model="core")
    with pytest.raises(Failure) as refused:
        target.adapter.request(call_of({"model": "m", **body}, operation), target)
    assert refused.value.kind is UNSUPPORTED_OPERATION


def test_what_only_other_wires_know_is_left_out_and_told() -> None:
    order = ImageOrder("a cat", minor=("moderation",))
    assert request_for(order).dropped == request_for(order, SDXL).dropped == ("moderation",)


def test_the_first_edition_is_asked_in_json(shared_folder: Path) -> None:
    order = ImageOrder("a cat", 2, width=1920, height=1080, negative="dogs", seed=7, preset="anime", quality="high")
    request = request_for(order, SDXL)
    assert request.url == f"https://api.stability.ai/v1/generation/{SDXL}/text-to-image"
    headers = dict(request.headers)
    assert (headers["content-type"], headers["accept"]) == ("application/json", "application/json")
    body = orjson.loads(request.body)
    assert body == {
        "text_prompts": [{"text": "a cat", "weight": 1}, {"text": "dogs", "weight": -1}],
        "samples": 2, "width": 1344, "height": 768, "seed": 7, "style_preset": "anime",
    }  # fmt: skip
    assert request.dropped == ("quality",)
    document = yaml.safe_load((shared_folder / "specs" / "stability-v1.yaml").read_text("utf-8"))
    validator = Draft202012Validator({"$ref": "#/components/schemas/TextToImageRequestBody", **document})
    for sent_body in (body, orjson.loads(request_for(ImageOrder("a cat"), SDXL).body)):
        assert [error.message for error in validator.iter_errors(sent_body)] == []


def test_json_is_passed_on_to_a_client_of_this_wire_that_asks_for_it_and_to_no_other() -> None:
    target = target_of("stability", model="core")
    body = orjson.dumps({"image": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "finish_reason": "SUCCESS"})
    accepted = (("accept", "application/json"),)
    for changes, kind in (
        ({"dialect": "stability", "headers": accepted}, Raw),
        ({"dialect": "stability", "headers": accepted, "translated": True}, Blob),
        ({"dialect": "stability"}, Blob),
        ({"headers": accepted}, Blob),
    ):
        decoder = target.adapter.decoder(asked(ImageOrder("a"), **changes), target, {})
        assert type([*decoder.feed(body), *decoder.close()][0]) is kind, changes


def test_what_is_left_of_the_credits_is_asked_for_without_a_body() -> None:
    target = target_of("stability", model="core")
    request = target.adapter.models_request(target)
    assert isinstance(target.adapter, TellsAccount)
    assert target.adapter.account_request(target) == request
    assert (request.method, request.url, request.body) == ("GET", "https://api.stability.ai/v1/user/balance", b"")
    assert "content-type" not in dict(request.headers)
    assert target.adapter.hints({"x-ratelimit-remaining-requests": "1"}) is None
