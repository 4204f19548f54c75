"""One request in the plain form, through the engine."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.answer import Answer, MediaAnswer
from oneflow_ai.control.plain import PlainAnswer, PlainMedia
from oneflow_ai.core.events import Usage
from tests.control.plane import Plane, running, sending

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_answer_is_that_of_the_library(plane: Plane) -> None:
    reply = await plane.chat()
    answer = reply.json
    assert (reply.status, answer["provider"], answer["model"]) == (200, "sim", "gpt-6-luna")
    assert answer["text"]
    cost = (answer["input_tokens"] * 1 + answer["output_tokens"] * 2) / 1_000_000
    assert answer["cost_usd"] == pytest.approx(cost)
    assert (answer["attempts"], answer["simulated"], answer["finish_reason"]) == (1, False, "stop")
    assert answer["request_id"] == reply.headers["x-request-id"]


async def test_the_answer_has_every_part_that_the_library_gives() -> None:
    known: dict[str, Any] = {"provider": "", "model": "", "cost_usd": 0.0, "usage": Usage(), "attempts": 1}
    known |= {"seconds": 0.0, "request_id": ""}
    parts = Answer("", **known).as_dict()
    assert set(parts) == set(PlainAnswer.model_fields)
    parts = MediaAnswer((), **known).as_dict()
    assert set(parts) == set(PlainMedia.model_fields)


async def test_pictures_speech_and_transcripts_are_those_of_the_library(plane: Plane) -> None:
    asked = {"task": "image", "prompt": "A cat", "model": "sim/gpt-image-2", "options": {"n": 2, "timeout_seconds": 9}}
    reply = await plane.post("/api/request", asked)
    assert (reply.status, reply.json["provider"], reply.json["model"]) == (200, "sim", "gpt-image-2")
    pictures = [b64decode(one["data"]) for one in reply.json["media"]]
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"] * 2
    assert reply.json["cost_usd"] > 0
    assert (reply.json["images"], reply.json["characters"], reply.json["audio_seconds"]) == (2, 0, 0)
    asked = {"task": "speech", "prompt": "Hello to you all, " * 6, "model": "sim/tts-1"}
    asked["options"] = {"response_format": "wav"}
    reply = await plane.post("/api/request", asked)
    (sound,) = reply.json["media"]
    assert (reply.json["images"], reply.json["characters"]) == (0, 108)
    assert (sound["media_type"], b64decode(sound["data"])[:4]) == ("audio/wav", b"RIFF")
    url = f"data:audio/wav;base64,{sound['data']}"
    asked = {"task": "transcription", "prompt": url, "model": "sim/gpt-transcribe"}
    reply = await plane.post("/api/request", asked)
    assert (reply.status, reply.json["provider"]) == (200, "sim")
    assert '"audio.wav' in reply.json["text"]
    assert reply.json["audio_seconds"] > 1


async def test_a_chain_of_its_own_leaves_the_route_out(plane: Plane) -> None:
    reply = await plane.chat(options={"models": ["sim/gpt-6-sol", "sim/gpt-6-luna"]})
    assert (reply.status, reply.json["model"]) == (200, "gpt-6-sol")
    reply = await plane.chat(options={"models": ["nowhere"]})
    assert (reply.code, reply.error["param"]) == ("model_not_found", "models[0]")


async def test_options_reach_the_provider(plane: Plane) -> None:
    options = {"max_tokens": 3, "system": "Be short.", "timeout_seconds": 5}
    reply = await plane.chat("canary-prompt", model="sim/gpt-6-luna", options=options)
    assert (reply.json["output_tokens"], reply.json["finish_reason"]) == (3, "length")
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    reply = await plane.post("/api/request", {"task": "text", "prompt": [*messages, messages[0]]})
    assert reply.status == 200


@pytest.mark.parametrize(
    ("changes", "status", "code", "param"),
    [
        ({"task": None}, 400, "invalid_value", "task"),
        ({"task": "dance"}, 400, "invalid_value", "task"),
        ({"task": "embedding"}, 400, "invalid_value", "task"),
        ({"task": "image", "prompt": []}, 400, "invalid_type", "prompt"),
        ({"task": "image", "options": {"size": "big"}}, 400, "invalid_value", "size"),
        ({"task": "image"}, 503, "provider_not_configured", "model"),
        ({"task": "speech", "options": {"stream": True}}, 400, "unsupported_parameter", "options.stream"),
        ({"task": "transcription"}, 400, "invalid_value", "prompt"),
        ({"options": {"n": 2}}, 400, "unsupported_parameter", "options.n"),
        ({"prompt": ""}, 400, "missing_required_parameter", "prompt"),
        ({"prompt": 7}, 400, "invalid_type", "prompt"),
        ({"prompt": []}, 400, "missing_required_parameter", "prompt"),
        ({"model": ""}, 400, "invalid_value", "model"),
        ({"model": "nobody/nothing"}, 404, "model_not_found", "model"),
        ({"model": "openai/gpt-6-luna"}, 503, "provider_not_configured", "model"),
        ({"options": []}, 400, "invalid_type", "options"),
        ({"options": {"stream": True}}, 400, "unsupported_parameter", "options.stream"),
        ({"options": {"model": "other"}}, 400, "unsupported_parameter", "options.model"),
        ({"options": {"temperature": 9}}, 400, "invalid_value", "temperature"),
        ({"options": {"base_url": "http://127.0.0.1:1"}}, 400, "forbidden_parameter", "base_url"),
        ({"options": {"timeout_seconds": 0}}, 400, "invalid_value", "options.timeout_seconds"),
        ({"options": {"timeout_seconds": "1"}}, 400, "invalid_type", "options.timeout_seconds"),
        ({"answer": 1}, 400, "unsupported_parameter", "answer"),
    ],
)
async def test_bad_input_names_the_parameter(
    plane: Plane, changes: dict[str, Any], status: int, code: str, param: str
) -> None:
    reply = await plane.post("/api/request", {"task": "text", "prompt": "Hello", **changes})
    assert (reply.status, reply.code, reply.error["param"]) == (status, code, param)


@pytest.mark.asyncio(loop_scope="function")
async def test_a_providers_failure_is_told_with_its_own_code_and_no_more_retries(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[retry]\nattempts = 1\n") as plane:
        reply = await plane.chat(model="sim/sim-F23")
        assert (reply.status, reply.code) == (502, "upstream_error")
        assert reply.headers["x-should-retry"] == "false"


@pytest.mark.asyncio(loop_scope="function")
async def test_limits_of_the_key_hold_here_too(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        made = await plane.post("/api/keys", {"name": "slow", "requests_per_minute": 1})
        replies = [await plane.chat(model="sim/gpt-6-luna", key=made.json["key"]) for _ in range(2)]
        assert [reply.status for reply in replies] == [200, 429]
        assert replies[1].code == "rate_limit_exceeded"
        assert int(replies[1].headers["retry-after"]) > 0


@pytest.mark.asyncio(loop_scope="function")
async def test_too_many_calls_at_once_are_told_to_come_again(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[server]\ncalls_most = 1\n") as plane:
        gone = asyncio.Event()
        first = asyncio.ensure_future(hanging(plane, gone))
        await until_called(plane)
        replies = [await plane.chat(model="sim/gpt-6-luna") for _ in range(8)]
        assert {(reply.status, reply.code) for reply in replies} == {(503, "overloaded")}
        waits = [int(reply.headers["retry-after-ms"]) for reply in replies]
        assert 1_000 <= min(waits) < max(waits) <= 5_000
        gone.set()
        assert (await first).code == "client_closed"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_key_that_floods_leaves_room_for_the_others(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[server]\ncalls_most = 10\n") as plane:
        other = await plane.keys.create("other")
        plane.runtime.admit(await plane.keys.load_all())
        gone = asyncio.Event()
        held = [asyncio.ensure_future(hanging(plane, gone)) for _ in range(9)]
        await plane.simulator.record.until(lambda record: record.counts.in_flight == 9)
        reply = await plane.chat(model="sim/gpt-6-luna")
        assert (reply.status, reply.code) == (503, "overloaded")
        assert 1 <= int(reply.headers["retry-after"]) <= 5
        assert (await plane.chat(model="sim/gpt-6-luna", key=other.key.reveal())).status == 200
        gone.set()
        assert {reply.code for reply in await asyncio.gather(*held)} == {"client_closed"}
        assert (await plane.chat(model="sim/gpt-6-luna")).status == 200


@pytest.mark.asyncio(loop_scope="function")
async def test_a_client_that_leaves_ends_its_call_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        gone = asyncio.Event()
        asking = asyncio.ensure_future(hanging(plane, gone))
        await until_called(plane)
        gone.set()
        assert (await asking).code == "client_closed"
        assert plane.runtime.engine.calls_open == 0
        state = plane.runtime.quota.state("sim")
        assert state is not None
        assert state.in_flight == 0


async def hanging(plane: Plane, gone: asyncio.Event) -> Any:
    """Ask for what never comes, until the client is gone."""
    body = b'{"task": "text", "prompt": "Hello", "model": "sim/sim-F9"}'
    return await plane.post("/api/request", body, receive=sending(body, gone=gone))


async def until_called(plane: Plane) -> None:
    """Wait until a call has reached the simulator."""
    await plane.simulator.record.until(lambda record: record.counts.in_flight > 0)
