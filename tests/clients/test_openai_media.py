"""Pictures, speech and transcripts by the official client, through a running server: they can be seen and heard."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from PIL import Image

from benchmarks.processes import tree
from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from oneflow_ai.simulator.media.pictures import picture
from oneflow_ai.simulator.media.sound import Format, sound
from tests.clients.serving import serving
from tests.simulator.media.test_sound import seconds_heard

pytestmark = pytest.mark.clients

CONFIGURATION = """
[models]
refresh_hours = 0
[retry]
attempts = 2
jitter = false
[providers.openai]
base_url = "{url}"
api_key = "env:SECRET"
[prices."openai/sim-*"]
usd_per_image = 0.04
usd_per_million_characters = 15
usd_per_audio_hour = 0.36
input_usd_per_million_tokens = 1
output_usd_per_million_tokens = 2
"""
IMAGES, SPEECH, WHISPER = "openai/gpt-image-2.6-flare", "openai/tts-1", "openai/whisper-1"
# At 128 kbit/s, as the simulator speaks MP3.
LARGE_SECONDS = 100_000_000 / 16_000
GROWTH_KILOBYTES_MOST = 8 * 1024
WAV = ("bees.wav", b"".join(sound(Format("wav", 8_000), 4.0)), "audio/wav")
PNG = ("bees.png", picture("png", 64, 64, (1, 2, 3)), "image/png")
TEXT = "Bees dance. " * 20


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: a client and how others are made, its process, and the simulator behind it."""

    client: OpenAI
    how: dict[str, Any]
    pid: int
    simulator: ThreadedSimulator

    def attempts(self, model: str) -> int:
        """How many requests for this model reached the provider."""
        return self.simulator.do(lambda real: real.record.counts.by_model[model])


