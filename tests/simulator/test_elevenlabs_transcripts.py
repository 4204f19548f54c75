"""ElevenLabs' transcripts, as the official client and raw requests see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from elevenlabs.client import AsyncElevenLabs
from httpx import AsyncClient

from oneflow_ai.simulator import Simulator
from oneflow_ai.simulator.media.sound import Format, sound
from tests.simulator.forms import Fields, send
from tests.simulator.raw import Seen, once
from tests.simulator.test_wire_shapes import mistakes

PATH = "/v1/speech-to-text"
WAV = ("bees.wav", b"".join(sound(Format("wav", 8_000), 4.0)), "audio/wav")


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> Any:
    """The part of ElevenLabs' specification that is played."""
    text = (shared_folder / "specs" / "elevenlabs-openapi.gateway-subset.json").read_text("utf-8")
    return json.loads(text)["components"]


async def ask(simulator: Simulator, key: str = "key", *, without: str = "", **fields: Any) -> Seen:
    """Send a recording as the wire has it."""
    whole: Fields = {"model_id": "scribe_v2", "file": WAV, **fields}
    sent = {name: value for name, value in whole.items() if name != without}
    return await send(simulator, PATH, sent, key="", headers={"xi-api-key": key})


async def test_the_official_client_reads_words_with_their_times(simulator: Simulator) -> None:
    async with AsyncClient() as pool:
        client = AsyncElevenLabs(base_url=simulator.origin, api_key="key", httpx_client=pool)
        found: Any = await client.speech_to_text.convert(model_id="scribe_v1", file=WAV, diarize=True, keyterms=["bee"])
    assert "".join(each.text for each in found.words) == found.text
    assert found.words[-1].end == pytest.approx(4.0, abs=0.05)
    assert {each.type for each in found.words} == {"word", "spacing"}


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        ({}, "SpeechToTextChunkResponseModel"),
        ({"timestamps_granularity": "none", "diarize": "true"}, "SpeechToTextChunkResponseModel"),
        ({"use_multi_channel": "true"}, "MultichannelSpeechToTextResponseModel"),
    ],
)
async def test_transcripts_are_valid(
    simulator: Simulator, specification: Any, fields: dict[str, str], schema: str
) -> None:
    seen = await ask(simulator, **fields)
    assert seen.status == 200
    assert not [*mistakes(specification, schema, seen.json)]
    assert seen.json["audio_duration_secs"] == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize(
    ("fields", "key", "status", "name"),
    [
        ({"model_id": "no-such-model"}, "key", 400, "invalid_model_id"),
        ({"without": "file"}, "key", 400, "invalid_parameters"),
        ({"file": ("a.wav", b"", "audio/wav")}, "key", 400, "empty_file"),
        ({}, "poor-key", 401, "quota_exceeded"),
        ({}, "bad-key", 401, "invalid_api_key"),
        ({}, "", 401, "needs_authorization"),
        ({"model_id": "sim-F23;status=503"}, "key", 503, "service_unavailable"),
        ({"model_id": "sim-F22;kind=slowdown"}, "key", 429, "system_busy"),
    ],
)
async def test_a_refusal_has_a_status_and_a_message(
    simulator: Simulator, fields: Any, key: str, status: int, name: str
) -> None:
    seen = await ask(simulator, key, **fields)
    assert (seen.status, seen.json["detail"]["status"]) == (status, name)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"without": "model_id"}, ["body", "model_id"]),
        ({"temperature": "3"}, ["body", "temperature"]),
        ({"num_speakers": "many"}, ["body", "num_speakers"]),
        ({"timestamps_granularity": "line"}, ["body", "timestamps_granularity"]),
    ],
)
async def test_a_wrong_field_is_in_a_list(simulator: Simulator, fields: Any, place: list[str]) -> None:
    seen = await ask(simulator, **fields)
    assert (seen.status, seen.json["detail"][0]["loc"]) == (422, place)


async def test_one_voice_by_its_id(simulator: Simulator, specification: Any) -> None:
    headers = {"xi-api-key": "key"}
    seen = await once(simulator, path="/v1/voices/JBFqnCBsd6RMkjVDRZzb", method="GET", key="", headers=headers)
    assert not [*mistakes(specification, "VoiceResponseModel", seen.json)]
    missing = await once(simulator, path="/v1/voices/nobody", method="GET", key="", headers=headers)
    assert (missing.status, missing.json["detail"]["status"]) == (404, "voice_not_found")
