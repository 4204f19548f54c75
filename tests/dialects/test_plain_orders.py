"""The plain form orders pictures, speech and transcripts, and refuses what none of them is, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.order import Content, ImageOrder, SpeechOrder, TranscriptOrder
from oneflow_ai.dialects.plain_orders import image_call, recording_of, speech_call, transcript_call
from tests.wire.requests import envelope

SOUND = Content(b"RIFF....WAVE", "talk.wav", "audio/wav")


def picture(prompt: Any = "A cat", **options: Any) -> Call:
    return image_call(prompt, options, envelope(), model="image")


def speech(text: Any = "Hello", **options: Any) -> Call:
    return speech_call(text, options, envelope(), model="speech")


def transcript(**options: Any) -> Call:
    return transcript_call(SOUND, options, envelope(), model="transcription")


def test_a_picture_is_ordered_with_every_option() -> None:
    call = picture(n=2, size="1536x1024", quality="high", negative_prompt="dogs", seed=7, output_format="webp")
    assert (call.operation, call.dialect, call.wire, call.stream) == (Operation.IMAGE, "plain", "", False)
    assert call.order == ImageOrder(
        "A cat", count=2, width=1536, height=1024, quality="high", negative="dogs", seed=7, format="webp"
    )


@pytest.mark.parametrize("quality", ["xhigh", "max"])
def test_a_picture_may_have_the_qualities_of_the_newest_models(quality: str) -> None:
    assert picture(quality=quality).order == ImageOrder("A cat", quality=quality)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, None, "")),
        ({"size": "auto"}, (None, None, "")),
        ({"width": 640, "height": 480}, (640, 480, "")),
        ({"aspect_ratio": "16:9"}, (None, None, "16:9")),
    ],
)
def test_a_pictures_shape_is_told_in_one_of_three_ways(
    options: dict[str, Any], shape: tuple[int | None, int | None, str]
) -> None:
    order = picture(**options).order
    assert isinstance(order, ImageOrder)
    assert (order.width, order.height, order.ratio) == shape


def test_speech_is_ordered_with_every_option() -> None:
    call = speech(voice={"id": "v1"}, response_format="wav", speed=1.5, instructions="Whisper", language="en", seed=3)
    assert (call.operation, call.dialect, call.stream) == (Operation.SPEECH, "plain", False)
    order = SpeechOrder("Hello", voice="v1", format="wav", speed=1.5, instructions="Whisper", language="en", seed=3)
    assert call.order == order


def test_a_transcript_is_ordered_as_a_form_with_the_file() -> None:
    call = transcript(language="en", response_format="srt", temperature=0.5)
    assert (call.operation, call.dialect) == (Operation.TRANSCRIPTION, "plain")
    assert call.order == TranscriptOrder(SOUND, language="en", format="srt", temperature=0.5)
    assert call.form is not None
    assert call.form.uploads("file") == (SOUND,)


def test_a_chain_of_models_is_named_as_in_a_chat() -> None:
    for call in (picture(models=["a/b"]), speech(models=["a/b"]), transcript(models=["a/b"])):
        assert call.body["models"] == ["a/b"]
        assert call.form is None or not call.form.values("models")


def test_a_recording_is_carried_by_a_data_url() -> None:
    upload = recording_of("data:audio/wav;base64,UklGRgAAAABXQVZF")
    assert (upload.name, upload.media_type, upload.size_bytes) == ("audio.wav", "audio/wav", 12)


@pytest.mark.parametrize("url", [None, 7, [], "", "https://example.com/a.wav", "data:,x", "data:audio/wav;base64,?"])
def test_what_carries_no_recording_is_refused(url: Any) -> None:
    with pytest.raises(Failure) as caught:
        recording_of(url)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "prompt")


REFUSED: list[tuple[Any, Any, dict[str, Any], str, str]] = [
    (picture, "", {}, "missing_required_parameter", "prompt"),
    (picture, None, {}, "missing_required_parameter", "prompt"),
    (picture, 7, {}, "invalid_type", "prompt"),
    (picture, "x" * 32_001, {}, "invalid_value", "prompt"),
    (picture, "A cat", {"size": "big"}, "invalid_value", "size"),
    (picture, "A cat", {"n": 11}, "invalid_value", "n"),
    (picture, "A cat", {"n": True}, "invalid_type", "n"),
    (picture, "A cat", {"width": 64}, "invalid_value", "width"),
    (picture, "A cat", {"size": "64x64", "aspect_ratio": "1:1"}, "invalid_value", "size"),
    (picture, "A cat", {"aspect_ratio": "wide"}, "invalid_value", "aspect_ratio"),
    (picture, "A cat", {"seed": -1}, "invalid_value", "seed"),
    (picture, "A cat", {"temperature": 1}, "unsupported_parameter", "temperature"),
    (picture, "A cat", {"base_url": "http://x"}, "forbidden_parameter", "base_url"),
    (speech, "", {}, "missing_required_parameter", "prompt"),
    (speech, ["Hello"], {}, "invalid_type", "prompt"),
    (speech, "Hello", {"speed": 9}, "invalid_value", "speed"),
    (speech, "Hello", {"voice": 7}, "invalid_type", "voice"),
    (speech, "Hello", {"response_format": "midi"}, "invalid_value", "response_format"),
    (speech, "Hello", {"size": "1x1"}, "unsupported_parameter", "size"),
]


@pytest.mark.parametrize(("make", "prompt", "options", "code", "param"), REFUSED)
def test_bad_input_names_the_parameter(make: Any, prompt: Any, options: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(Failure) as caught:
        make(prompt, **options)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("options", "code", "param"),
    [
        ({"response_format": "verbose_json"}, "invalid_value", "response_format"),
        ({"temperature": 2}, "invalid_value", "temperature"),
        ({"language": "a language of no country"}, "invalid_value", "language"),
        ({"voice": "alloy"}, "unsupported_parameter", "voice"),
        ({"models": "a/b"}, "invalid_type", "models"),
    ],
)
def test_bad_options_of_a_transcript_name_the_parameter(options: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(Failure) as caught:
        transcript(**options)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize("words", ["\ud800", "a\0b"])
def test_text_that_json_cannot_carry_is_refused(words: str) -> None:
    for make, options in ((picture, {}), (speech, {}), (picture, {"negative_prompt": words})):
        with pytest.raises(Failure) as caught:
            make("Hello" if options else words, **options)
        assert caught.value.code in ("invalid_type", "invalid_unicode")


@pytest.mark.parametrize("model", ["", "m" * 257, 7, None])
def test_a_model_is_a_name(model: Any) -> None:
    for make in (image_call, speech_call):
        with pytest.raises(Failure) as caught:
            make("Hello", {}, envelope(), model=model)
        assert caught.value.param == "model"
    with pytest.raises(Failure) as caught:
        transcript_call(SOUND, {}, envelope(), model=model)
    assert caught.value.param == "model"
