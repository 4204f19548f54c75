"""Pictures, speech and transcripts of OpenAI's wire, as the official client and raw requests see them."""

from __future__ import annotations

import base64
import json
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError
from PIL import Image

from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.simulator.media.pictures import picture
from oneflow_ai.simulator.media.sound import Format, sound
from oneflow_ai.simulator.wires.openai_speech import SPEECH_FORMATS
from tests.simulator.forms import Fields, send
from tests.simulator.media.test_sound import seconds_heard
from tests.simulator.raw import once
from tests.simulator.spoken import documents
from tests.simulator.test_shapes import shape
from tests.simulator.test_wire_shapes import mistakes
from tests.specifications import openai_specification

PICTURES, EDITS = "/v1/images/generations", "/v1/images/edits"
SPEECH, TRANSCRIPTS, TRANSLATIONS = "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"
WAV = ("bees.wav", b"".join(sound(Format("wav", 8_000), 4.0)), "audio/wav")
PNG = ("bees.png", picture("png", 64, 64, (1, 2, 3)), "image/png")
SAID: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Bees dance. " * 10}
ASKED: dict[str, Any] = {"model": "gpt-image-2", "prompt": "Bees"}


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncOpenAI]:
    """The official client, without retries."""
    async with AsyncOpenAI(base_url=simulator.base_url, api_key="key", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def openai(shared_folder: Path) -> Any:
    """OpenAI's specification, with the sizes and usages that newer models have."""
    return openai_specification(shared_folder)["components"]


def opened(content: str) -> Image.Image:
    """A picture in base64, decoded whole."""
    image = Image.open(BytesIO(base64.b64decode(content)))
    image.load()
    return image


# ---- pictures


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536"])
async def test_pictures_open(client: AsyncOpenAI, form: Any, size: Any) -> None:
    made = await client.images.generate(model="gpt-image-2", prompt="Bees", n=2, size=size, output_format=form)
    assert made.data is not None
    images = [opened(each.b64_json or "") for each in made.data]
    assert {(each.format, "x".join(map(str, each.size))) for each in images} == {(form.upper(), size)}
    assert made.data[0].b64_json != made.data[1].b64_json
    assert (made.size, made.output_format, made.background) == (size, form, "opaque")


@pytest.mark.parametrize(("quality", "spent"), [("high", 1_756), ("xhigh", 3_122), ("max", 7_024)])
async def test_the_newest_models_have_two_qualities_more(client: AsyncOpenAI, quality: Any, spent: int) -> None:
    made = await client.images.generate(
        model="gpt-image-2.5-flare", prompt="Bees", quality=quality, size="1024x1024", output_format="png"
    )
    assert made.usage is not None and made.usage.output_tokens == spent
    if quality != "high":
        with pytest.raises(BadRequestError) as refused:
            await client.images.generate(model="gpt-image-2", prompt="Bees", quality=quality)
        assert refused.value.param == "quality"


@pytest.mark.parametrize(("quality", "size", "spent"), [("high", "1024x1024", 4_160), ("low", "1024x1536", 408)])
async def test_a_picture_costs_by_size_and_quality(client: AsyncOpenAI, quality: Any, size: Any, spent: int) -> None:
    made = await client.images.generate(model="gpt-image-1.5", prompt="Bees", quality=quality, size=size)
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens) == (1, spent)


async def test_a_background_can_be_left_out(client: AsyncOpenAI) -> None:
    made = await client.images.generate(model="gpt-image-1.5", prompt="Bees", background="transparent")
    assert made.data is not None
    assert opened(made.data[0].b64_json or "").mode == "RGBA"


