"""Gemini's dialect through the whole gateway, to a provider of the same wire: what passes, what is added and paid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.app.gateway import Gateway, Reply, running

MODEL = "gemini-3.8-flash"
PROVIDERS = {"g": 'kind = "gemini"\n', "b": ""}
CONFIGURATION = """
[retry]
attempts = 1
[prices."g/gemini-3.8-flash"]
input_usd_per_million_tokens = 1
output_usd_per_million_tokens = 2
cached_usd_per_million_tokens = 0.1
usd_per_thousand_web_searches = 14
"""
ASKED: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Who won?"}]}]}
STREAM = "streamGenerateContent?alt=sse"
WHOLE_OR_STREAM = pytest.mark.parametrize("method", ["generateContent", STREAM], ids=["whole", "stream"])


async def ask(gateway: Gateway, method: str, model: str = MODEL, **fields: Any) -> Reply:
    return await gateway.post(f"/v1beta/models/g/{model}:{method}", orjson.dumps({**ASKED, **fields}))


def answers(reply: Reply) -> list[Any]:
    """The whole answer, or the events of a stream."""
    if reply.headers["content-type"].startswith("application/json"):
        return [reply.json]
    pieces = reply.body.split(b"\r\n\r\n")
    assert pieces.pop() == b""
    return [json.loads(piece.removeprefix(b"data: ")) for piece in pieces]


def cost(reply: Reply) -> float:
    told = answers(reply)[-1]["usageMetadata"].get("cost")
    return float(reply.headers["x-oneflow-cost-usd"]) if told is None else float(told)


@WHOLE_OR_STREAM
async def test_a_search_is_asked_for_told_and_paid(tmp_path: Path, method: str) -> None:
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        reply = await ask(gateway, method, tools=[{"googleSearch": {}}])
        assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "g"), reply.body
        last = answers(reply)[-1]
        assert last["candidates"][0]["groundingMetadata"]["webSearchQueries"] == ["Who won?"]
        used = last["usageMetadata"]
        assert (used["toolUsePromptTokenCount"], used["serviceTier"]) == (100, "standard")
        inputs, outputs = used["promptTokenCount"] + 100, used["candidatesTokenCount"] + used["thoughtsTokenCount"]
        assert cost(reply) == pytest.approx((inputs + 2 * outputs) / 1e6 + 0.014)
        await gateway.quiet()


@WHOLE_OR_STREAM
async def test_a_cache_is_named_and_paid_as_such(tmp_path: Path, method: str) -> None:
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        reply = await ask(gateway, method, cachedContent="cachedContents/simulated-1", labels={"team": "a"})
        used = answers(reply)[-1]["usageMetadata"]
        assert used["cachedContentTokenCount"] == 5_000
        fresh, outputs = used["promptTokenCount"] - 5_000, used["candidatesTokenCount"] + used["thoughtsTokenCount"]
        assert cost(reply) == pytest.approx((fresh + 500 + 2 * outputs) / 1e6)
        refused = await ask(gateway, method, cachedContent="cachedContents/of-nobody")
        assert (refused.status, refused.json["error"]["status"]) == (403, "PERMISSION_DENIED")
        await gateway.quiet()


async def test_a_stream_passes_as_it_came_but_for_the_cost_at_its_end(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        (*events, last) = answers(await ask(gateway, STREAM))
        assert all("cost" not in event["usageMetadata"] for event in events)
        assert {event["responseId"] for event in events} == {last["responseId"]}
        assert last["candidates"][0]["finishReason"] == "STOP" and last["usageMetadata"]["cost"] > 0


async def test_tokens_are_counted_as_the_provider_tells_them(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        reply = await ask(gateway, "countTokens")
        total = reply.json["totalTokens"]
        assert reply.json["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": total}]


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        *(("generateContent", fault) for fault in ("F23", "F22", "F28", "F17")),
        *((STREAM, fault) for fault in ("F23", "F22", "F28", "F17", "F14@event:0")),
    ],
)
async def test_before_the_first_content_a_model_of_another_wire_answers(
    tmp_path: Path, method: str, fault: str
) -> None:
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        reply = await ask(gateway, method, f"sim-{fault}", models=["b/gpt-6-luna"])
        assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "b"), reply.body
        last = answers(reply)[-1]
        assert (last["candidates"][0]["finishReason"], last["modelVersion"]) == ("STOP", "gpt-6-luna")
        await gateway.quiet()


async def test_what_no_other_wire_has_is_not_asked_of_one(tmp_path: Path) -> None:
    """Why the first target failed is told, not what the second one lacks."""
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        fields = {"tools": [{"googleSearch": {}}], "models": ["b/gpt-6-luna"]}
        reply = await ask(gateway, "generateContent", "sim-F23", **fields)
        assert (reply.status, reply.json["error"]["status"]) == (502, "UNAVAILABLE")
        assert gateway.wire_attempts("gpt-6-luna") == 0


async def test_a_stream_without_its_end_ends_in_an_error(tmp_path: Path) -> None:
    async with running(tmp_path, providers=PROVIDERS, configuration=CONFIGURATION) as gateway:
        for at in (1, 2, 5):
            events = answers(await ask(gateway, STREAM, f"sim-F14@event:{at}"))
            error = events.pop()["error"]
            assert (error["code"], error["details"][0]["reason"]) == (502, "upstream_stream_interrupted")
            assert events and not any("finishReason" in event["candidates"][0] for event in events)
        await gateway.quiet()
