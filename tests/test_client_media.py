"""The library gives pictures, speech and transcripts: their bytes, who made them, and what they cost."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from oneflow_ai import AsyncOneFlow, MediaAnswer, OneFlow, OneFlowError
from oneflow_ai.settings import Loaded
from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from tests.canaries import PROVIDER_KEY
from tests.library import library_settings

# So long that what is read from it has several words.
LONG = "Hello to you all, and to those who are on their way to us in the rain. " * 3


@pytest.fixture(scope="module")
def simulator() -> Iterator[ThreadedSimulator]:
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        yield simulator


@pytest.fixture
def settings(simulator: ThreadedSimulator, tmp_path: Path) -> Loaded:
    return library_settings(
        simulator,
        tmp_path,
        '[routes.image]\ntargets = ["sim/gpt-image-2"]\n[routes.speech]\ntargets = ["sim/tts-1"]\n'
        '[routes.transcription]\ntargets = ["sim/gpt-transcribe"]\n[retry]\nattempts = 1\n',
        prices="usd_per_image = 0.01\nusd_per_million_characters = 15\n",
    )


@pytest.fixture
def flow(settings: Loaded) -> Iterator[OneFlow]:
    with OneFlow(settings=settings) as flow:
        yield flow


def test_a_picture_comes_with_its_bytes_and_its_cost(flow: OneFlow, tmp_path: Path) -> None:
    answer = flow.image("A cat", size="1536x1024")
    assert (answer.provider, answer.model, answer.attempts, answer.simulated) == ("sim", "gpt-image-2", 1, False)
    assert answer.media_type == "image/png"
    assert Image.open(io.BytesIO(answer.data)).size == (1536, 1024)
    assert answer.cost_usd > 0.01
    assert answer.usage.images == 1
    (file,) = answer.save(tmp_path / "cat.png")
    assert file.read_bytes() == answer.data


def test_a_picture_has_the_size_that_it_was_asked_for_in(flow: OneFlow) -> None:
    answer = flow.image("A fox", size="2048x1536", quality="low")
    assert Image.open(io.BytesIO(answer.data)).size == (2048, 1536)
    with pytest.raises(OneFlowError) as refused:
        flow.image("A fox", size="1000x1000")
    assert refused.value.code == "unsupported_parameter"
    assert "1000x1000" in str(refused.value)


def test_several_pictures_are_saved_beside_each_other(flow: OneFlow, tmp_path: Path) -> None:
    answer = flow.image("A cat", n=3, output_format="webp")
    files = answer.save(str(tmp_path / "cat.webp"))
    assert [file.name for file in files] == ["cat.webp", "cat-2.webp", "cat-3.webp"]
    assert [file.read_bytes() for file in files] == [one.data for one in answer.media]
    assert {one.media_type for one in answer.media} == {"image/webp"}


def test_speech_is_one_sound_however_it_came(flow: OneFlow) -> None:
    answer = flow.speech("Hello to you all", voice="alloy", response_format="wav")
    assert (answer.provider, answer.model, answer.media_type, len(answer.media)) == ("sim", "tts-1", "audio/wav", 1)
    assert answer.data[:4] == b"RIFF"
    assert answer.usage.characters == len("Hello to you all")
    assert answer.cost_usd > 0


def test_a_recording_is_written_down_by_its_path_or_its_bytes(flow: OneFlow, tmp_path: Path) -> None:
    file = tmp_path / "talk.wav"
    flow.speech(LONG, response_format="wav").save(file)
    for audio in (file, str(file)):
        answer = flow.transcribe(audio)
        assert '"talk.wav' in answer.text
        assert (answer.provider, answer.model) == ("sim", "gpt-transcribe")
        assert answer.cost_usd > 0
    assert '"audio.wav' in flow.transcribe(file.read_bytes()).text
    assert '"call.wav' in flow.transcribe(file.read_bytes(), filename="call.wav").text


def test_each_text_has_its_vector(flow: OneFlow) -> None:
    answer = flow.embed(["a gateway", "a door"], model="sim/text-embedding-3-small", dimensions=8)
    assert (answer.provider, answer.model, [len(vector) for vector in answer.vectors]) == (
        "sim",
        "text-embedding-3-small",
        [8, 8],
    )
    assert answer.vectors[1] == flow.embed("a door", model="sim/text-embedding-3-small", dimensions=8).vectors[0]
    assert answer.cost_usd > 0


def test_an_answer_is_json_and_a_data_url(flow: OneFlow) -> None:
    answer = flow.image("A cat")
    told = json.loads(json.dumps(answer.as_dict()))
    assert base64.b64decode(told["media"][0]["data"]) == answer.data
    assert answer.media[0].url == f"data:image/png;base64,{told['media'][0]['data']}"
    assert (told["provider"], told["cost_usd"]) == ("sim", answer.cost_usd)


async def test_the_async_face_gives_the_same(settings: Loaded) -> None:
    async with AsyncOneFlow(settings=settings) as flow:
        picture = await flow.image("A cat")
        assert isinstance(picture, MediaAnswer)
        assert picture.data == (await flow.image("A cat")).data
        sound = await flow.speech("Hello")
        assert (await flow.transcribe(sound.data)).text


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda flow: flow.image(""), "missing_required_parameter"),
        (lambda flow: flow.image("A cat", size="huge"), "invalid_value"),
        (lambda flow: flow.image("A cat", model="speech"), "invalid_value"),
        (lambda flow: flow.image("A cat", model="nobody/has-this"), "model_not_found"),
        (lambda flow: flow.image("A cat", model="sim/sim-F23"), "upstream_error"),
        (lambda flow: flow.image("A cat", negative_prompt="dogs"), "unsupported_parameter"),
        (lambda flow: flow.speech("Hello", voice=""), "invalid_value"),
        (lambda flow: flow.speech("Hello", model="sim/sim-F17"), "upstream_closed"),
        (lambda flow: flow.transcribe(b""), "invalid_value"),
        (lambda flow: flow.transcribe(7), "invalid_type"),
        (lambda flow: flow.embed([]), "missing_required_parameter"),
        (lambda flow: flow.embed([7.5]), "invalid_type"),
        (lambda flow: flow.embed("Hello", encoding_format="base64"), "unsupported_parameter"),
    ],
)
def test_a_failure_tells_its_code_and_no_secret(flow: OneFlow, call: Any, code: str) -> None:
    with pytest.raises(OneFlowError) as caught:
        call(flow)
    assert caught.value.code == code
    assert caught.value.request_id.startswith("req_")
    assert PROVIDER_KEY not in str(caught.value)


def test_a_recording_that_cannot_be_read_or_is_too_large_is_told(settings: Loaded, tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    large.write_bytes(b"RIFF" + bytes(2_000))
    server = settings.settings.server.model_copy(update={"upload_bytes_most": 1_024})
    small = settings.settings.model_copy(update={"server": server})
    with OneFlow(settings=replace(settings, settings=small)) as flow:
        with pytest.raises(OneFlowError) as caught:
            flow.transcribe(large)
        assert caught.value.code == "request_too_large"
        with pytest.raises(FileNotFoundError):
            flow.transcribe(tmp_path / "none.wav")