async def test_a_streamed_picture_comes_in_parts(client: AsyncOpenAI) -> None:
    stream = await client.images.generate(model="gpt-image-2", prompt="Bees", stream=True, partial_images=2)
    events = [event async for event in stream]
    assert [each.type for each in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert {opened(each.b64_json).size for each in events} == {(1_024, 1_024)}


async def test_an_edit_takes_pictures(client: AsyncOpenAI) -> None:
    made = await client.images.edit(model="gpt-image-2", prompt="Bees", image=[PNG, PNG], mask=PNG)
    assert made.usage is not None
    assert made.usage.input_tokens_details.image_tokens == 544
    stream = await client.images.edit(model="gpt-image-2", prompt="Bees", image=PNG, stream=True, partial_images=1)
    assert [each.type async for each in stream] == ["image_edit.partial_image", "image_edit.completed"]


async def test_pictures_are_valid(simulator: Simulator, openai: Any) -> None:
    made = await once(simulator, ASKED, path=PICTURES)
    assert not [*mistakes(openai, "ImagesResponse", made.json)]
    streamed = await once(simulator, {**ASKED, "stream": True, "partial_images": 1}, path=PICTURES)
    partial, last = documents(streamed)
    assert not [*mistakes(openai, "ImageGenPartialImageEvent", partial)]
    assert not [*mistakes(openai, "ImageGenCompletedEvent", last)]
    edited = await send(simulator, EDITS, {**ASKED, "image": PNG, "stream": "true", "partial_images": "1"})
    partial, last = documents(edited)
    assert not [*mistakes(openai, "ImageEditPartialImageEvent", partial)]
    assert not [*mistakes(openai, "ImageEditCompletedEvent", last)]


async def test_other_makers_models_may_be_asked_for_an_address(simulator: Simulator) -> None:
    seen = await once(simulator, {"model": "grok-image", "prompt": "Bees", "response_format": "url"}, path=PICTURES)
    scheme, _, content = seen.json["data"][0]["url"].partition(",")
    assert scheme == "data:image/png;base64"
    assert opened(content).format == "PNG"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"prompt": ""}, 400, "invalid_value"),
        ({"prompt": "a" * 32_001}, 400, "invalid_value"),
        ({"n": 11}, 400, "invalid_value"),
        ({"n": "2"}, 400, "invalid_type"),
        ({"size": "huge"}, 400, "invalid_value"),
        ({"size": "1000x1000"}, 400, "invalid_value"),
        ({"size": "8192x1024"}, 400, "invalid_value"),
        ({"model": "gpt-image-1.5", "size": "512x512"}, 400, "invalid_value"),
        ({"background": "transparent", "output_format": "jpeg"}, 400, "invalid_value"),
        ({"stream": True, "n": 2}, 400, "invalid_value"),
        ({"partial_images": 4}, 400, "invalid_value"),
        ({"response_format": "url"}, 400, "unknown_parameter"),
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"prompt": "How to kill bees"}, 400, "moderation_blocked"),
    ],
)
async def test_a_wrong_picture_is_refused(simulator: Simulator, fields: Any, status: int, code: str) -> None:
    seen = await once(simulator, {**ASKED, **fields}, path=PICTURES)
    assert (seen.status, seen.json["error"]["code"]) == (status, code), seen.json


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": "Bees"}, "image"),
        ({"prompt": "Bees", "image": ("a.png", b"text", "image/png")}, "image"),
        ({"prompt": "Bees", "image": PNG, "mask": ("a.png", b"text", "image/png")}, "mask"),
        ({"image": PNG}, "prompt"),
        ({"prompt": "Bees", "image": PNG, "n": "many"}, "n"),
    ],
)
async def test_a_wrong_edit_is_refused(simulator: Simulator, fields: Any, param: str) -> None:
    seen = await send(simulator, EDITS, fields)
    assert (seen.status, seen.json["error"]["param"]) == (400, param)


async def test_an_edit_may_be_asked_in_json(simulator: Simulator) -> None:
    seen = await once(simulator, {**ASKED, "images": [{"image_url": "data:image/png;base64,AA=="}]}, path=EDITS)
    assert seen.json["usage"]["input_tokens_details"]["image_tokens"] == 272
    assert (await once(simulator, ASKED, path=EDITS)).json["error"]["param"] == "images"


# ---- speech


@pytest.mark.parametrize("name", SPEECH_FORMATS)
async def test_speech_is_heard_for_as_long_as_its_text(client: AsyncOpenAI, name: Any) -> None:
    spoken = await client.audio.speech.create(**SAID, response_format=name)
    assert spoken.response.headers["content-type"] == SPEECH_FORMATS[name].media_type
    assert seconds_heard(spoken.content, SPEECH_FORMATS[name]) == pytest.approx(8, abs=0.1)


async def test_speech_flows_in_chunks(simulator: Simulator) -> None:
    seen = await once(simulator, SAID, path=SPEECH)
    assert seen.headers["transfer-encoding"] == "chunked"
    assert seen.whole_chunks