def started(home: Path, options: SimulatorOptions) -> Iterator[Server]:
    with run_in_thread(options) as simulator:
        (home / "oneflow.toml").write_text(CONFIGURATION.format(url=simulator.base_url))
        before = set(tree(os.getpid()))
        with serving(home, {"SECRET": "sk-secret"}) as (url, key):
            [pid] = set(tree(os.getpid())) - before
            how: dict[str, Any] = {"base_url": url + "/v1", "api_key": key, "max_retries": 0}
            with OpenAI(**how) as client:
                yield Server(client, how, pid, simulator)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One in front of OpenAI's wire."""
    yield from started(tmp_path_factory.mktemp("media"), SimulatorOptions(pace=FAST))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose provider speaks for hours, and takes files of any size."""
    options = SimulatorOptions(pace=FAST, speech_seconds=LARGE_SECONDS, file_bytes_most=1 << 30)
    yield from started(tmp_path_factory.mktemp("large"), options)


def opened(content: str | None) -> Image.Image:
    image = Image.open(BytesIO(base64.b64decode(content or "")))
    image.load()
    return image


def cost_in(event: Any) -> float:
    """What the last event of a stream says that it cost, in US dollars."""
    told = event.usage.model_dump()["cost"]
    assert isinstance(told, float)
    return told


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_pictures(server: Server, form: Any) -> None:
    raw = server.client.images.with_raw_response.generate(model=IMAGES, prompt="Bees", n=2, output_format=form)
    made = raw.parse()
    assert [opened(each.b64_json).format for each in made.data or []] == [form.upper()] * 2
    assert made.usage is not None and made.usage.output_tokens > 0
    assert raw.headers["content-type"] == "application/json"
    assert float(raw.headers["x-oneflow-cost-usd"]) > 0


def test_pictures_of_the_route_that_needs_no_name(server: Server) -> None:
    made = server.client.images.generate(prompt="Bees")
    assert opened((made.data or [])[0].b64_json).size == (1024, 1024)


def test_pictures_as_a_stream(server: Server) -> None:
    events = list(server.client.images.generate(model=IMAGES, prompt="Bees", stream=True, partial_images=2))
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert {opened(event.b64_json).format for event in events} == {"PNG"}
    assert cost_in(events[-1]) > 0
    (event,) = server.client.images.generate(model=IMAGES, prompt="Bees", stream=True)
    assert opened(event.b64_json).size == (1024, 1024) and cost_in(event) > 0


def test_a_picture_changed(server: Server) -> None:
    made = server.client.images.edit(model=IMAGES, prompt="Greener", image=[PNG, PNG], mask=PNG)
    assert opened((made.data or [])[0].b64_json).format == "PNG"
    made = server.client.images.edit(model=IMAGES, prompt="Greener", image=PNG)
    assert made.usage is not None and made.usage.input_tokens_details.image_tokens > 0


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
def test_speech(server: Server, form: Any) -> None:
    with server.client.audio.speech.with_streaming_response.create(
        model=SPEECH, voice="alloy", input=TEXT, response_format=form
    ) as answer:
        assert answer.headers["content-type"].startswith("audio/")
        assert answer.headers["x-oneflow-model"] == "tts-1"
        content = b"".join(answer.iter_bytes())
    assert seconds_heard(content, Format(form, 24_000)) == pytest.approx(len(TEXT) / 15, rel=0.1)


def test_speech_as_a_stream_tells_what_it_cost(server: Server) -> None:
    with server.client.audio.speech.with_streaming_response.create(
        model="openai/gpt-4o-mini-tts", voice="alloy", input=TEXT, stream_format="sse"
    ) as answer:
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: ")]
    assert [event["type"] for event in events][-1] == "speech.audio.done"
    assert events[-1]["usage"]["cost"] > 0


def test_speech_without_a_container(server: Server) -> None:
    spoken = server.client.audio.speech.create(model=SPEECH, voice="alloy", input=TEXT, response_format="pcm").content
    assert len(spoken) / 48_000 == pytest.approx(len(TEXT) / 15, rel=0.1)


@pytest.mark.parametrize("form", ["json", "verbose_json", "text", "srt", "vtt"])
def test_a_transcript(server: Server, form: Any) -> None:
    raw = server.client.audio.transcriptions.with_raw_response.create(model=WHISPER, file=WAV, response_format=form)
    assert float(raw.headers["x-oneflow-cost-usd"]) == pytest.approx(4 * 0.006 / 60, rel=0.3)
    plain = form in ("text", "srt", "vtt")
    assert raw.headers["content-type"] == ("text/plain; charset=utf-8" if plain else "application/json")
    # Seconds that nobody told are an estimate, and said to be one.
    assert raw.headers.get("x-oneflow-estimated") == ("true" if plain else None)
    assert raw.content


def test_a_transcript_as_a_stream(server: Server) -> None:
    events = list(server.client.audio.transcriptions.create(model="openai/gpt-transcribe", file=WAV, stream=True))
    assert events[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == events[-1].text
    assert cost_in(events[-1]) > 0


def test_a_model_that_knows_no_stream_is_told_as_one(server: Server) -> None:
    whole = server.client.audio.transcriptions.create(model="openai/whisper-1", file=WAV)
    events = list(server.client.audio.transcriptions.create(model="openai/whisper-1", file=WAV, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == whole.text != ""
    assert cost_in(events[-1]) > 0


def test_a_translation(server: Server) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        translated = server.client.audio.translations.create(model=WHISPER, file=WAV)
    assert translated.text


def ask(server: Server, kind: str, model: str) -> Any:
    client = server.client
    if kind == "picture":
        return client.images.generate(model=model, prompt="Bees")
    if kind == "edit":
        return client.images.edit(model=model, prompt="Bees", image=PNG)
    if kind == "speech":
        return client.audio.speech.create(model=model, voice="alloy", input=TEXT)
    return client.audio.transcriptions.create(model=model, file=WAV)


KINDS = ("picture", "edit", "speech", "transcript")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_provider_fails_at_is_tried_again_and_then_told(server: Server, kind: str) -> None:
    name = f"sim-F23;times={50 + KINDS.index(kind)}"
    with pytest.raises(openai.InternalServerError) as failed:
        ask(server, kind, f"openai/{name}")
    assert failed.value.code == "upstream_error"
    assert server.attempts(name) == 2
    # A file is read anew for each try.
    name = f"sim-F23;times=1;status={(500, 502, 503, 504)[KINDS.index(kind)]}"
    assert ask(server, kind, f"openai/{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_told_before_anything_is_sent(server: Server, kind: str) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(server, kind, "nothing")
    assert unknown.value.code == "model_not_found"
    before = server.simulator.do(lambda real: real.record.counts.requests)
    with pytest.raises(openai.BadRequestError):
        ask(server, kind, "openai/gpt-6-unpriced")
    assert server.simulator.do(lambda real: real.record.counts.requests) == before


def test_speech_that_breaks_is_not_taken_for_whole(server: Server) -> None:
    def heard() -> int:
        with server.client.audio.speech.with_streaming_response.create(
            model="openai/sim-F13", voice="alloy", input=TEXT * 10
        ) as answer:
            return sum(map(len, answer.iter_bytes()))

    with pytest.raises(Exception, match="incomplete chunked read"):
        heard()


def test_many_at_once(server: Server) -> None:
    async def all_of_them() -> list[Any]:
        async with AsyncOpenAI(**server.how) as client:
            asked: list[Any] = [client.audio.transcriptions.create(model=WHISPER, file=WAV) for _ in range(20)]
            asked += [client.images.generate(model=IMAGES, prompt="Bees") for _ in range(20)]
            return await asyncio.gather(*asked)

    assert len(asyncio.run(all_of_them())) == 40


def peak_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def forget_peak(pid: int) -> int:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_kilobytes(pid)


def test_a_hundred_megabytes_pass_through_without_being_held(large: Server) -> None:
    # What is loaded at the first call is not what is measured.
    assert large.client.audio.transcriptions.create(model=WHISPER, file=WAV).text
    before = forget_peak(large.pid)
    head = WAV[1][:44]
    file = ("bees.wav", head + bytes(100_000_000), "audio/wav")
    assert large.client.audio.transcriptions.create(model=WHISPER, file=file).text
    assert peak_kilobytes(large.pid) - before <= GROWTH_KILOBYTES_MOST
    before = forget_peak(large.pid)
    with large.client.audio.speech.with_streaming_response.create(model=SPEECH, voice="alloy", input="Bees.") as answer:
        heard = sum(map(len, answer.iter_bytes()))
    assert heard > 90_000_000
    assert peak_kilobytes(large.pid) - before <= GROWTH_KILOBYTES_MOST
