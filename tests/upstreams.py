"""What the tests of the way out share: one behaviour over both implementations, requests, whole answers, failures."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from oneflow_ai.core.failure import Failure
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.target import Timeouts
from oneflow_ai.upstream import Way
from oneflow_ai.upstream.aiohttp_pool import AiohttpUpstream
from oneflow_ai.upstream.pool import Pool

BODY = b'{"model":"%b","messages":[{"role":"user","content":"Hello"}]}'
TIMEOUTS = Timeouts(connect_seconds=0.4, write_seconds=0.4, tls_seconds=0.4)
Kind = type[AiohttpUpstream] | type[Pool]
Either = AiohttpUpstream | Pool
KINDS: Mapping[str, Kind] = {"aiohttp": AiohttpUpstream, "own": Pool}


def request_to(base_url: str, model: bytes = b"gpt-6-luna", body: bytes | None = None) -> HttpRequest:
    """A chat completion at a base address."""
    headers = (("content-type", "application/json"), ("authorization", "Bearer sk-simulated"))
    content = body or BODY.replace(b"%b", model)
    return HttpRequest("POST", base_url + "/chat/completions", headers, content, TIMEOUTS, "sim")


def soon(seconds: float = 5.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds


@asynccontextmanager
async def upstream_of(kind: Kind, way: Way | None = None) -> AsyncIterator[Either]:
    """A way out of one kind, closed at the end."""
    upstream = kind(way or Way())
    try:
        yield upstream
    finally:
        await upstream.close()


async def whole(upstream: Either, request: HttpRequest) -> tuple[int, bytes]:
    """Status and body of an answer."""
    answer = await upstream.send(request, soon())
    body = b""
    try:
        while chunk := await answer.read(soon()):
            body += chunk
    finally:
        answer.close()
    return answer.status, body


async def failure_of(work: Callable[[], Awaitable[object]]) -> Failure:
    """The failure that it ends in."""
    with pytest.raises(Failure) as caught:
        await work()
    return caught.value
