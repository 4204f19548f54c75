"""Anthropic's dialect through the whole gateway, to a provider of the same wire: what passes and what is added."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.call import Account
from tests.app.gateway import KEY, Reply, running
from tests.canaries import PROVIDER_KEY
from tests.clients.messages_double import Double, provider

MODEL = "claude/claude-haiku-5-5"
VERSION = {"anthropic-version": "2023-06-01"}
CONFIGURATION = """
[retry]
attempts = 1
[providers.claude]
kind = "anthropic"
base_url = "{url}"
api_key = "env:SIM_KEY"
"""


@pytest.fixture
def double() -> Iterator[Double]:
    with provider() as found:
        yield found


def request(text: str = "Hello", **fields: Any) -> bytes:
    body = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **fields}
    return json.dumps(body).encode()


def events(reply: Reply) -> list[dict[str, Any]]:
    lines = [line for line in reply.body.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def configured(double: Double) -> str:
    return CONFIGURATION.format(url=double.url)


async def test_a_message_passes_as_it_is(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        reply = await gateway.post("/v1/messages", request(unknown=[1], models=["claude/claude-opus-5"]), VERSION)
        assert (reply.status, reply.json["content"][0]["text"]) == (200, "You said: Hello")
        assert reply.headers["request-id"] == reply.headers["x-request-id"]
        assert reply.headers["x-oneflow-provider"] == "claude"
        assert float(reply.headers["x-oneflow-cost-usd"]) > 0
        ((path, headers, body),) = double.requests
        assert path == "/v1/messages"
        assert body == {**json.loads(request(unknown=[1])), "model": "claude-haiku-5-5"}
        assert headers["x-api-key"] == PROVIDER_KEY
        assert "authorization" not in headers
        await gateway.quiet()


async def test_what_a_client_says_to_the_provider_reaches_it(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        for headers in ({}, VERSION, {**VERSION, "anthropic-beta": "a-1,b-2", "x-other": "x"}):
            assert (await gateway.post("/v1/messages", request(), headers)).status == 200
        found = [headers for _, headers, _ in double.requests]
        assert [one["anthropic-version"] for one in found] == ["2026-10-21", "2023-06-01", "2023-06-01"]
        assert [one.get("anthropic-beta") for one in found] == [None, None, "a-1,b-2"]
        assert all("x-other" not in one for one in found)
        twice = [("authorization", f"Bearer {KEY}"), ("content-type", "application/json")]
        twice += [("anthropic-beta", "a-1"), ("anthropic-beta", "b-2")]
        async with gateway.session.post(f"{gateway.url}/v1/messages", data=request(), headers=twice) as answer:
            assert answer.status == 200
        assert double.requests.pop()[1]["anthropic-beta"] == "a-1,b-2"
        long = await gateway.post("/v1/messages", request(), {"anthropic-beta": "x" * 2000})
        assert (long.status, long.json["error"]["details"]["error_code"]) == (400, "invalid_value")
        assert len(double.requests) == 3


async def test_a_stream_ends_with_what_it_cost(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        reply = await gateway.post("/v1/messages", request(stream=True))
        found = events(reply)
        assert [event["type"] for event in found] == [
            "message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta",
            "content_block_stop", "message_delta", "message_stop",
        ]  # fmt: skip
        assert found[-2]["usage"]["output_tokens"] == 9
        assert found[-2]["usage"]["cost"] > 0
        assert not reply.broken


async def test_a_stream_that_breaks_says_so(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        reply = await gateway.post("/v1/messages", request("break", stream=True))
        last = events(reply)[-1]
        assert (last["type"], last["error"]["type"]) == ("error", "overloaded_error")
        assert last["request_id"] == reply.headers["request-id"]
        assert reply.broken
        await gateway.quiet()


async def test_a_count_costs_nothing_and_takes_nothing(tmp_path: Path, double: Double) -> None:
    accounts = {KEY: Account("key_test", tokens_per_minute=100)}
    async with running(tmp_path, configuration=configured(double), accounts=accounts) as gateway:
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}).encode()
        for _ in range(5):
            reply = await gateway.post("/v1/messages/count_tokens", body)
            assert (reply.status, reply.json) == (200, {"input_tokens": 42})
            assert float(reply.headers["x-oneflow-cost-usd"]) == 0
            assert reply.headers["x-ratelimit-remaining-tokens"] == "100"


@pytest.mark.parametrize(
    ("word", "status", "kind", "code"),
    [
        ("refuse", 400, "invalid_request_error", "upstream_rejected"),
        ("lock", 502, "api_error", "provider_auth_failed"),
        ("lose", 404, "not_found_error", "model_not_found"),
        ("hurry", 429, "rate_limit_error", "upstream_rate_limited"),
        ("overload", 503, "overloaded_error", "upstream_overloaded"),
    ],
)
async def test_a_providers_failure_has_the_dialects_shape(
    tmp_path: Path, double: Double, word: str, status: int, kind: str, code: str
) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        for stream in (False, True):
            reply = await gateway.post("/v1/messages", request(word, stream=stream))
            assert (reply.status, reply.json["type"], reply.json["error"]["type"]) == (status, "error", kind)
            assert reply.json["error"]["details"]["error_code"] == code
            assert reply.json["request_id"] == reply.headers["request-id"]


async def test_what_is_no_call_is_told_in_the_dialects_shape(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        for reply, status, kind in (
            (await gateway.post("/v1/messages", request(), key="of_wrong"), 401, "authentication_error"),
            (await gateway.post("/v1/messages", request(model="nobody/has-this")), 404, "not_found_error"),
            (await gateway.post("/v1/messages", b"{"), 400, "invalid_request_error"),
            (await gateway.get("/v1/messages"), 405, "invalid_request_error"),
            (
                await gateway.post("/v1/messages", request(), {"content-type": "text/plain"}),
                415,
                "invalid_request_error",
            ),
            (await gateway.get("/v1/models", VERSION), 401, "authentication_error"),
        ):
            assert (reply.status, reply.json["type"], reply.json["error"]["type"]) == (status, "error", kind)
            assert reply.headers["request-id"] == reply.json["request_id"]
        assert double.requests == []


async def test_models_are_listed_in_the_shape_that_is_spoken(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        key = {"x-api-key": KEY}
        listed = (await gateway.get("/v1/models", {**key, **VERSION})).json
        assert MODEL in [model["id"] for model in listed["data"]]
        assert listed["has_more"] is False
        one = await gateway.get("/v1/models/claude%2Fclaude-haiku-5-5", {**key, **VERSION})
        assert (one.json["type"], one.json["id"]) == ("model", MODEL)
        assert (await gateway.get("/v1/models", key)).json["object"] == "list"
        missing = await gateway.get("/v1/models/nothing", {**key, **VERSION})
        assert (missing.status, missing.json["error"]["type"]) == (404, "not_found_error")


async def test_another_target_answers_for_one_that_is_overloaded(tmp_path: Path, double: Double) -> None:
    async with running(tmp_path, configuration=configured(double)) as gateway:
        reply = await gateway.post("/v1/messages", request("overload", fallbacks=["claude/claude-sonnet-5-5"]))
        assert reply.status == 503
        assert [body["model"] for _, _, body in double.requests] == ["claude-haiku-5-5", "claude-sonnet-5-5"]
        assert all("fallbacks" not in body for _, _, body in double.requests)
