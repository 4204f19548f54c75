"""`Expect: 100-continue`: a client is asked for its body only if the body will be read."""

from __future__ import annotations

import pytest

from tests.app.edge.front import Front
from tests.app.edge.heads import AUTH, BAD_AUTH, BODY, CHUNKED, HOST, JSON, START, get, length, lines, post
from tests.app.edge.refusal import Refusal, assert_told, assert_usable
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPECT = b"expect: 100-continue"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSED = {
    "wrong key": ((START, HOST, BAD_AUTH, JSON, length()), Refusal(401, "invalid_api_key")),
    "no key": ((START, HOST, JSON, length()), Refusal(401, "missing_api_key")),
    "no such path": ((b"POST /v1/nothing HTTP/1.1", HOST, AUTH, JSON, length()), Refusal(404, "unknown_url")),
    "wrong method": (
        (b"PUT /v1/chat/completions HTTP/1.1", HOST, AUTH, JSON, length()),
        Refusal(405, "method_not_allowed"),
    ),
    "wrong type": ((START, HOST, AUTH, b"content-type: a/b", length()), Refusal(415, "unsupported_media_type")),
    "too large": ((START, HOST, AUTH, JSON, b"content-length: %d" % (1 << 30)), Refusal(413, "request_too_large")),
    "malformed": ((START, HOST, AUTH, JSON, length(), CHUNKED), Refusal(400, "malformed_request")),
}


@pytest.mark.parametrize("expect", [EXPECT, b"Expect: 100-Continue"], ids=["lower case", "mixed case"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_will_be_read_is_asked_for(front: Front, expect: bytes, framing: str) -> None:
    async with connected(front.port) as wire:
        for _ in range(2):
            wire.send(lines(START, HOST, AUTH, JSON, expect, length() if framing == "length" else CHUNKED))
            await wire.seen(CONTINUE)
            wire.send(BODY if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
            answer = await wire.answer()
            assert (answer.status, answer.interim) == (200, (100,))


async def test_a_body_that_comes_unasked_is_read(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(post(EXPECT) + get())
        assert [(await wire.answer()).status, (await wire.answer()).status] == [200, 200]


async def test_a_request_without_a_body_is_not_asked_for_one(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(get(b"/v1/models", EXPECT))
        answer = await wire.answer()
        assert (answer.status, answer.interim) == (200, ())


@pytest.mark.parametrize("name", REFUSED)
async def test_a_body_that_will_not_be_read_is_not_asked_for(front: Front, name: str) -> None:
    """The final answer comes at once. A client that sends its body even so has sent no request by it."""
    head, refusal = REFUSED[name]
    async with connected(front.port) as wire:
        wire.send(lines(*head, EXPECT))
        answer = await wire.answer()
        assert_told(answer, refusal)
        wire.send(BODY)
        if answer.header("connection") == "close":
            assert await wire.over() == ("eof", b"")
        else:
            await assert_usable(wire)
    await front.settled()
    assert front.calls == 0


async def test_a_refused_body_that_is_a_request_is_not_served(front: Front) -> None:
    smuggled = post()
    async with connected(front.port) as wire:
        wire.send(lines(START, HOST, BAD_AUTH, JSON, EXPECT, length(smuggled)))
        assert (await wire.answer()).status == 401
        wire.send(smuggled)
    await front.settled()
    assert front.calls == 0


@pytest.mark.parametrize("expected", [b"200-ok", b"100-continue, 200-ok", b"100", b"nothing"], ids=repr)
async def test_another_expectation_is_refused(front: Front, expected: bytes) -> None:
    async with connected(front.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, b"expect: " + expected, length(), body=BODY))
        answer = await wire.answer()
        assert (answer.status, answer.interim) == (417, ())
    await front.settled()
    assert front.calls == 0
