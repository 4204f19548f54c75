"""Forms of Stability's clients: what is refused, what they come to, and pictures and errors in their shapes."""

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Blob, End, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content, ImageOrder
from oneflow_ai.dialects.stability import encoder, failure_body, parse
from oneflow_ai.dialects.stability_forms import READERS
from oneflow_ai.dialects.table import FORMS, PATHS
from tests.wire.requests import envelope, target_of

PICTURE, EMPTY = Content(b"picture", "a.png", "image/png"), Content(b"", "none", "application/octet-stream")
MADE = Blob(b"made", "image/jpeg")
JSON = (("accept", "application/json"),)
USED = Usage(images=1)


def form_call(
    *fields: tuple[str, str], service: str = "core", files: Any = (), headers: tuple[tuple[str, str], ...] = ()
) -> Call:
    sent = Form((("prompt", "a cat"), *fields), files)
    return READERS[service](sent, replace(envelope(Operation.IMAGE), headers=headers))


def test_what_a_form_comes_to() -> None:
    call = form_call(
        ("aspect_ratio", "16:9"), ("negative_prompt", "dogs"), ("seed", "4294967294"), ("style_preset", "anime"),
        ("output_format", "webp"), ("cfg_scale", "4"), ("of_tomorrow", "kept"),
    )  # fmt: skip
    assert call.order == ImageOrder(
        "a cat", ratio="16:9", negative="dogs", seed=4_294_967_294, preset="anime", format="webp",
        minor=("cfg_scale", "of_tomorrow"),
    )  # fmt: skip
    assert (call.dialect, call.wire, call.stream) == ("stability", "stability", False)
    assert (call.operation, call.answers) == (Operation.IMAGE, 1)


@pytest.mark.parametrize(
    ("service", "model"), [("core", "stable-image-core"), ("ultra", "stable-image-ultra"), ("sd3", "sd3.5-large")]
)
def test_an_address_stands_for_a_model_unless_the_form_names_one(service: str, model: str) -> None:
    assert form_call(service=service).model == model
    assert form_call(("model", "openai/gpt-image-2.6-flare"), service=service).model == "openai/gpt-image-2.6-flare"
    path = f"/v2beta/stable-image/generate/{service}".encode()
    assert (PATHS[path][0].DIALECT, FORMS[path].json, FORMS[path].form) == ("stability", False, READERS[service])


def test_what_is_empty_was_not_sent() -> None:
    """Clients send an empty file, or empty fields, so that their request is a form at all."""
    call = form_call(("negative_prompt", ""), ("seed", "0"), ("none", ""), files=(("none", EMPTY), ("image", EMPTY)))
    assert call.order == ImageOrder("a cat")
    assert call.form is not None and call.form.files == ()


def test_a_picture_to_be_changed() -> None:
    call = form_call(("strength", "0.5"), ("mode", "image-to-image"), service="sd3", files=(("image", PICTURE),))
    assert call.order == ImageOrder("a cat", strength=0.5, sources=(PICTURE,))
    assert call.operation is Operation.IMAGE_EDIT


def test_a_chain_of_models_may_be_named() -> None:
    body = form_call(("models[]", "a"), ("models[]", "b")).body
    assert (body["models"], body["model"]) == (["a", "b"], "stable-image-core")


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ([("aspect_ratio", "7:3")], (), "aspect_ratio"), ([("seed", "-1")], (), "seed"), ([("seed", "x")], (), "seed"),
        ([("seed", "4294967295")], (), "seed"), ([("seed", "1" * 5_000)], (), "seed"),
        ([("style_preset", "vivid")], (), "style_preset"), ([("output_format", "gif")], (), "output_format"),
        ([("strength", "2")], (("image", PICTURE),), "strength"), ([("strength", "nan")], (), "strength"),
        ([("cfg_scale", "0")], (), "cfg_scale"), ([("mode", "video")], (), "mode"),
        ([("prompt", "twice")], (), "prompt"), ([("negative_prompt", "a" * 10_001)], (), "negative_prompt"),
        ([("model", "m" * 257)], (), "model"), ([("model[]", "m")], (), "model"),
        ([("negative_prompt[]", "b")], (), "negative_prompt"),
        ([("image", "https://a.invalid")], (), "image"), ([("api_key", "k")], (), "api_key"),
        ([], (("image", PICTURE),), "strength"), ([("strength", "0.5")], (), "strength"),
        ([("strength", "0.5")], (("image", PICTURE),) * 2, "image"), ([], (("mask", PICTURE),), "mask"),
        ([("mode", "image-to-image")], (), "image"),
        ([("mode", "text-to-image"), ("strength", "1")], (("image", PICTURE),), "mode"),
    ],
)  # fmt: skip
def test_a_form_that_is_refused_at_once(fields: list[tuple[str, str]], files: Any, param: str) -> None:
    with pytest.raises(Failure) as refused:
        form_call(*fields, service="sd3", files=files)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize("fields", [(), (("prompt", ""),), (("prompt", "a" * 10_001),)])