async def test_speech_is_slower_and_faster(client: AsyncOpenAI) -> None:
    for speed, seconds in ((0.5, 16), (2.0, 4)):
        spoken = await client.audio.speech.create(**SAID, response_format="wav", speed=speed)
        with wave.open(BytesIO(spoken.content)) as heard:
            assert heard.getnframes() / heard.getframerate() == seconds


async def test_speech_comes_as_events(simulator: Simulator, openai: Any) -> None:
    seen = await once(simulator, {**SAID, "stream_format": "sse", "response_format": "wav"}, path=SPEECH)
    *deltas, done = documents(seen)
    assert not [*mistakes(openai, "SpeechAudioDeltaEvent", deltas[0]), *mistakes(openai, "SpeechAudioDoneEvent", done)]
    heard = b"".join([base64.b64decode(each["audio"]) for each in deltas])
    assert seconds_heard(heard, Format("wav", 24_000)) == pytest.approx(8)
    assert done["usage"] == {"input_tokens": 30, "output_tokens": 160, "total_tokens": 190}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": "a" * 4_097}, "input"),
        ({"voice": "nobody"}, "voice"),
        ({"voice": {}}, "voice.id"),
        ({"speed": 5}, "speed"),
        ({"response_format": "midi"}, "response_format"),
        ({"model": "tts-1", "stream_format": "sse"}, "stream_format"),
        ({"temperature": 1}, "temperature"),
    ],
)
async def test_wrong_speech_is_refused(simulator: Simulator, fields: Any, param: str) -> None:
    seen = await once(simulator, {**SAID, **fields}, path=SPEECH)
    assert (seen.status, seen.json["error"]["param"]) == (400, param)


# ---- transcripts


@pytest.mark.parametrize("form", ["json", "text", "srt", "verbose_json", "vtt"])
@pytest.mark.parametrize("path", [TRANSCRIPTS, TRANSLATIONS])
async def test_whisper_gives_every_form(simulator: Simulator, form: str, path: str) -> None:
    seen = await send(simulator, path, {"model": "whisper-1", "file": WAV, "response_format": form})
    kind = "application/json" if "json" in form else "text/plain; charset=utf-8"
    assert (seen.status, seen.headers["content-type"]) == (200, kind)
    assert b"This is a simulated answer" in seen.body
    assert seen.body.startswith(b"WEBVTT\n\n00:00:00.000 --> ") == (form == "vtt")
    assert seen.body.startswith(b"1\n00:00:00,000 --> ") == (form == "srt")


async def test_the_official_client_reads_transcripts(client: AsyncOpenAI) -> None:
    told = await client.audio.transcriptions.create(model="whisper-1", file=WAV)
    assert told.usage is not None
    assert told.usage.to_dict() == {"type": "duration", "seconds": 4}
    spent = await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=WAV, prompt="Bees dance.")
    assert spent.usage is not None
    usage = spent.usage.to_dict()
    assert (usage["input_tokens"], usage["input_token_details"]) == (43, {"text_tokens": 3, "audio_tokens": 40})
    verbose = await client.audio.transcriptions.create(
        model="whisper-1", file=WAV, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert verbose.words
    assert verbose.segments
    assert (verbose.duration, verbose.words[-1].end, verbose.segments[-1].end) == (4, 4, 4)
    by_speaker = await client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize", file=WAV, response_format="diarized_json", chunking_strategy="auto"
    )
    assert by_speaker.segments[0].speaker == "A"


