"""Everything a client sends has a bound, and is refused at it: before it is read, or where it passes the bound."""

from __future__ import annotations

import pytest

from tests.app.edge.front import BODY_BYTES_MOST, Front
from tests.app.edge.heads import (
    AUTH,
    BAD_AUTH,
    BODY,
    CHUNKED,
    HOST,
    JSON,
    LIST,
    START,
    chat,
    chunked,
    get,
    length,
    lines,
    post,
)
from tests.app.edge.refusal import Refusal, assert_closed, assert_refused, assert_told
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

TARGET_BYTES_MOST = 8 << 10
HEADERS_MOST = 100
KEY_BYTES_MOST = 8 << 10
HUNDRED_KB = b"x" * 100_000
LARGE_HEAD = Refusal(431, "headers_too_large")
LONG_TARGET = Refusal(414, "uri_too_long")
LARGE_BODY = Refusal(413, "request_too_large")
WRONG_KEY = Refusal(401, "invalid_api_key", closed=False)

HEADS = {
    "one header of 100 KB": lines(LIST, HOST, AUTH, b"x-a: " + HUNDRED_KB),
    "one header that does not end": LIST + b"\r\n" + HOST + b"\r\nx-a: " + HUNDRED_KB * 3,
    "one name of 100 KB": lines(LIST, HOST, AUTH, HUNDRED_KB + b": a"),
    "100 KB of space": lines(LIST, HOST, AUTH, b"x-a:" + b" " * 100_000 + b"b"),
    "200 KB in 90 headers": lines(LIST, HOST, AUTH, *[b"x-%d: " % n + b"x" * 2_200 for n in range(90)]),
    "101 headers": lines(LIST, HOST, AUTH, *[b"x-%d: a" % n for n in range(HEADERS_MOST - 1)]),
    "101 headers of one name": lines(LIST, HOST, AUTH, *[b"x: a"] * (HEADERS_MOST - 1)),
    "a million headers": LIST + b"\r\n" + HOST + b"\r\n" + b"a:\r\n" * 1_000_000,
    "a key of 64 KiB": lines(LIST, HOST, b"authorization: Bearer " + b"x" * (64 << 10)),
    "a key above 8 KiB": lines(LIST, HOST, b"authorization: Bearer " + b"x" * (KEY_BYTES_MOST + 1)),
    "a body behind it": post(b"x-a: " + HUNDRED_KB),
}
TARGETS = {
    "a path of 1 MB": get(b"/v1/" + b"x" * 1_000_000),
    "a query of 1 MB": get(b"/v1/models?" + b"x" * 1_000_000),
    "one byte above the limit": get(b"/v1/models?" + b"x" * (TARGET_BYTES_MOST + 1 - 11)),
    "one that does not end": b"GET /" + b"x" * 1_000_000,
    "absolute": get(b"http://localhost/v1/models?" + b"x" * 1_000_000),
    "a body behind it": post(start=b"POST /v1/chat/completions?" + b"x" * 20_000 + b" HTTP/1.1"),
}
KEYS = {
    "not of ASCII": "Bearer of_schlüssel".encode(),
    "not UTF-8": b"Bearer of_\xff\xfe",
    "quotes": b"Bearer ' OR 1=1 --",
    "8 KB": b"Bearer " + b"x" * 8_000,
    "spaces": b"Bearer of_a of_b",
}
LARGE = chat(user="x" * BODY_BYTES_MOST)


@pytest.mark.parametrize("name", HEADS)
async def test_a_head_beyond_its_bounds_is_refused(front: Front, name: str) -> None:
    await assert_refused(front, HEADS[name], LARGE_HEAD)


@pytest.mark.parametrize("name", TARGETS)
async def test_a_target_beyond_its_bound_is_refused(front: Front, name: str) -> None:
    await assert_refused(front, TARGETS[name], LONG_TARGET)


async def test_a_head_at_its_bounds_is_served(front: Front) -> None:
    target = b"/v1/models?" + b"x" * (TARGET_BYTES_MOST - 11)
    async with connected(front.port) as wire:
        wire.send(get(target))
        assert (await wire.answer()).status == 200
        wire.send(get(b"/v1/models", *[b"x-%d: a" % n for n in range(HEADERS_MOST - 2)]))
        assert (await wire.answer()).status == 200
        wire.send(get(b"/v1/models", b"x-a: " + b"b" * 10_000))
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("name", KEYS)
async def test_an_odd_key_is_a_wrong_key(front: Front, name: str) -> None:
    content = lines(START, HOST, JSON, b"authorization: " + KEYS[name], length(), body=BODY)
    answer = await assert_refused(front, content, WRONG_KEY)
    assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("start", [START, b"POST /api/request HTTP/1.1", LIST], ids=["chat", "control", "list"])
async def test_a_body_whose_length_is_beyond_the_limit_is_refused_before_it_comes(front: Front, start: bytes) -> None:
    async with connected(front.port) as wire:
        wire.send(lines(start, HOST, AUTH, JSON, b"content-length: %d" % (64 << 30)))
        answer = await wire.answer()
        assert_told(answer, LARGE_BODY)
        await assert_closed(wire, answer)


async def test_a_body_at_the_limit_is_read(front: Front) -> None:
    spare = BODY_BYTES_MOST - len(chat(user=""))
    async with connected(front.port) as wire:
        for size in (spare - 1, spare):
            body = chat(user="x" * size)
            wire.send(post(body=body))
            assert (await wire.answer()).status != 413
        wire.send(chunked([body[:30_000], body[30_000:]]))
        assert (await wire.answer()).status != 413


@pytest.mark.parametrize("pieces", [1, 100], ids=["one chunk", "many chunks"])
async def test_chunks_beyond_the_limit_are_refused(front: Front, pieces: int) -> None:
    size = -(-len(LARGE) // pieces)
    content = chunked(LARGE[at : at + size] for at in range(0, len(LARGE), size))
    await assert_refused(front, content, LARGE_BODY)


async def test_chunks_are_refused_at_the_limit_not_at_their_end(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, CHUNKED, body=b"%x\r\n" % len(LARGE) + LARGE[:-1]))
        answer = await wire.answer()
        assert_told(answer, LARGE_BODY)
        await assert_closed(wire, answer)


async def test_a_wrong_key_does_not_buy_a_large_body(front: Front) -> None:
    """Whichever refusal comes first, it comes at the head, and the body is not waited for."""
    async with connected(front.port) as wire:
        wire.send(lines(START, HOST, BAD_AUTH, JSON, b"content-length: %d" % (64 << 30)))
        answer = await wire.answer()
        assert answer.status in (401, 413)
        await assert_closed(wire, answer)


@pytest.mark.parametrize(
    ("head", "refusal"),
    [
        (lines(START, HOST, AUTH, JSON, b"content-length: %d" % (8 << 20)), LARGE_BODY),
        (lines(START, HOST, AUTH, JSON, CHUNKED, body=b"%x\r\n" % (8 << 20)), LARGE_BODY),
        (LIST + b"\r\n" + HOST + b"\r\nx-a: ", LARGE_HEAD),
        (b"GET /", LONG_TARGET),
    ],
    ids=["length", "chunk", "header", "target"],
)
async def test_a_client_that_goes_on_sending_can_read_its_refusal(front: Front, head: bytes, refusal: Refusal) -> None:
    """A connection closed on unread bytes is reset, which takes the answer away from whoever has not read it yet."""
    async with connected(front.port) as wire:
        wire.send(head + b"x" * (8 << 20))
        answer = await wire.answer()
        assert_told(answer, refusal)
        assert (await wire.over())[0] == "eof"
