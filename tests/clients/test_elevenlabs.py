"""The official ElevenLabs client against a running `oneflow serve`, by changing its base URL and key only."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.core import ApiError
from elevenlabs.types import VoiceSettings
from httpx import AsyncClient, Client
from openai import BadRequestError, OpenAI

from benchmarks.processes import tree
from oneflow_ai.dialects.elevenlabs_speech import FLOWING_FORMATS, WHOLE_FORMATS
from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from oneflow_ai.simulator.media.sound import Format, named, sound
from tests.clients.serving import serving
from tests.clients.test_openai_media import GROWTH_KILOBYTES_MOST, LARGE_SECONDS, forget_peak, peak_kilobytes
from tests.simulator.media.test_sound import seconds_heard

pytestmark = pytest.mark.clients

CONFIGURATION = """
[models]
refresh_hours = 0
[retry]
attempts = 2
jitter = false
[providers.elevenlabs]
base_url = "{origin}"
api_key = "env:SECRET"
[providers.openai]
base_url = "{url}"
api_key = "env:SECRET"
[prices."elevenlabs/sim-*"]
usd_per_million_characters = 80
usd_per_audio_hour = 0.22
"""
GEORGE = "JBFqnCBsd6RMkjVDRZzb"
TEXT = "Bees dance in the sun. " * 3
SECONDS = len(TEXT) / 15
SPEAKS, FLASH = "elevenlabs/eleven_multilingual_v2", "elevenlabs/eleven_flash_v2_5"
WAV = ("bees.wav", b"".join(sound(Format("wav", 8_000), 4.0)), "audio/wav")
ONCE: Any = {"max_retries": 0}


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: both clients, how others are made, its process, and the simulator behind it."""

    client: ElevenLabs
    openai: OpenAI
    how: dict[str, Any]
    pid: int
    simulator: ThreadedSimulator


def started(home: Path, options: SimulatorOptions) -> Iterator[Server]:
    with run_in_thread(options) as simulator:
        (home / "oneflow.toml").write_text(CONFIGURATION.format(origin=simulator.origin, url=simulator.base_url))
        before = set(tree(os.getpid()))
        with serving(home, {"SECRET": "sk-secret"}) as (url, key):
            [pid] = set(tree(os.getpid())) - before
            how: dict[str, Any] = {"base_url": url, "api_key": key}
            with OpenAI(base_url=url + "/v1", api_key=key, max_retries=0) as other, Client() as pool:
                yield Server(ElevenLabs(**how, httpx_client=pool), other, how, pid, simulator)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One in front of both wires."""
    yield from started(tmp_path_factory.mktemp("speaking"), SimulatorOptions(pace=FAST))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose provider speaks for hours, and takes files of any size."""
    options = SimulatorOptions(pace=FAST, speech_seconds=LARGE_SECONDS, file_bytes_most=1 << 30)
    yield from started(tmp_path_factory.mktemp("hours"), options)


# ---- speech


@pytest.mark.parametrize("output", WHOLE_FORMATS)
def test_speech_is_heard_in_every_format(server: Server, output: Any) -> None:
    with server.client.text_to_speech.with_raw_response.convert(
        GEORGE, text=TEXT, model_id=SPEAKS, output_format=output, request_options=ONCE
    ) as answer:
        assert answer.headers["content-type"] == named(output).media_type
        heard = b"".join(answer.data)
    assert seconds_heard(heard, named(output)) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("output", FLOWING_FORMATS)
def test_speech_flows_in_every_format(server: Server, output: Any) -> None:
    pieces = server.client.text_to_speech.stream(
        GEORGE, text=TEXT, model_id=SPEAKS, output_format=output, request_options=ONCE
    )
    assert seconds_heard(b"".join(pieces), named(output)) == pytest.approx(SECONDS, abs=0.1)