async def test_a_streamed_transcript_comes_word_by_word(client: AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(model="gpt-4o-transcribe", file=WAV, stream=True)
    *deltas, done = [event async for event in stream]
    assert done.type == "transcript.text.done"
    assert "".join([each.delta for each in deltas if each.type == "transcript.text.delta"]) == done.text


async def test_transcripts_are_valid(simulator: Simulator, openai: Any) -> None:
    forms = {
        "json": ("gpt-4o-transcribe", "CreateTranscriptionResponseJson"),
        "verbose_json": ("whisper-1", "CreateTranscriptionResponseVerboseJson"),
        "diarized_json": ("gpt-4o-transcribe-diarize", "CreateTranscriptionResponseDiarizedJson"),
    }
    for form, (model, schema) in forms.items():
        fields: Fields = {"model": model, "file": WAV, "response_format": form, "timestamp_granularities[]": "word"}
        assert not [*mistakes(openai, schema, (await send(simulator, TRANSCRIPTS, fields)).json)]
    seen = await send(simulator, TRANSCRIPTS, {"model": "gpt-4o-transcribe", "file": WAV, "stream": "true"})
    delta, *_, done = documents(seen)
    assert not [*mistakes(openai, "TranscriptTextDeltaEvent", delta)]
    assert not [*mistakes(openai, "TranscriptTextDoneEvent", done)]
    assert seen.body.endswith(b"data: [DONE]\r\n\r\n")
    translated = await send(
        simulator, TRANSLATIONS, {"model": "whisper-1", "file": WAV, "response_format": "verbose_json"}
    )
    assert not [*mistakes(openai, "CreateTranslationResponseVerboseJson", translated.json)]


def _recorded(shared_folder: Path, name: str) -> str:
    recording = json.loads((shared_folder / "recordings" / "openai" / f"{name}.json").read_text("utf-8"))
    return str(recording["response"]["body"])


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("audio-transcription-gpt-4o-transcribe-usage", "gpt-4o-transcribe"),
        ("audio-transcription-whisper-1-verbose", "whisper-1"),
    ],
)
async def test_transcripts_have_the_shape_of_recorded_ones(
    simulator: Simulator, shared_folder: Path, name: str, model: str
) -> None:
    seen = await send(simulator, TRANSCRIPTS, {"model": model, "file": WAV})
    assert shape(seen.json) == shape(json.loads(_recorded(shared_folder, name)))


async def test_a_streamed_transcript_has_the_shape_of_a_recorded_one(simulator: Simulator, shared_folder: Path) -> None:
    seen = await send(simulator, TRANSCRIPTS, {"model": "gpt-4o-transcribe", "file": WAV, "stream": "true"})
    recorded = _recorded(shared_folder, "audio-transcription-stream-gpt-4o-transcribe").encode()
    lines = [each.split(b"data: ")[1] for each in recorded.split(b"\r\n\r\n") if each.strip()]
    delta, *_, done = documents(seen)
    assert [shape(delta), shape(done)] == [shape(json.loads(lines[0])), shape(json.loads(lines[-2]))]
    assert seen.body.split(b"\r\n\r\n")[-2].split(b"data: ")[1] == lines[-1] == b"[DONE]"


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"file": WAV}, 400, "model"),
        ({"model": "whisper-1"}, 400, "file"),
        ({"model": "whisper-1", "file": ("a.txt", b"text", "text/plain")}, 400, "file"),
        ({"model": "whisper-1", "file": ("a.wav", b"", "audio/wav")}, 400, "file"),
        ({"model": "whisper-1", "file": WAV, "response_format": "midi"}, 400, "response_format"),
        ({"model": "whisper-1", "file": WAV, "response_format": "diarized_json"}, 400, "response_format"),
        ({"model": "gpt-4o-transcribe", "file": WAV, "response_format": "srt"}, 400, "response_format"),
        ({"model": "whisper-1", "file": WAV, "temperature": "hot"}, 400, "temperature"),
        ({"model": "whisper-1", "file": WAV, "colour": "red"}, 400, "colour"),
        ({"model": "no-such-model", "file": WAV}, 404, None),
        ({"model": "whisper-1", "file": ("a.wav", bytes((25 << 20) + 1), "audio/wav")}, 413, None),
    ],
)
async def test_a_wrong_transcript_is_refused(simulator: Simulator, fields: Any, status: int, param: str | None) -> None:
    seen = await send(simulator, TRANSCRIPTS, fields)
    assert (seen.status, seen.json["error"]["param"]) == (status, param)


async def test_a_larger_file_is_taken_when_told_so() -> None:
    fields: Fields = {"model": "whisper-1", "file": ("a.wav", bytes(26 << 20), "audio/wav")}
    async with Simulator(SimulatorOptions(pace=FAST, file_bytes_most=1 << 30)) as simulator:
        assert (await send(simulator, TRANSCRIPTS, fields)).status == 200


@pytest.mark.parametrize("path", [PICTURES, EDITS, SPEECH, TRANSCRIPTS, TRANSLATIONS])
async def test_a_credential_is_needed(simulator: Simulator, path: str) -> None:
    for key in ("", "bad-key"):
        assert (await once(simulator, {}, path=path, key=key)).status == 401
    assert (await once(simulator, path=path, method="GET")).status == 405
