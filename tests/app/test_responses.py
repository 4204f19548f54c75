"""OpenAI's Responses through the whole gateway: fallback, streams that break, what is held and what is paid."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.call import Account
from tests.app.gateway import KEY, OTHER_KEY, Gateway, Reply, running

# Each wire at the simulator; only the first two have Responses of their own.
KINDS = ("openai", "xai", "groq", "anthropic")
MODELS = {"anthropic": "claude-haiku-5-5"}
BEFORE_CONTENT = ("F6", "F7", "F13@event:0", "F14@event:0", "F17", "F23", "F24", "F26", "F27", "F28", "F41")
WITHIN_CONTENT = tuple(f"{fault}@event:{index}" for fault in ("F13", "F14", "F18") for index in (1, 2, 5, 8))
PROVIDERS = {kind: f'kind = "{kind}"' for kind in KINDS}


def model_of(kind: str) -> str:
    return f"{kind}/{MODELS.get(kind, 'gpt-6-luna')}"


async def ask(gateway: Gateway, model: str, path: str = "", *, key: str = KEY, **fields: Any) -> Reply:
    body = {"model": model, "input": "Say something short about the sea.", **fields}
    return await gateway.post(f"/v1/responses{path}", json.dumps(body).encode(), key=key)


def events(reply: Reply) -> list[dict[str, Any]]:
    lines = [line for line in reply.body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def text_of(reply: Reply) -> str:
    """The text of a response, whole or streamed."""
    if reply.headers["content-type"].startswith("text/event-stream"):
        return "".join(event["delta"] for event in events(reply) if event["type"] == "response.output_text.delta")
    parts = [part for item in reply.json["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts)


def configuration(faults: tuple[str, ...], second: str) -> str:
    routes = "[retry]\nattempts = 1\n"
    for number, fault in enumerate(faults):
        routes += f'[routes."r{number}"]\ntask = "text"\ntargets = ["a{number}/sim-{fault}", "{model_of(second)}"]\n'
    return routes


def providers(faults: tuple[str, ...]) -> dict[str, str]:
    return {f"a{number}": "" for number in range(len(faults))} | PROVIDERS


async def test_every_provider_answers(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        for kind in KINDS:
            for stream in (False, True):
                reply = await ask(gateway, model_of(kind), stream=stream)
                assert reply.status == 200, (kind, reply.body)
                assert "sea" in text_of(reply), kind
                assert not reply.broken, kind
                if stream:
                    assert events(reply)[-1]["type"] == "response.completed", kind
        await gateway.quiet()


@pytest.mark.parametrize("second", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_before_the_first_content_the_next_provider_answers(tmp_path: Path, stream: bool, second: str) -> None:
    faults = tuple(fault for fault in BEFORE_CONTENT if stream or "event" not in fault)
    found = configuration(faults, second)
    async with running(tmp_path, providers=providers(faults), configuration=found) as gateway:
        replies = await asyncio.gather(*(ask(gateway, f"r{number}", stream=stream) for number in range(len(faults))))
        for fault, reply in zip(faults, replies, strict=True):
            assert reply.status == 200, (fault, reply.body)
            assert (reply.headers["x-oneflow-provider"], reply.headers["x-oneflow-attempts"]) == (second, "2"), fault
            assert "sea" in text_of(reply), fault
        await gateway.quiet()


async def test_after_the_first_content_a_stream_fails_in_its_shape(tmp_path: Path) -> None:
    faults = WITHIN_CONTENT
    found = configuration(faults, "anthropic")
    async with running(tmp_path, providers=providers(faults), configuration=found) as gateway:
        replies = await asyncio.gather(*(ask(gateway, f"r{number}", stream=True) for number in range(len(faults))))
        for fault, reply in zip(faults, replies, strict=True):
            told = events(reply)
            assert [event["type"] for event in told[-2:]] == ["error", "response.failed"], fault
            assert [event["sequence_number"] for event in told] == list(range(len(told))), fault
            assert told[-1]["response"]["id"] == told[0]["response"]["id"], fault
            assert reply.broken and reply.headers["x-oneflow-attempts"] == "1", fault
        await gateway.quiet()


async def test_what_one_target_does_not_keep_another_may(tmp_path: Path) -> None:
    found = '[routes.both]\ntask = "text"\ntargets = ["anthropic/claude-haiku-5-5", "openai/gpt-6-luna"]\n'
    async with running(tmp_path, providers=PROVIDERS, configuration=found) as gateway:
        first = await ask(gateway, "openai/gpt-6-luna")
        second = await ask(gateway, "both", previous_response_id=first.json["id"])
        assert (second.status, second.headers["x-oneflow-provider"]) == (200, "openai")
        refused = await ask(gateway, "anthropic/claude-haiku-5-5", previous_response_id=first.json["id"])
        assert (refused.status, refused.code) == (400, "unsupported_parameter")
        assert refused.json["error"]["param"] == "previous_response_id"


@pytest.mark.parametrize("model", ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"])
async def test_usage_is_counted_once(tmp_path: Path, model: str) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        for stream in (False, True):
            reply = await ask(gateway, model, stream=stream, reasoning={"effort": "low", "summary": "auto"})
            told = events(reply)[-1]["response"]["usage"] if stream else reply.json["usage"]
            assert told["total_tokens"] == told["input_tokens"] + told["output_tokens"]
            assert 0 < told["output_tokens_details"]["reasoning_tokens"] <= told["output_tokens"]
            cost = told.pop("cost") if stream else float(reply.headers["x-oneflow-cost-usd"])
            assert cost == pytest.approx((told["input_tokens"] + 2 * told["output_tokens"]) / 1e6, abs=1e-9)
            assert "x-oneflow-estimated" not in reply.headers


async def test_a_count_costs_nothing_and_takes_nothing(tmp_path: Path) -> None:
    accounts = {KEY: Account("key_test", tokens_per_minute=100)}
    async with running(tmp_path, providers=PROVIDERS, accounts=accounts) as gateway:
        for model in (model_of("openai"), model_of("anthropic")):
            reply = await ask(gateway, model, "/input_tokens")
            assert reply.status == 200, reply.body
            assert (reply.json["object"], reply.json["input_tokens"] > 0) == ("response.input_tokens", True)
            assert float(reply.headers["x-oneflow-cost-usd"]) == 0
            assert reply.headers["x-ratelimit-remaining-tokens"] == "100"
        refused = await ask(gateway, model_of("xai"), "/input_tokens")
        assert (refused.status, refused.code) == (400, "unsupported_operation")


async def test_a_client_that_hangs_up_is_settled(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        for model in (model_of("openai"), model_of("anthropic")):
            body = json.dumps({"model": model, "input": "Count to a thousand", "stream": True}).encode()
            headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
            async with gateway.session.post(f"{gateway.url}/v1/responses", data=body, headers=headers) as answer:
                await answer.content.readany()
        await gateway.quiet()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_stored_response_goes_on_with_the_key_that_it_was_made_with_alone(tmp_path: Path, stream: bool) -> None:
    model = model_of("openai")
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        first = await ask(gateway, model, input="My word is quahog.", stream=stream)
        told = [event["response"] for event in events(first) if "response" in event] if stream else [first.json]
        (name,) = {response["id"] for response in told}
        own = await ask(gateway, model, previous_response_id=name, stream=stream)
        again = events(own)[-1]["response"] if stream else own.json
        assert (own.status, again["previous_response_id"]) == (200, name)
        assert (await ask(gateway, model, previous_response_id=again["id"])).status == 200
        counted = await ask(gateway, model, "/input_tokens", previous_response_id=name)
        assert counted.status == 200, counted.body
        attempts = gateway.wire_attempts("gpt-6-luna")
        provider_name = name.rpartition("_")[0]
        for key, guess in ((OTHER_KEY, name), (OTHER_KEY, provider_name), (KEY, provider_name), (KEY, "é" * 40)):
            for path in ("", "/input_tokens"):
                refused = await ask(gateway, model, path, key=key, previous_response_id=guess)
                assert (refused.status, refused.code) == (404, "not_found"), (key, guess)
                assert refused.json["error"]["param"] == "previous_response_id"
        assert gateway.wire_attempts("gpt-6-luna") == attempts


async def test_a_conversation_that_every_key_could_reach_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        for conversation in ("conv_1", {"id": "conv_1"}):
            refused = await ask(gateway, model_of("openai"), conversation=conversation)
            assert (refused.status, refused.code) == (400, "unsupported_parameter")
            assert refused.json["error"]["param"] == "conversation"
