"""A model that does not do what it is asked for: told by name, with those of the configured that do."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.app.gateway import MESSAGES, running

PROVIDERS = {
    "openai": "",
    "anthropic": 'kind = "anthropic"',
    "stability": 'kind = "stability"',
    "elevenlabs": 'kind = "elevenlabs"',
}
LUNA, HAIKU = "openai/gpt-6-luna", "anthropic/claude-haiku-5-5"
FLARE, CORE = "openai/gpt-image-2.6-flare", "stability/stable-image-core"
TTS, ELEVEN = "openai/tts-1", "elevenlabs/eleven_multilingual_v2"
VECTOR = "openai/text-embedding-3-small"
CHAT = ("/v1/chat/completions", {"messages": MESSAGES})
IMAGE = ("/v1/images/generations", {"prompt": "Bees"})
SPEECH = ("/v1/audio/speech", {"input": "Bees", "voice": "alloy"})
VECTORS = ("/v1/embeddings", {"input": "Bees"})
TIMED = ("/v1/text-to-speech/alloy/stream/with-timestamps", {"text": "Bees"})


@pytest.mark.parametrize(
    ("asked", "model", "who", "task", "others"),
    [
        (CHAT, CORE, "stability/stable-image-core does not do text", "text", f"{LUNA}, {HAIKU}"),
        (CHAT, "stability/unheard-of", "stability does not do chat", "text", f"{LUNA}, {HAIKU}"),
        (CHAT, "openai/tts-1", "openai/tts-1 does not do text", "text", f"{LUNA}, {HAIKU}"),
        (IMAGE, "claude-haiku-5-5", "anthropic/claude-haiku-5-5 does not do image", "image", f"{FLARE}, {CORE}"),
        (SPEECH, "gpt-6-luna", "openai/gpt-6-luna does not do speech", "speech", f"{TTS}, {ELEVEN}"),
        (VECTORS, "anthropic/unheard-of", "anthropic does not do embedding", "embedding", VECTOR),
    ],
)
async def test_a_model_that_lacks_a_task_is_told_with_the_providers_that_have_it(
    tmp_path: Path, asked: tuple[str, dict[str, object]], model: str, who: str, task: str, others: str
) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        path, body = asked
        reply = await gateway.post(path, orjson.dumps({**body, "model": model}))
        assert reply.status == 400
        assert reply.json["error"] == {
            "message": f"{who}; {task} is done by {others}",
            "type": "invalid_request_error",
            "param": "model",
            "code": "unsupported_operation",
        }
        assert gateway.simulator.record.counts.requests == 0


async def test_what_only_some_of_a_tasks_providers_do_names_the_model_alone(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        path, body = TIMED
        reply = await gateway.post(path, orjson.dumps({**body, "model_id": "openai/tts-1"}))
        assert (reply.status, reply.json["detail"]["code"]) == (400, "unsupported_operation")
        assert reply.json["detail"]["message"] == "model: the target does not tell when each character is spoken"


async def test_another_model_of_a_chain_is_asked_instead(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        reply = await gateway.chat("stability/unheard-of", models=["openai/tts-1", "openai/gpt-6-luna"])
        assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "openai")


async def test_a_chain_of_its_own_leaves_the_route_out(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        body = {"prompt": "Bees", "models": ["openai/gpt-image-2.6-flare"]}
        reply = await gateway.post("/v1/images/generations", orjson.dumps(body))
        assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "openai")
        usual = await gateway.post("/v1/images/generations", orjson.dumps({"prompt": "Bees"}))
        assert usual.headers["x-oneflow-provider"] == "stability"