def test_the_headers_that_tell_what_it_cost_and_its_id(server: Server) -> None:
    with server.client.text_to_speech.with_raw_response.convert(GEORGE, text=TEXT, model_id=FLASH) as answer:
        assert answer.headers["character-cost"] == str(-(-len(TEXT) // 2))
        assert answer.headers["request-id"]
        assert (answer.headers["x-oneflow-provider"], answer.headers["x-oneflow-attempts"]) == ("elevenlabs", "1")
        b"".join(answer.data)


def recorded(server: Server, request_id: str) -> dict[str, Any]:
    """What the history tells of a call, once it is written."""
    headers = {"authorization": f"Bearer {server.how['api_key']}"}
    for _ in range(100):
        told = httpx.get(f"{server.how['base_url']}/api/requests/{request_id}", headers=headers)
        if told.status_code == 200:
            found: dict[str, Any] = told.json()
            return found
        time.sleep(0.05)
    raise AssertionError("the call is not in the history")


@pytest.mark.parametrize(("model", "credits"), [(SPEAKS, len(TEXT)), (FLASH, -(-len(TEXT) // 2))])
def test_a_call_costs_the_credits_that_were_told(server: Server, model: str, credits: int) -> None:
    with server.client.text_to_speech.with_raw_response.stream(GEORGE, text=TEXT, model_id=model) as answer:
        b"".join(answer.data)
    found = recorded(server, answer.headers["x-request-id"])
    assert float(found["cost_usd"]) == pytest.approx(credits * 80 / 1_000_000, abs=1e-9)
    assert (found["estimated"], found["outcome"], found["operation"]) == (False, "ok", "speech")


def test_speech_with_all_that_can_be_said_of_it(server: Server) -> None:
    pieces = server.client.text_to_speech.convert(
        "George",
        text=TEXT,
        model_id=SPEAKS,
        output_format="pcm_16000",
        voice_settings=VoiceSettings(stability=0.2, similarity_boost=0.8, speed=0.8),
        seed=5,
        previous_text="They fly.",
        previous_request_ids=["r1"],
        apply_text_normalization="off",
        language_code="en",
        optimize_streaming_latency=1,
        request_options=ONCE,
    )
    assert seconds_heard(b"".join(pieces), named("pcm_16000")) == pytest.approx(SECONDS / 0.8, abs=0.1)


def test_the_route_that_needs_no_name_speaks(server: Server) -> None:
    assert b"".join(server.client.text_to_speech.convert(GEORGE, text="Bees.", request_options=ONCE))


def test_speech_with_timestamps(server: Server) -> None:
    whole = server.client.text_to_speech.convert_with_timestamps(GEORGE, text=TEXT, model_id=SPEAKS)
    heard = base64.b64decode(whole.audio_base_64)
    assert seconds_heard(heard, named("mp3_44100_128")) == pytest.approx(SECONDS, abs=0.1)
    assert whole.alignment is not None
    assert "".join(whole.alignment.characters) == TEXT


def test_speech_with_timestamps_as_a_stream(server: Server) -> None:
    chunks = list(server.client.text_to_speech.stream_with_timestamps(GEORGE, text=TEXT, model_id=SPEAKS))
    heard = b"".join(base64.b64decode(each.audio_base_64) for each in chunks)
    assert seconds_heard(heard, named("mp3_44100_128")) == pytest.approx(SECONDS, abs=0.1)
    characters = itertools.chain.from_iterable(each.alignment.characters for each in chunks if each.alignment)
    assert "".join(characters) == TEXT


@pytest.mark.parametrize(("voice", "output"), [(GEORGE, "mp3_44100_128"), ("onyx", "wav_24000"), ("nova", "pcm_24000")])
def test_models_of_another_provider_speak_to_its_clients(server: Server, voice: str, output: Any) -> None:
    with (
        server.client.text_to_speech.with_raw_response.stream(
            voice, text=TEXT, model_id="openai/tts-1", output_format=output, request_options=ONCE
        )
        if output != "wav_24000"
        else server.client.text_to_speech.with_raw_response.convert(
            voice, text=TEXT, model_id="openai/tts-1", output_format=output, request_options=ONCE
        ) as answer
    ):
        assert answer.headers["x-oneflow-provider"] == "openai"
        heard = b"".join(answer.data)
    coding = output.partition("_")[0]
    assert seconds_heard(heard, Format(coding, 24_000)) == pytest.approx(SECONDS, rel=0.1)


# ---- transcripts


def test_a_transcript_with_its_words(server: Server) -> None:
    raw = server.client.speech_to_text.with_raw_response.convert(model_id="elevenlabs/scribe_v2", file=WAV)
    found: Any = raw.data
    assert "".join(each.text for each in found.words) == found.text
    assert found.audio_duration_secs == pytest.approx(4.0, abs=0.05)
    assert float(raw.headers["x-oneflow-cost-usd"]) == pytest.approx(4 * 0.22 / 3600, rel=0.05)
    assert "x-oneflow-estimated" not in raw.headers


def test_a_transcript_of_two_speakers_with_all_that_can_be_said_of_it(server: Server) -> None:
    found: Any = server.client.speech_to_text.convert(
        model_id="scribe_v2", file=WAV, diarize=True, num_speakers=2, language_code="en", temperature=0.2, seed=1,
        tag_audio_events=False, timestamps_granularity="word", keyterms=["bees", "honey"],
    )  # fmt: skip
    assert found.words[0].speaker_id == "speaker_0"


def test_a_transcript_of_each_channel(server: Server) -> None:
    found: Any = server.client.speech_to_text.convert(model_id="scribe_v2", file=WAV, use_multi_channel=True)
    assert len(found.transcripts) == 2


def test_models_of_another_provider_write_down_for_its_clients(server: Server) -> None:
    raw = server.client.speech_to_text.with_raw_response.convert(
        model_id="openai/gpt-transcribe", file=WAV, timestamps_granularity="none"
    )
    found: Any = raw.data
    assert found.text and found.words == []
    assert raw.headers["x-oneflow-provider"] == "openai"


def test_a_promise_to_answer_elsewhere_is_refused(server: Server) -> None:
    with pytest.raises(ApiError) as refused:
        server.client.speech_to_text.convert(model_id="scribe_v2", file=WAV, webhook=True, request_options=ONCE)
    assert refused.value.status_code == 400


# ---- what is looked up


def test_lists_and_the_account(server: Server) -> None:
    client = server.client
    listed = client.models.list()
    assert {"speech", SPEAKS, FLASH} <= {each.model_id for each in listed}
    assert all(each.can_do_text_to_speech for each in listed)
    everyone = client.voices.get_all().voices
    found: list[str] = []
    token = None
    while True:
        page = client.voices.search(page_size=5, next_page_token=token)
        found += [each.voice_id for each in page.voices]
        token = page.next_page_token
        if not page.has_more:
            break
    assert found == [each.voice_id for each in everyone]
    assert client.voices.get(GEORGE).name == "George"
    assert client.user.subscription.get().character_limit == 10_000


# ---- failures


def failed(server: Server, **changes: Any) -> ApiError:
    about: dict[str, Any] = {"text": TEXT, "model_id": SPEAKS, "request_options": ONCE, **changes}
    with pytest.raises(ApiError) as found:
        b"".join(server.client.text_to_speech.convert(about.pop("voice", GEORGE), **about))
    return found.value


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"text": ""}, 400, "invalid_value"),
        ({"model_id": "nothing"}, 404, "model_not_found"),
        ({"model_id": "elevenlabs/unpriced"}, 400, "model_not_priced"),
        ({"output_format": "mp4"}, 400, "invalid_value"),
        ({"voice": "no-such-voice"}, 404, "voice_not_found"),
        ({"text": "a" * 10_001}, 400, "context_length_exceeded"),
        ({"model_id": "elevenlabs/sim-F22;kind=quota"}, 503, "provider_quota_exhausted"),
        ({"model_id": "elevenlabs/sim-F23;status=503;times=9"}, 503, "upstream_overloaded"),
        ({"model_id": "openai/tts-1", "output_format": "ulaw_8000"}, 400, "unsupported_parameter"),
    ],
)
def test_what_is_wrong_is_told_in_its_clients_shape(
    server: Server, changes: dict[str, Any], status: int, code: str
) -> None:
    error = failed(server, **changes)
    assert (error.status_code, error.body["detail"]["code"]) == (status, code)


def test_a_wrong_key_is_told_so(server: Server) -> None:
    with Client() as pool:
        wrong = ElevenLabs(base_url=server.how["base_url"], api_key="of_wrong", httpx_client=pool)
        with pytest.raises(ApiError) as refused:
            wrong.voices.get_all(request_options=ONCE)
    assert (refused.value.status_code, refused.value.body["detail"]["status"]) == (401, "invalid_api_key")


def test_what_fails_once_is_tried_again(server: Server) -> None:
    with server.client.text_to_speech.with_raw_response.convert(
        GEORGE, text=TEXT, model_id="elevenlabs/sim-F23;times=1", request_options=ONCE
    ) as answer:
        assert answer.headers["x-oneflow-attempts"] == "2"
        assert b"".join(answer.data)


# ---- OpenAI's client


@pytest.mark.parametrize("form", ["mp3", "opus", "wav"])
def test_openais_client_hears_its_models(server: Server, form: Any) -> None:
    with server.openai.audio.speech.with_streaming_response.create(
        model=FLASH, voice="alloy", input=TEXT, response_format=form
    ) as answer:
        assert answer.headers["x-oneflow-provider"] == "elevenlabs"
        heard = b"".join(answer.iter_bytes())
    rates = {"mp3": named("mp3_44100_128"), "opus": named("opus_48000_128"), "wav": named("wav_24000")}
    assert seconds_heard(heard, rates[form]) == pytest.approx(SECONDS, abs=0.1)


def test_openais_client_hears_plain_samples_at_its_own_rate(server: Server) -> None:
    heard = server.openai.audio.speech.create(model=FLASH, voice="sage", input=TEXT, response_format="pcm").content
    assert len(heard) / 48_000 == pytest.approx(SECONDS, abs=0.1)


def test_openais_client_is_told_what_its_models_do_not_do(server: Server) -> None:
    with pytest.raises(BadRequestError) as refused:
        server.openai.audio.speech.create(model=FLASH, voice="alloy", input=TEXT, response_format="aac")
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "response_format")
    settings = {"voice_settings": {"stability": 0.5}}
    with pytest.raises(BadRequestError) as refused:
        server.openai.audio.speech.create(model=FLASH, voice="alloy", input=TEXT, extra_body=settings)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "voice_settings")


