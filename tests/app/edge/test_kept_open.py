"""A refusal costs its client no connection, unless it is told to close; and what came with it is no request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from statistics import median

import pytest

from oneflow_ai.core.call import Account
from tests.app.edge.front import Front
from tests.app.edge.heads import AUTH, BAD_AUTH, BODY, CHUNKED, HOST, JSON, START, chat, get, length, lines, post
from tests.app.edge.refusal import Refusal, assert_refused, assert_told, assert_usable
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMUGGLED = post()
FORM = b"content-type: application/x-www-form-urlencoded"


def refused(status: int, code: str) -> Refusal:
    return Refusal(status, code, closed=False)


CASES = {
    "no key": (lines(START, HOST, JSON, length(), body=BODY), refused(401, "missing_api_key")),
    "wrong key": (lines(START, HOST, BAD_AUTH, JSON, length(), body=BODY), refused(401, "invalid_api_key")),
    "two keys": (post(b"x-api-key: of_another"), refused(400, "ambiguous_credentials")),
    "two keys in one place": (post(BAD_AUTH), refused(400, "ambiguous_credentials")),
    "no content type": (lines(START, HOST, AUTH, length(), body=BODY), refused(415, "unsupported_media_type")),
    "text": (
        lines(START, HOST, AUTH, b"content-type: text/plain", length(), body=BODY),
        refused(415, "unsupported_media_type"),
    ),
    "form": (lines(START, HOST, AUTH, FORM, length(), body=BODY), refused(415, "unsupported_media_type")),
    "gzip": (post(b"content-encoding: gzip"), refused(415, "unsupported_encoding")),
    "gzip twice": (post(b"content-encoding: identity, gzip"), refused(415, "unsupported_encoding")),
    "empty body": (post(body=b""), refused(400, "invalid_json")),
    "no body": (lines(START, HOST, AUTH, JSON), refused(400, "invalid_json")),
    "not JSON": (post(body=b"{"), refused(400, "invalid_json")),
    "a list": (post(body=b"[]"), refused(400, "invalid_type")),
    "no such model": (post(body=chat().replace(b"sim/", b"none/")), refused(404, "model_not_found")),
    "no such path": (post(start=b"POST /v1/nothing HTTP/1.1"), refused(404, "unknown_url")),
    "no such path of the control plane": (post(start=b"POST /nothing HTTP/1.1"), refused(404, "unknown_url")),
    "a method with a body": (post(start=b"PUT /v1/chat/completions HTTP/1.1"), refused(405, "method_not_allowed")),
    "chunks": (
        lines(START, HOST, BAD_AUTH, JSON, CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        refused(401, "invalid_api_key"),
    ),
}
QUICK_SECONDS = 0.01
LATE_HEADS = {
    "wrong key": (START, HOST, BAD_AUTH, JSON),
    "no such path": (b"POST /v1/nothing HTTP/1.1", HOST, AUTH, JSON),
    "wrong method": (b"PUT /v1/chat/completions HTTP/1.1", HOST, AUTH, JSON),
    "wrong type": (START, HOST, AUTH, FORM),
    "a body for a list": (b"GET /v1/models HTTP/1.1", HOST, AUTH),
    "a body for a probe": (b"GET /health/live HTTP/1.1", HOST, AUTH),
}


@pytest.mark.parametrize("name", CASES)
async def test_the_connection_of_a_refused_request_serves_the_next(front: Front, name: str) -> None:
    content, refusal = CASES[name]
    await assert_refused(front, content, refusal)


async def test_one_connection_takes_many_refusals(front: Front) -> None:
    async with connected(front.port) as wire:
        for content, refusal in [*CASES.values()] * 5:
            wire.send(content)
            assert_told(await wire.answer(), refusal)
        await assert_usable(wire)


async def test_a_refusal_takes_a_hundredth_of_a_second(front: Front) -> None:
    loop, taken = asyncio.get_running_loop(), []
    async with connected(front.port) as wire:
        for content, _ in [*CASES.values()] * 10:
            began = loop.time()
            wire.send(content)
            await wire.answer()
            taken.append(loop.time() - began)
    assert median(taken) < QUICK_SECONDS


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("name", LATE_HEADS)
async def test_the_body_of_a_request_that_was_answered_is_no_request(front: Front, name: str, framing: str) -> None:
    """It comes after the answer, and holds a whole good request. It is read over, or the connection is closed."""
    head = LATE_HEADS[name]
    body = SMUGGLED if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    async with connected(front.port) as wire:
        wire.send(lines(*head, length(SMUGGLED) if framing == "length" else CHUNKED))
        answer = await wire.answer()
        wire.send(body + get(b"/health/live"))
        if answer.header("connection") == "close":
            assert await wire.over() == ("eof", b"")
        else:
            assert (await wire.answer()).body == b"live"
    await front.settled()
    assert front.calls == 0


async def test_a_key_is_looked_up_for_each_request_of_a_connection(front: Front) -> None:
    """What is remembered of a head that comes again is not who may come in."""
    kept = front.runtime.desk.snapshot.keys
    (digest,) = kept
    slower = replace(kept[digest], requests_per_minute=1)
    async with connected(front.port) as wire:
        for _ in range(3):
            wire.send(post())
            assert (await wire.answer("POST")).status == 200
        try:
            front.runtime.admit({digest: slower})
            wire.send(post())
            assert (await wire.answer("POST")).header("x-ratelimit-limit-requests") == "1"
            front.runtime.admit({})
            wire.send(post())
            assert (await wire.answer("POST")).code == "invalid_api_key"
        finally:
            front.runtime.admit({digest: Account("key_test")})
        wire.send(post())
        assert (await wire.answer("POST")).status in (200, 429)
