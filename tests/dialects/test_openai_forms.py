"""Forms of OpenAI's clients: what is refused, and what they come to."""

import base64
from typing import Any

import pytest

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content, ImageOrder, TranscriptOrder
from oneflow_ai.dialects.openai_forms import parse_form
from tests.wire.requests import call_of, envelope

AUDIO = Content(b"sound", "talk.wav", "audio/wav")
PICTURE, MASK = Content(b"picture", "a.png", "image/png"), Content(b"mask", "m.png", "image/png")


def transcript(*fields: tuple[str, str], operation: Operation = Operation.TRANSCRIPTION, files: Any = None) -> Call:
    sent = (("file", AUDIO),) if files is None else files
    return parse_form(Form((("model", "m"), *fields), sent), envelope(operation))


def edit(*fields: tuple[str, str], files: Any = (("image", PICTURE),)) -> Call:
    return parse_form(Form((("prompt", "a cat"), *fields), files), envelope(Operation.IMAGE_EDIT))


def test_what_a_transcript_comes_to() -> None:
    call = transcript(
        ("language", "de"), ("prompt", "names"), ("response_format", "verbose_json"), ("temperature", "0.2"),
        ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment"), ("stream", "true"),
        ("user", "u-1"), ("own", "kept"),
    )  # fmt: skip
    further = ("own",)
    assert call.order == TranscriptOrder(
        AUDIO, "de", "names", "verbose_json", 0.2, ("word", "segment"), further=further
    )
    assert (call.stream, call.user, call.model, call.wire) == (True, "u-1", "m", "openai")
    assert transcript().order == TranscriptOrder(AUDIO)
    assert not transcript(("stream", "false")).stream


def test_a_field_that_this_wire_does_not_name_is_told_to_other_wires() -> None:
    assert transcript(("diarize", "true"), ("models[]", "m"), ("keywords[]", "a")).order == TranscriptOrder(
        AUDIO, minor=("keywords",), further=("diarize",)
    )
    call = edit(("cfg_scale", "7"), ("user", "u"), ("input_fidelity", "high"), files=(("image", PICTURE),))
    assert call.order == ImageOrder("a cat", sources=(PICTURE,), minor=("input_fidelity",), further=("cfg_scale",))


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(Failure) as refused:
        edit(files=(("image", Content(b"", "a.png", "image/png")),))
    assert (refused.value.status, refused.value.param) == (400, "image")


def test_a_translation_is_in_english() -> None:
    assert transcript(operation=Operation.TRANSLATION).order == TranscriptOrder(AUDIO, english=True)


def test_what_an_edit_comes_to() -> None:
    call = edit(("n", "2"), ("size", "1024x1024"), files=(("image[]", PICTURE), ("image[]", PICTURE), ("mask", MASK)))
    assert call.order == ImageOrder("a cat", 2, 1024, 1024, sources=(PICTURE, PICTURE), mask=MASK)
    assert call.model == "image"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([("stream", "maybe")], "stream"), ([("temperature", "hot")], "temperature"),
        ([("temperature", "nan")], "temperature"), ([("temperature", "2")], "temperature"),
        ([("response_format", "doc")], "response_format"), ([("language", "")], "language"),
        ([("timestamp_granularities[]", "line")], "timestamp_granularities"), ([("model", "other")], "model"),
        ([("base_url", "http://evil.invalid")], "base_url"), ([("language[]", "de")], "language"),
    ],
)  # fmt: skip
def test_a_transcript_that_is_refused_at_once(fields: list[tuple[str, str]], param: str) -> None:
    with pytest.raises(Failure) as refused:
        transcript(*fields)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize("fields", [[("tag", "a"), ("tag[]", "b")], [("tag[]", "a"), ("tag", "b")]])
def test_a_field_is_one_value_or_a_list_never_both(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(Failure) as refused:
        transcript(*fields)
    assert (refused.value.code, refused.value.param) == ("invalid_type", "tag")


def test_options_of_other_wires_may_be_asked_for_by_a_form() -> None:
    order = edit(("strength", "0.5"), ("seed", "4294967294"), ("input_fidelity", "high")).order
    assert order == ImageOrder("a cat", sources=(PICTURE,), strength=0.5, seed=4_294_967_294, minor=("input_fidelity",))


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ((), "missing_required_parameter"),
        ((("other", AUDIO),), "missing_required_parameter"),
        ((("file", AUDIO), ("file", AUDIO)), "too_many_items"),
        ((("file", Content(b"", "a", "audio/wav")),), "invalid_value"),
    ],
)
def test_a_transcript_is_of_one_file_that_holds_something(files: Any, code: str) -> None:
    with pytest.raises(Failure) as refused:
        transcript(files=files)
    assert (refused.value.code, refused.value.param) == (code, "file")


def test_translations_are_not_streamed() -> None:
    with pytest.raises(Failure) as refused:
        transcript(("stream", "true"), operation=Operation.TRANSLATION)
    assert refused.value.param == "stream"


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ([("n", "-1")], (("image", PICTURE),), "n"), ([("n", "11")], (("image", PICTURE),), "n"),
        ([("n", "1" * 5_000)], (("image", PICTURE),), "n"), ([("size", "big")], (("image", PICTURE),), "size"),
        ([], (), "image"), ([], (("image", PICTURE),) * 17, "image"),
        ([], (("image", PICTURE), ("mask", MASK), ("mask", MASK)), "mask"),
        ([("mask", "x")], (("image", PICTURE),), "mask"),
    ],
)  # fmt: skip
def test_an_edit_that_is_refused_at_once(fields: list[tuple[str, str]], files: Any, param: str) -> None:
    with pytest.raises(Failure) as refused:
        edit(*fields, files=files)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_an_edit_needs_a_prompt() -> None:
    with pytest.raises(Failure) as refused:
        parse_form(Form((), (("image", PICTURE),)), envelope(Operation.IMAGE_EDIT))
    assert refused.value.param == "prompt"


URL = "data:image/png;base64," + base64.b64encode(b"picture").decode()


def json_edit(**fields: Any) -> Call:
    return call_of({"prompt": "a cat", "images": [{"image_url": URL}], **fields}, Operation.IMAGE_EDIT)


def test_an_edit_in_json() -> None:
    order = json_edit(
        images=[{"image_url": URL}, {"image_url": "https://a.invalid/1.png"}, {"file_id": "f"}],
        mask={"image_url": URL},
    ).order
    assert isinstance(order, ImageOrder) and order.mask is not None
    assert [b"".join(source.pieces()) for source in (*order.sources, order.mask)] == [b"picture"] * 2
    assert (order.elsewhere, order.sources[0].media_type, order.sources[0].name) == (2, "image/png", "image.png")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"images": []}, "images"), ({"images": None}, "images"), ({"images": ["a"]}, "images[0]"),
        ({"images": [{}]}, "images[0].image_url"), ({"images": [{"image_url": "ftp://a"}]}, "images[0].image_url"),
        ({"images": [{"image_url": "data:image/png;base64,AA=A"}]}, "images[0].image_url"), ({"mask": 7}, "mask"),
    ],
)  # fmt: skip
def test_an_edit_in_json_that_is_refused_at_once(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as refused:
        json_edit(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)
