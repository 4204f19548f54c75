"""ElevenLabs' wire, as the official client and raw requests see it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core import ApiError
from httpx import AsyncClient

from oneflow_ai.simulator import FAST, Limits, Pace, Simulator, SimulatorOptions
from oneflow_ai.simulator.media.sound import named
from tests.simulator.media.test_sound import seconds_heard
from tests.simulator.raw import Seen, once
from tests.simulator.test_wire_shapes import mistakes

VOICE = "JBFqnCBsd6RMkjVDRZzb"
SPEECH = f"/v1/text-to-speech/{VOICE}"
TEXT = "Bees dance in the sun. " * 3
SECONDS = len(TEXT) / 15
FORMATS = [
    *("mp3_22050_32", "mp3_24000_48", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96", "mp3_44100_128"),
    *("mp3_44100_192", "pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000", "pcm_32000", "pcm_44100", "pcm_48000"),
    *("ulaw_8000", "alaw_8000", "opus_48000_32", "opus_48000_64", "opus_48000_96", "opus_48000_128", "opus_48000_192"),
]
WAVS = ["wav_8000", "wav_16000", "wav_22050", "wav_24000", "wav_32000", "wav_44100", "wav_48000"]


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[AsyncElevenLabs]:
    """The official client, on a pool that is closed."""
    async with AsyncClient() as pool:
        yield AsyncElevenLabs(base_url=simulator.origin, api_key="key", httpx_client=pool)


@pytest.fixture(scope="module")
def specification(shared_folder: Path) -> Any:
    """The part of ElevenLabs' specification that is played."""
    text = (shared_folder / "specs" / "elevenlabs-openapi.gateway-subset.json").read_text("utf-8")
    return json.loads(text)["components"]


async def ask(simulator: Simulator, path: str = SPEECH, key: str = "key", **fields: Any) -> Seen:
    """Ask for speech as the wire has it."""
    return await once(
        simulator, {"text": TEXT, **fields}, path=path, key="", headers={"xi-api-key": key} if key else {}
    )


async def show(simulator: Simulator, path: str, key: str = "key") -> Seen:
    """Ask for a list."""
    return await once(simulator, path=path, method="GET", key="", headers={"xi-api-key": key})


# ---- speech


@pytest.mark.parametrize("output", [*FORMATS, *WAVS])
async def test_speech_is_heard_in_every_format(client: AsyncElevenLabs, output: Any) -> None:
    pieces = client.text_to_speech.convert(VOICE, text=TEXT, output_format=output)
    heard = b"".join([piece async for piece in pieces])
    assert seconds_heard(heard, named(output)) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("output", FORMATS)
async def test_streamed_speech_is_the_same(simulator: Simulator, output: str) -> None:
    whole = await ask(simulator, f"{SPEECH}?output_format={output}")
    streamed = await ask(simulator, f"{SPEECH}/stream?output_format={output}")
    assert (whole.status, whole.body) == (200, streamed.body)
    assert whole.headers["content-type"] == named(output).media_type


async def test_speech_with_timestamps(client: AsyncElevenLabs) -> None:
    whole = await client.text_to_speech.convert_with_timestamps(VOICE, text=TEXT)
    assert seconds_heard(base64.b64decode(whole.audio_base_64), named("mp3_44100_128")) == pytest.approx(
        SECONDS, abs=0.1
    )
    assert whole.alignment is not None
    assert "".join(whole.alignment.characters) == TEXT
    assert whole.alignment.character_end_times_seconds[-1] == pytest.approx(SECONDS, abs=0.01)


async def test_streamed_speech_with_timestamps(client: AsyncElevenLabs) -> None:
    chunks = [each async for each in client.text_to_speech.stream_with_timestamps(VOICE, text=TEXT)]
    heard = b"".join([base64.b64decode(each.audio_base_64) for each in chunks])
    assert seconds_heard(heard, named("mp3_44100_128")) == pytest.approx(SECONDS, abs=0.1)
    alignments = [each.alignment for each in chunks if each.alignment]
    assert "".join([character for each in alignments for character in each.characters]) == TEXT
    starts = [start for each in alignments for start in each.character_start_times_seconds]
    assert starts == sorted(starts)


