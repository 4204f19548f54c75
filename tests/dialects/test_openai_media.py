"""Pictures and speech that OpenAI's clients ask for: what is refused, what it comes to, and answers in their shape."""

import base64
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.events import Blob, End, Raw, Usage
from oneflow_ai.core.failure import UPSTREAM_CLOSED, Failure
from oneflow_ai.core.form import Form
from oneflow_ai.core.order import Content, ImageOrder, SpeechOrder
from oneflow_ai.dialects import openai_forms
from oneflow_ai.dialects.openai import encoder
from tests.wire.requests import call_of, envelope, target_of

PICTURE, SOUND = Blob(b"picture", "image/webp"), Blob(b"sound", "audio/mpeg")
USED, ENDED = Usage(3, 5, input_image_tokens=1, images=1), End()
BROKEN = Failure(UPSTREAM_CLOSED, "it was cut")


def image(**fields: Any) -> Call:
    return call_of({"model": "image", "prompt": "a cat", **fields}, Operation.IMAGE)


def speech(**fields: Any) -> Call:
    return call_of({"model": "speech", "input": "six words", **fields}, Operation.SPEECH)


def test_what_a_request_for_pictures_comes_to() -> None:
    asked = image(
        n=3, size="1536x1024", quality="high", background="transparent", output_format="webp", output_compression=0,
        response_format="url", style="vivid", moderation="low",
    )  # fmt: skip
    assert asked.order == ImageOrder(
        "a cat", 3, 1536, 1024, quality="high", style="vivid", background="transparent", format="webp", compression=0,
        urls=True, minor=("moderation",),
    )  # fmt: skip
    assert image(size="auto", quality="auto", background="auto").order == ImageOrder("a cat")
    assert not image().stream and image(stream=True).stream


def test_options_of_other_wires_may_be_asked_for() -> None:
    asked = image(aspect_ratio="16:9", negative_prompt="dogs", seed=7, strength=0.5, style_preset="anime")
    assert asked.order == ImageOrder("a cat", ratio="16:9", negative="dogs", seed=7, strength=0.5, preset="anime")


@pytest.mark.parametrize("quality", ["xhigh", "max"])
def test_the_qualities_of_the_newest_models_may_be_asked_for(quality: str) -> None:
    assert image(quality=quality).order == ImageOrder("a cat", quality=quality)


def test_pictures_need_no_model_by_name() -> None:
    assert call_of({"prompt": "a cat"}, Operation.IMAGE).model == "image"