@pytest.mark.parametrize("form", ["json", "text", "verbose_json", "srt", "vtt", "diarized_json"])
def test_openais_client_reads_its_transcripts(server: Server, form: Any) -> None:
    raw = server.openai.audio.transcriptions.with_raw_response.create(
        model="elevenlabs/scribe_v2", file=WAV, response_format=form
    )
    assert raw.headers["x-oneflow-provider"] == "elevenlabs"
    found: Any = raw.parse()
    if form in ("srt", "vtt"):
        assert found.count(" --> ") > 0
    elif form == "text":
        assert len(found) > 10
    else:
        assert found.text
    if form in ("verbose_json", "diarized_json"):
        assert found.segments and found.segments[-1].end == pytest.approx(4.0, abs=0.1)


# ---- much of it


def test_many_at_once(server: Server) -> None:
    async def one(client: AsyncElevenLabs, voice: str) -> int:
        pieces = client.text_to_speech.convert(voice, text=TEXT, model_id=SPEAKS, request_options=ONCE)
        return sum([len(piece) async for piece in pieces])

    async def all_of_them() -> list[int]:
        # A client that is not told of a pool never closes its own.
        async with AsyncClient() as pool:
            client = AsyncElevenLabs(**server.how, httpx_client=pool)
            return await asyncio.gather(*(one(client, GEORGE) for _ in range(30)))

    assert len(set(asyncio.run(all_of_them()))) == 1


def test_speech_that_breaks_is_not_taken_for_whole(server: Server) -> None:
    pieces = server.client.text_to_speech.stream(
        GEORGE, text=TEXT * 10, model_id="elevenlabs/sim-F13", request_options=ONCE
    )
    with pytest.raises(Exception, match="incomplete chunked read"):
        b"".join(pieces)


def test_a_hundred_megabytes_pass_through_without_being_held(large: Server) -> None:
    # What is loaded at the first call is not what is measured.
    large.client.speech_to_text.convert(model_id="scribe_v2", file=WAV)
    before = forget_peak(large.pid)
    file = ("bees.wav", WAV[1][:44] + bytes(100_000_000), "audio/wav")
    large.client.speech_to_text.convert(model_id="scribe_v2", file=file)
    assert peak_kilobytes(large.pid) - before <= GROWTH_KILOBYTES_MOST
    before = forget_peak(large.pid)
    pieces = large.client.text_to_speech.stream(GEORGE, text="Bees.", model_id=SPEAKS)
    assert sum(map(len, pieces)) > 90_000_000
    assert peak_kilobytes(large.pid) - before <= GROWTH_KILOBYTES_MOST
