"""Which methods, verbs and versions of the protocol are served."""

from __future__ import annotations

import pytest

from tests.app.edge.front import Front
from tests.app.edge.heads import AUTH, HOST, JSON, get, lines, post
from tests.app.edge.refusal import Refusal, assert_refused, assert_usable
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_ALLOWED = Refusal(405, "method_not_allowed", closed=False)
UNKNOWN_VERB = Refusal((405, 501), None)
UNKNOWN_VERSION = Refusal((400, 505), None)
VERBS = ["TRACE", "CONNECT", "BREW", "PROPFIND", "PURGE", "M-SEARCH", "QUERY", "post", "Get", "X" * 1_000]
VERSIONS = ["1.0", "0.9", "9.9", "2.0", "3.0", "1.2", "1.10", "01.1", "1.", "1", "1.1.1", "-1.1", "1,1", ""]
TLS_HELLO = bytes.fromhex("16030102000100fc0303") + bytes(range(256)) * 2
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_a_call_is_taken_by_post_alone(front: Front, method: str, path: str) -> None:
    content = lines(f"{method} {path} HTTP/1.1".encode(), HOST, AUTH, JSON)
    answer = await assert_refused(front, content, NOT_ALLOWED, method)
    assert answer.header("allow") == "POST"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/sim/gpt-6-luna", "/health/live", "/health/ready"])
async def test_what_is_only_read_is_taken_by_get_alone(front: Front, method: str, path: str) -> None:
    content = lines(f"{method} {path} HTTP/1.1".encode(), HOST, AUTH)
    answer = await assert_refused(front, content, NOT_ALLOWED, method)
    assert "GET" in (answer.header("allow") or "").split(", ")


@pytest.mark.parametrize("path", ["/v1/models", "/health/live", "/api/status", "/nothing", "/v1/nothing"])
async def test_an_answer_to_head_has_no_body(front: Front, path: str) -> None:
    async with connected(front.port) as wire:
        wire.send(lines(f"HEAD {path} HTTP/1.1".encode(), HOST, AUTH))
        await wire.answer("HEAD")
        await assert_usable(wire)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[:10])
async def test_a_verb_that_we_do_not_know_is_refused(front: Front, verb: str) -> None:
    await assert_refused(front, post(start=f"{verb} /v1/chat/completions HTTP/1.1".encode()), UNKNOWN_VERB)


@pytest.mark.parametrize("target", ["localhost:443", "evil.example:443", "/v1/models"])
async def test_no_tunnel_is_made(front: Front, target: str) -> None:
    await assert_refused(front, lines(f"CONNECT {target} HTTP/1.1".encode(), HOST, AUTH), UNKNOWN_VERB)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_version_but_our_own_is_refused(front: Front, version: str) -> None:
    await assert_refused(front, post(start=f"POST /v1/chat/completions HTTP/{version}".encode()), UNKNOWN_VERSION)


@pytest.mark.parametrize(
    "content",
    [b"GET /v1/models\r\n", b"GET /v1/models\r\n\r\n", PREFACE, TLS_HELLO],
    ids=["0.9", "0.9 and an empty line", "preface of HTTP/2", "TLS"],
)
async def test_another_protocol_is_refused(front: Front, content: bytes) -> None:
    await assert_refused(front, content, UNKNOWN_VERSION)


async def test_http_1_0_is_not_kept_open_even_if_it_asks(front: Front) -> None:
    content = lines(b"GET /v1/models HTTP/1.0", HOST, AUTH, b"connection: keep-alive")
    await assert_refused(front, content, UNKNOWN_VERSION)


async def test_a_client_that_says_close_is_closed_after_its_answer(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(post(b"connection: close") + get())
        answer = await wire.answer()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert await wire.over() == ("eof", b"")
