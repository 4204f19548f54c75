"""Embeddings and moderations through the whole gateway: what reaches the provider, what the client gets and pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from oneflow_ai.app.clock import SystemClock
from oneflow_ai.core.ports import HttpAnswer, HttpRequest, Mark
from oneflow_ai.testing import Scripted, ScriptedUpstream
from oneflow_ai.upstream import Way, Ways
from tests.app.gateway import running

EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25], "own": 1}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
MODERATION = {"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": [{"flagged": False}]}
ROUTES = """
[routes.embedding]
task = "embedding"
targets = ["sim/text-embedding-3-small"]
[routes.moderation]
task = "moderation"
targets = ["sim/omni-moderation-latest"]
"""


class Canned(Ways):
    """Ways out that lead to one answer; `requests` is what was sent."""

    def __init__(self, ways: Mapping[str, Way], body: bytes, requests: list[HttpRequest]) -> None:
        super().__init__(ways)
        self._scripted = ScriptedUpstream(lambda request: Scripted(steps=(body[:9], body[9:])), SystemClock())
        self._scripted.requests = requests

    async def send(self, request: HttpRequest, until_seconds: float, mark: Mark | None = None) -> HttpAnswer:
        return await self._scripted.send(request, until_seconds, mark)


def canned(answer: object, requests: list[HttpRequest]) -> Callable[[Mapping[str, Way]], Ways]:
    return lambda ways: Canned(ways, orjson.dumps(answer), requests)


async def test_embeddings_pass_as_they_are_and_cost_their_input(tmp_path: Path) -> None:
    requests: list[HttpRequest] = []
    async with running(tmp_path, configuration=ROUTES, upstream=canned(EMBEDDINGS, requests)) as gateway:
        body = {"model": "embedding", "input": ["a"], "encoding_format": "float", "input_type": "query", "models": []}
        reply = await gateway.post("/v1/embeddings", orjson.dumps(body))
        assert (reply.status, reply.json) == (200, EMBEDDINGS)
        assert float(reply.headers["x-oneflow-cost-usd"]) == 7 / 1_000_000
        assert (reply.headers["x-oneflow-provider"], reply.headers["x-oneflow-model"]) == (
            "sim",
            "text-embedding-3-small",
        )
        assert "x-oneflow-estimated" not in reply.headers
        await gateway.quiet()
    (request,) = requests
    assert request.url.endswith("/embeddings")
    assert orjson.loads(request.body) == {
        "model": "text-embedding-3-small",
        "input": ["a"],
        "encoding_format": "float",
        "input_type": "query",
    }


async def test_embeddings_without_usage_are_estimated_by_what_was_sent(tmp_path: Path) -> None:
    long = {**EMBEDDINGS, "usage": None, "data": [{"index": 0, "embedding": [0.123456789] * 3000}]}
    async with running(tmp_path, configuration=ROUTES, upstream=canned(long, [])) as gateway:
        body = orjson.dumps({"model": "sim/text-embedding-3-small", "input": "a" * 400})
        reply = await gateway.post("/v1/embeddings", body)
        assert reply.headers["x-oneflow-estimated"] == "true"
        assert float(reply.headers["x-oneflow-cost-usd"]) == -(-len(body) // 4) / 1_000_000


async def test_a_moderation_is_free_and_needs_no_model(tmp_path: Path) -> None:
    requests: list[HttpRequest] = []
    async with running(tmp_path, configuration=ROUTES, upstream=canned(MODERATION, requests)) as gateway:
        reply = await gateway.post("/v1/moderations", orjson.dumps({"input": "Have a great day!"}))
        assert (reply.status, reply.json) == (200, MODERATION)
        assert float(reply.headers["x-oneflow-cost-usd"]) == 0
        assert reply.headers["x-oneflow-model-actual"] == MODERATION["model"]
        assert "x-oneflow-estimated" not in reply.headers
        await gateway.quiet()
    (request,) = requests
    assert request.url.endswith("/moderations")
    assert orjson.loads(request.body) == {"input": "Have a great day!", "model": "omni-moderation-latest"}


async def test_bad_input_and_the_wrong_task_are_refused_in_openais_shape(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ROUTES, upstream=canned(EMBEDDINGS, [])) as gateway:
        reply = await gateway.post("/v1/embeddings", orjson.dumps({"model": "embedding", "input": []}))
        assert (reply.status, reply.code, reply.json["error"]["param"]) == (400, "invalid_value", "input")
        reply = await gateway.post("/v1/embeddings", orjson.dumps({"model": "moderation", "input": "a"}))
        assert (reply.status, reply.json["error"]["param"]) == (400, "model")


async def test_an_error_as_success_is_no_answer(tmp_path: Path) -> None:
    retry = "[retry]\nattempts = 1\n"
    upstream = canned({"error": {"message": "no such model"}}, [])
    async with running(tmp_path, configuration=retry + ROUTES, upstream=upstream) as gateway:
        reply = await gateway.post("/v1/embeddings", orjson.dumps({"model": "embedding", "input": "a"}))
        assert (reply.status, reply.code) == (502, "upstream_bad_response")
