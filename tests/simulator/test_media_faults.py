"""Faults on the wires of pictures and sound, and 100 MB through them in little memory."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

import pytest

from oneflow_ai.simulator import FAST, FAULTS, Rule, Simulator, SimulatorOptions
from oneflow_ai.simulator.media.sound import Format, sound
from tests.simulator.forms import BOUNDARY, TYPED, send
from tests.simulator.raw import Seen, once, request

SPEECH, PICTURES = "/v1/audio/speech", "/v1/images/generations"
TRANSCRIPTS, CORE, SD3 = (
    "/v1/audio/transcriptions",
    "/v2beta/stable-image/generate/core",
    "/v2beta/stable-image/generate/sd3",
)
ELEVEN = "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb"
WAV = ("bees.wav", b"".join(sound(Format("wav", 8_000), 1.0)), "audio/wav")
SAID: dict[str, Any] = {"voice": "alloy", "input": "Bees dance.", "response_format": "pcm"}
# Faults that never end, or that send more than a test may read.
ENDLESS = {"F4", "F5", "F6", "F9", "F10", "F11", "F12", "F34", "F35", "F37", "F44"}


async def _ask(simulator: Simulator, wire: str, model: str, headers: dict[str, str] | None = None) -> Seen:
    if wire == "speech":
        return await once(simulator, {**SAID, "model": model}, path=SPEECH, headers=headers or {})
    if wire == "events":
        return await once(
            simulator, {**SAID, "model": model, "stream_format": "sse"}, path=SPEECH, headers=headers or {}
        )
    if wire == "pictures":
        return await once(simulator, {"prompt": "Bees", "model": model}, path=PICTURES, headers=headers or {})
    if wire == "transcripts":
        return await send(simulator, TRANSCRIPTS, {"model": model, "file": WAV}, headers=headers)
    if wire == "sd3":
        return await send(simulator, SD3, {"prompt": "Bees", "model": model}, headers=headers)
    if wire == "lists":
        return await once(simulator, path="/v1/engines/list", method="GET", headers=headers or {})
    return await once(simulator, {"text": "Bees dance.", "model_id": model}, path=ELEVEN, headers=headers or {})


WIRES = ["speech", "events", "pictures", "transcripts", "sd3", "eleven"]


@pytest.mark.parametrize("wire", WIRES)
async def test_a_fault_is_asked_for_by_the_models_name(simulator: Simulator, wire: str) -> None:
    seen = await _ask(simulator, wire, "sim-F23;status=503")
    assert seen.status == 503
    assert simulator.record.attempts("sim-F23;status=503")[0].fault == "F23;status=503"


@pytest.mark.parametrize("wire", [*WIRES, "lists"])
@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ENDLESS and FAULTS[each].play])
async def test_every_fault_plays_on_every_wire(simulator: Simulator, wire: str, fault: str) -> None:
    """Nothing but the fault goes wrong: what nobody thought of would be a 500 of the wire's own."""
    seen = await _ask(simulator, wire, "some-model", {"x-fault": fault})
    # what is left unread of a request that was answered early may break the connection
    if fault not in ("F7", "F43", "F45"):
        assert seen.raw
    if fault != "F23":
        assert b"HTTP/1.1 500" not in seen.raw[:20]


async def test_core_is_struck_by_a_name_in_its_path_or_by_a_rule(simulator: Simulator) -> None:
    seen = await send(simulator, "/v2beta/stable-image/generate/sim-F23%3Bstatus=502", {"prompt": "Bees"})
    assert (seen.status, seen.json["name"]) == (502, "internal_error")
    simulator.rules = (Rule(fault="F22;kind=quota", path="/v2beta/*"),)
    assert (await send(simulator, CORE, {"prompt": "Bees"})).status == 402
    assert (await _ask(simulator, "pictures", "gpt-image-2")).status == 200


async def test_a_form_is_struck_before_its_file_was_read(simulator: Simulator) -> None:
    """The beginning that names the model is enough: the rest never comes."""
    beginning = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nsim-F43;status=413\r\n'.encode()
    told = request(beginning, path=TRANSCRIPTS, headers={**TYPED, "content-length": "100000000"})
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(told)
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.transport.abort()


@pytest.mark.parametrize("fault", ["F17", "F18;at=event:2", "F14;kind=torn;at=event:2", "F13;at=event:2"])
async def test_a_sound_is_cut_and_gets_no_error_in_it(simulator: Simulator, fault: str) -> None:
    seen = await _ask(simulator, "speech", f"sim-{fault}")
    assert seen.status == 200
    assert not seen.whole_chunks
    assert b"error" not in seen.body
    whole = (await _ask(simulator, "speech", "gpt-4o-mini-tts")).body
    assert whole.startswith(seen.body)
    assert len(seen.body) < len(whole)


async def test_events_of_speech_get_an_error_in_them(simulator: Simulator) -> None:
    seen = await _ask(simulator, "events", "sim-F18;at=event:2")
    assert b'"error"' in seen.datas[-1]


async def test_a_usage_is_left_out(simulator: Simulator) -> None:
    assert "usage" not in (await _ask(simulator, "pictures", "sim-F38")).json
    assert b"usage" not in (await _ask(simulator, "events", "sim-F38")).body


# ---- size


async def _read_all(simulator: Simulator, content: bytes) -> int:
    """Read an answer to its end and give how many bytes it had."""
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(content)
    size = 0
    while piece := await reader.read(64 << 10):
        size += len(piece)
    writer.close()
    await writer.wait_closed()
    return size


@pytest.mark.parametrize("path", [SPEECH, f"{ELEVEN}/stream?output_format=pcm_48000"])
async def test_a_hundred_megabytes_are_sent_in_little_memory(path: str) -> None:
    asked = {**SAID, "model": "tts-1"} if path == SPEECH else {"text": "Bees"}
    seconds = 100_000_000 / 48_000 if path == SPEECH else 100_000_000 / 96_000
    async with Simulator(SimulatorOptions(pace=FAST, speech_seconds=seconds)) as simulator:
        gc.collect()
        tracemalloc.start()
        try:
            size = await _read_all(simulator, request(asked, path=path, headers={"connection": "close"}))
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
    assert size > 100_000_000


async def test_a_hundred_megabytes_are_taken_in_little_memory() -> None:
    opening = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--{BOUNDARY}\r\n'
        'Content-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    ).encode()
    closing, piece, pieces = f"\r\n--{BOUNDARY}--\r\n".encode(), bytes(100_000), 1_000
    length = len(opening) + len(closing) + len(piece) * pieces
    told = {**TYPED, "content-length": str(length), "connection": "close"}
    async with Simulator(SimulatorOptions(pace=FAST, file_bytes_most=1 << 30, answer_tokens=20)) as simulator:
        gc.collect()
        tracemalloc.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
            writer.write(request(opening, path=TRANSCRIPTS, headers=told))
            for _ in range(pieces):
                writer.write(piece)
                await writer.drain()
            writer.write(closing)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()
        assert answer.startswith(b"HTTP/1.1 200")
        assert simulator.record.attempts("whisper-1")[0].body_bytes == length