def test_what_a_request_for_speech_comes_to() -> None:
    asked = speech(voice={"id": "v-1"}, response_format="wav", speed=1.5, instructions="softly", stream_format="sse")
    assert asked.order == SpeechOrder("six words", "v-1", "wav", speed=1.5, instructions="softly", events=True)
    assert asked.stream
    assert speech().order == SpeechOrder("six words")
    assert not speech(stream_format="audio").stream


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"), ({"prompt": ""}, "prompt"), ({"prompt": 7}, "prompt"), ({"n": 0}, "n"),
        ({"n": 11}, "n"), ({"n": 1.5}, "n"), ({"size": "wide"}, "size"), ({"size": "0x0"}, "size"),
        ({"size": "1024x1024\n"}, "size"), ({"quality": "best"}, "quality"),
        ({"output_format": "bmp"}, "output_format"),
        ({"output_compression": 101}, "output_compression"), ({"partial_images": 4}, "partial_images"),
        ({"stream": 1}, "stream"), ({"base_url": "http://evil.invalid"}, "base_url"), ({"style": ["vivid"]}, "style"),
        ({"prompt": "a" * 32_001}, "prompt"), ({"aspect_ratio": "wide"}, "aspect_ratio"),
        ({"aspect_ratio": "0:1"}, "aspect_ratio"), ({"negative_prompt": ["a"]}, "negative_prompt"),
        ({"seed": -1}, "seed"), ({"seed": 1.5}, "seed"), ({"strength": 1.1}, "strength"),
        ({"style_preset": 7}, "style_preset"),
    ],
)  # fmt: skip
def test_pictures_that_are_refused_at_once(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as refused:
        image(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"), ({"input": ""}, "input"), ({"input": ["a"]}, "input"), ({"voice": 7}, "voice"),
        ({"voice": {}}, "voice"), ({"voice": ""}, "voice"), ({"speed": 0.2}, "speed"), ({"speed": True}, "speed"),
        ({"response_format": "mp4"}, "response_format"), ({"stream_format": "json"}, "stream_format"),
        ({"instructions": 7}, "instructions"), ({"input": "a" * 40_001}, "input"), ({"model": ""}, "model"),
    ],
)  # fmt: skip
def test_speech_that_is_refused_at_once(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Failure) as refused:
        speech(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_pictures_of_another_wire_in_this_ones_shape() -> None:
    call = image()
    writer = encoder(call, target_of("openai"))
    assert writer.feed(PICTURE) == b""
    told = orjson.loads(writer.end(ENDED, USED, 40_000_000))
    assert told == {
        "created": int(call.received.timestamp()),
        "data": [{"b64_json": base64.b64encode(b"picture").decode()}],
        "output_format": "webp",
        "usage": {
            "total_tokens": 8,
            "input_tokens": 3,
            "output_tokens": 5,
            "input_tokens_details": {"text_tokens": 2, "image_tokens": 1},
        },
    }


def test_a_stream_of_pictures_of_another_wire_tells_what_they_cost() -> None:
    writer = encoder(image(stream=True, size="1024x1024"), target_of("openai"))
    assert writer.feed(PICTURE) == b""
    event = writer.end(ENDED, USED, 40_000_000)
    assert event.startswith(b"event: image_generation.completed\ndata: {") and event.endswith(b"}\n\n")
    told = orjson.loads(event.split(b"data: ")[1])
    assert (told["b64_json"], told["size"]) == (base64.b64encode(b"picture").decode(), "1024x1024")
    assert told["usage"]["cost"] == 0.04
    assert orjson.loads(writer.failure(BROKEN).split(b"data: ")[1])["error"]["code"] == "upstream_closed"


def transcript() -> Call:
    form = Form((("model", "m"), ("stream", "true")), (("file", Content(b"sound", "talk.wav", "audio/wav")),))
    return openai_forms.parse_form(form, envelope(Operation.TRANSCRIPTION))


@pytest.mark.parametrize("call", [image(stream=True), speech(stream_format="sse"), transcript()])
@pytest.mark.parametrize("before", [[], [Raw(b"data: {}\n\n", 1)]])
def test_the_last_event_of_a_providers_own_stream_tells_what_it_cost(call: Call, before: list[Raw]) -> None:
    writer = encoder(call, target_of("openai"))
    for event in before:
        assert writer.feed(event) == event.content
    chunk = {"event": {"type": "a", "usage": {"own": 1}}, "name": None, "done": False}
    told = b'data: {"type":"a","usage":{"own":1,"cost":0.04}}\n\n'
    assert writer.end(End(chunk=chunk), USED, 40_000_000) == told
    whole = writer.end(End(chunk={**chunk, "name": "a", "done": True}), USED, 40_000_000)
    assert whole == b"event: a\n" + told + b"data: [DONE]\n\n"


@pytest.mark.parametrize("call", [image(), speech()])
def test_bytes_of_the_same_wire_are_passed_on(call: Call) -> None:
    writer = encoder(call, target_of("openai"))
    assert writer.feed(Raw(b"{}", 1)) == b"{}"
    assert writer.end(ENDED, USED, 0) == writer.failure(BROKEN) == b""


def test_sound_is_passed_on_at_once_and_nothing_else_gets_into_it() -> None:
    writer = encoder(speech(), target_of("openai"))
    assert writer.feed(SOUND) == b"sound"
    assert writer.end(ENDED, USED, 0) == writer.failure(BROKEN) == b""


def test_sound_as_events() -> None:
    writer = encoder(speech(stream_format="sse"), target_of("openai"))
    sound = orjson.loads(writer.feed(SOUND).removeprefix(b"data: "))
    assert sound == {"type": "speech.audio.delta", "audio": base64.b64encode(b"sound").decode()}
    done = orjson.loads(writer.end(ENDED, Usage(2, 5), 40_000_000).removeprefix(b"data: "))
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 2, "output_tokens": 5, "total_tokens": 7, "cost": 0.04},
    }
    assert orjson.loads(writer.failure(BROKEN).removeprefix(b"data: "))["type"] == "error"