def test_a_prompt_is_needed_and_not_without_end(fields: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Failure) as refused:
        READERS["core"](Form(fields), envelope(Operation.IMAGE))
    assert (refused.value.status, refused.value.param) == (400, "prompt")


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("", "image/*"), ("*/*", "image/*"), ("image/*", "image/*"), ("IMAGE/png", "image/*"),
        ("application/json", "application/json"), ("application/json, */*", "application/json"),
    ],
)  # fmt: skip
def test_a_picture_is_accepted_as_it_is_or_within_json(accept: str, told: str) -> None:
    headers = (("accept", accept),) if accept else ()
    assert dict(form_call(headers=headers).headers)["accept"] == told


def test_what_cannot_be_given_is_refused() -> None:
    with pytest.raises(Failure) as refused:
        form_call(headers=(("accept", "text/html"),))
    assert (refused.value.status, refused.value.param) == (400, "accept")
    with pytest.raises(Failure) as refused:
        parse(b"{}", envelope(Operation.IMAGE))
    assert refused.value.status == 415


def test_who_a_client_asks_for_is_recorded_and_told_to_the_provider() -> None:
    call = form_call(headers=(("stability-client-user-id", "u" * 300), ("stability-client-id", "app")))
    assert call.user == "u" * 256
    assert dict(call.headers)["stability-client-id"] == "app"


def test_a_picture_of_any_wire_is_its_bytes_and_what_is_told_of_it() -> None:
    writer = encoder(form_call(), target_of("openai"))
    assert writer.feed(MADE) == writer.feed(USED) == b""
    assert writer.end(End(chunk={"seed": 7}), USED, 1) == b"made"
    assert (writer.media_type, dict(writer.headers)) == ("image/jpeg", {"finish-reason": "SUCCESS", "seed": "7"})
    writer = encoder(form_call(), target_of("openai"))
    writer.feed(MADE)
    writer.end(End(), USED, 1)
    assert dict(writer.headers) == {"finish-reason": "SUCCESS"}


@pytest.mark.parametrize(("chunk", "seed"), [({"seed": 7}, {"seed": 7}), ({"seed": None}, {}), (None, {})])
def test_a_picture_of_any_wire_within_json(chunk: dict[str, Any] | None, seed: dict[str, int]) -> None:
    writer = encoder(form_call(headers=JSON), target_of("openai"))
    writer.feed(MADE)
    told = orjson.loads(writer.end(End(chunk=chunk), USED, 1))
    assert told == {"image": base64.b64encode(b"made").decode(), "finish_reason": "SUCCESS", **seed}
    assert (writer.media_type, writer.headers) == ("application/json; type=image/jpeg", ())


def test_json_of_the_same_wire_is_passed_on() -> None:
    writer = encoder(form_call(headers=JSON), target_of("stability"))
    assert writer.feed(Raw(b"{}", 1)) == b"{}"
    assert writer.end(End(chunk={"seed": 7, "media_type": "image/webp"}), USED, 1) == b""
    assert writer.media_type == "application/json; type=image/webp"
    assert writer.failure(Failure(kinds.UPSTREAM_CLOSED, "cut")) == b""


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (Failure(kinds.INVALID_VALUE, "seed is an integer", param="seed"), "bad_request"),
        (Failure(kinds.MISSING_API_KEY, "no key"), "unauthorized"),
        (Failure(kinds.MODEL_NOT_ALLOWED, "not this one"), "unauthorized"),
        (Failure(kinds.MODEL_NOT_FOUND, "no such model"), "not_found"),
        (Failure(kinds.REQUEST_TOO_LARGE, "too large"), "payload_too_large"),
        (Failure(kinds.INSUFFICIENT_QUOTA, "no money"), "payment_required"),
        (Failure(kinds.RATE_LIMIT_EXCEEDED, "wait"), "rate_limit_exceeded"),
        (Failure(kinds.UPSTREAM_ERROR, "it failed"), "internal_error"),
        (Failure(kinds.PROVIDER_QUOTA_EXHAUSTED, "no credits"), "service_unavailable"),
        (Failure(kinds.UPSTREAM_REJECTED, "no", status=403, code="content_moderation"), "content_moderation"),
        (Failure(kinds.UPSTREAM_REJECTED, "no", code="moderation_blocked"), "content_moderation"),
        (Failure(kinds.UPSTREAM_REJECTED, "no", status=422, code="public_figure"), "public_figure"),
        (Failure(kinds.CLIENT_CLOSED, "gone"), "client_closed"),
    ],
)
def test_a_failure_has_this_wires_name_and_the_gateways_code(failure: Failure, name: str) -> None:
    told = orjson.loads(failure_body(failure, "req_1"))
    words = "seed: is an integer" if failure.param else failure.message
    assert told == {"id": "req_1", "name": name, "errors": [words], "code": failure.code}