async def test_speech_with_timestamps_is_valid(simulator: Simulator, specification: Any) -> None:
    whole = await ask(simulator, f"{SPEECH}/with-timestamps")
    assert not [*mistakes(specification, "AudioWithTimestampsResponseModel", whole.json)]
    streamed = await ask(simulator, f"{SPEECH}/stream/with-timestamps")
    for line in streamed.body.splitlines():
        found = mistakes(specification, "StreamingAudioChunkWithTimestampsResponseModel", orjson.loads(line))
        assert not [*found]


@pytest.mark.parametrize(
    ("model", "cost"), [("eleven_multilingual_v2", len(TEXT)), ("eleven_flash_v2_5", -(-len(TEXT) // 2))]
)
@pytest.mark.parametrize("action", ["", "/stream", "/with-timestamps", "/stream/with-timestamps"])
async def test_the_cost_and_the_ids_are_told(simulator: Simulator, model: str, cost: int, action: str) -> None:
    seen = await ask(simulator, SPEECH + action, model_id=model)
    assert seen.headers["character-cost"] == str(cost)
    assert {"request-id", "x-trace-id", "history-item-id", "maximum-concurrent-requests"} <= set(seen.headers)


async def test_speech_is_as_fast_as_its_settings_say(simulator: Simulator) -> None:
    seen = await ask(simulator, f"{SPEECH}?output_format=pcm_8000", voice_settings={"speed": 0.8})
    assert len(seen.body) / 16_000 == pytest.approx(SECONDS / 0.8, abs=0.01)


# ---- errors


@pytest.mark.parametrize(
    ("fields", "path", "key", "status", "name"),
    [
        ({}, SPEECH, "", 401, "needs_authorization"),
        ({}, SPEECH, "bad-key", 401, "invalid_api_key"),
        ({}, SPEECH, "poor-key", 401, "quota_exceeded"),
        ({}, "/v1/text-to-speech/no-such-voice", "key", 404, "voice_not_found"),
        ({"model_id": "no-such-model"}, SPEECH, "key", 400, "model_not_found"),
        ({"text": " "}, SPEECH, "key", 400, "input_text_empty"),
        ({"text": "a" * 10_001}, SPEECH, "key", 400, "max_character_limit_exceeded"),
        ({"text": "a" * 40_001, "model_id": "eleven_flash_v2_5"}, SPEECH, "key", 400, "max_character_limit_exceeded"),
    ],
)
async def test_a_refusal_has_a_status_and_a_message(
    simulator: Simulator, fields: Any, path: str, key: str, status: int, name: str
) -> None:
    seen = await ask(simulator, path, key, **fields)
    assert (seen.status, seen.json["detail"]["status"]) == (status, name)
    assert seen.json["detail"]["message"]


@pytest.mark.parametrize(
    ("fields", "path", "place"),
    [
        ({"text": 5}, SPEECH, ["body", "text"]),
        ({"voice_settings": {"stability": 2}}, SPEECH, ["body", "voice_settings", "stability"]),
        ({"seed": "x"}, SPEECH, ["body", "seed"]),
        ({}, f"{SPEECH}?output_format=mp3", ["query", "output_format"]),
        ({}, f"{SPEECH}/stream?output_format=wav_44100", ["query", "output_format"]),
        ({}, f"{SPEECH}?optimize_streaming_latency=9", ["query", "optimize_streaming_latency"]),
    ],
)
async def test_a_wrong_field_is_in_a_list(
    simulator: Simulator, specification: Any, fields: Any, path: str, place: list[str]
) -> None:
    seen = await ask(simulator, path, **fields)
    assert (seen.status, seen.json["detail"][0]["loc"]) == (422, place)
    assert not [*mistakes(specification, "HTTPValidationError", seen.json)]


async def test_a_missing_text_is_told_as_the_real_one_tells_it(simulator: Simulator, shared_folder: Path) -> None:
    told = shared_folder / "recordings" / "_quoted" / "elevenlabs" / "tts-422-validation.json"
    seen = await once(simulator, {}, path=SPEECH)
    assert seen.json == json.loads(json.loads(told.read_text("utf-8"))["response"]["body"])


async def test_the_official_client_sees_the_quota(simulator: Simulator) -> None:
    async with AsyncClient() as pool:
        client = AsyncElevenLabs(base_url=simulator.origin, api_key="poor-key", httpx_client=pool)
        with pytest.raises(ApiError) as refused:
            async for _ in client.text_to_speech.convert(VOICE, text=TEXT):
                pass
    assert refused.value.status_code == 401
    assert refused.value.body["detail"]["status"] == "quota_exceeded"


@pytest.mark.parametrize(
    ("fault", "status", "name"),
    [
        ("F19", 429, "too_many_concurrent_requests"),
        ("F22;kind=slowdown", 429, "system_busy"),
        ("F22;kind=quota", 401, "quota_exceeded"),
        ("F24", 401, "invalid_api_key"),
        ("F23;status=503", 503, "service_unavailable"),
    ],
)
async def test_faults_speak_this_wires_words(simulator: Simulator, fault: str, status: int, name: str) -> None:
    seen = await ask(simulator, model_id=f"sim-{fault}")
    assert (seen.status, seen.json["detail"]["status"]) == (status, name)
    by_voice = await ask(simulator, f"/v1/text-to-speech/sim-{fault.replace(';', '%3B')}")
    assert by_voice.status == status


# ---- requests at a time


async def test_more_at_a_time_than_allowed_are_refused() -> None:
    pace = Pace(first_token_seconds=0.2, tokens_per_second=0, jitter=0)
    options = SimulatorOptions(pace=pace, limits=Limits(concurrency=2))
    async with Simulator(options) as simulator:
        seen = await asyncio.gather(*[ask(simulator) for _ in range(5)])
        assert sorted(each.status for each in seen) == [200, 200, 429, 429, 429]
        refused = next(each for each in seen if each.status == 429)
        assert refused.json["detail"]["status"] == "too_many_concurrent_requests"
        told = [each.headers["current-concurrent-requests"] for each in seen if each.status == 200]
        assert sorted(told) == ["1", "2"]
        assert {each.headers["maximum-concurrent-requests"] for each in seen} == {"2"}
        assert (await ask(simulator)).status == 200


async def test_too_many_a_minute_is_a_busy_system() -> None:
    async with Simulator(SimulatorOptions(pace=FAST, limits=Limits(requests_per_minute=1))) as simulator:
        assert (await ask(simulator)).status == 200
        refused = await ask(simulator)
        assert (refused.status, refused.json["detail"]["status"]) == (429, "system_busy")


# ---- lists


async def test_the_official_client_reads_the_lists(client: AsyncElevenLabs) -> None:
    models = await client.models.list()
    assert models[0].model_id == "eleven_multilingual_v2"
    everyone = (await client.voices.get_all()).voices
    found: list[str] = []
    token = None
    while True:
        page = await client.voices.search(page_size=5, next_page_token=token)
        found += [voice.voice_id for voice in page.voices]
        token = page.next_page_token
        if not page.has_more:
            break
    assert found == [voice.voice_id for voice in everyone]
    assert (await client.user.subscription.get()).character_limit == 10_000


async def test_the_lists_are_valid(simulator: Simulator, specification: Any) -> None:
    for each in (await show(simulator, "/v1/models")).json:
        assert not [*mistakes(specification, "ModelResponseModel", each)]
    for path, schema in {
        "/v1/voices": "GetVoicesResponseModel",
        "/v2/voices?page_size=3": "GetVoicesV2ResponseModel",
        "/v1/user/subscription": "ExtendedSubscriptionResponseModel",
    }.items():
        assert not [*mistakes(specification, schema, (await show(simulator, path)).json)]
    poor = (await show(simulator, "/v1/user/subscription", "poor")).json
    assert poor["character_count"] == poor["character_limit"]


async def test_the_models_of_others_stay_theirs(simulator: Simulator) -> None:
    assert (await once(simulator, path="/v1/models", method="GET")).json["object"] == "list"
