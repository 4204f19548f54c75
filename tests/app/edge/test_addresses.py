"""Which host and which path a request names: one spelling each, nothing normalised."""

from __future__ import annotations

import pytest

from tests.app.edge.front import Front
from tests.app.edge.heads import AUTH, BODY, HOST, JSON, LIST, PATH, get, length, lines, post
from tests.app.edge.refusal import Refusal, assert_refused
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID_HOST = Refusal(400, "invalid_host")
UNKNOWN_URL = Refusal(404, "unknown_url", closed=False)

HOSTS = [
    b"localhost/",
    b"localhost/v1",
    b"localhost?a",
    b"localhost#a",
    b"user@localhost",
    b"user:word@localhost",
    b"localhost@evil.example",
    b"localhost:80@evil.example",
    b"localhost, evil.example",
    b"localhost evil.example",
    b"localhost\tevil.example",
    b"localhost:80:80",
    b"localhost:port",
    b"localhost:-1",
    b"local\\host",
    b"http://localhost",
    b"[::1",
    b"::1",
    b"[::1]a",
    b"",
]
TARGETS = {
    "another host": b"http://evil.example/v1/models",
    "another port": b"http://localhost:1/v1/models",
    "a user": b"http://user@localhost/v1/models",
    "a host that ends as ours": b"http://localhost.evil.example/v1/models",
    "no host": b"http:///v1/models",
}
PATHS = [
    b"//v1/chat/completions",
    b"/v1//chat/completions",
    b"/./v1/chat/completions",
    b"/v1/./chat/completions",
    b"/x/../v1/chat/completions",
    b"/v1/chat/../chat/completions",
    b"/v1/%63hat/completions",
    b"/v1/chat%2fcompletions",
    b"/v1/chat%2Fcompletions",
    b"/%2e/v1/chat/completions",
    b"/v1%2f..%2fv1/chat/completions",
    b"/v1/chat/completions%00",
    b"/v1/chat/completions%20",
    b"/v1/chat/completions%0d%0a",
    b"/v1/chat/completions;x",
    b"/v1;x/chat/completions",
    b"/v1/chat/completions/",
    b"/v1/chat/completions/.",
    b"/v1/chat/completions.",
    b"/v1\\chat\\completions",
    b"/V1/chat/completions",
    b"/v1/CHAT/completions",
    b"/V1/CHAT/COMPLETIONS",
    b"/v1",
    b"/v1/",
    b"/v1/nothing",
    b"/v2/chat/completions",
]


@pytest.mark.parametrize("host", HOSTS, ids=repr)
@pytest.mark.parametrize("target", [b"/v1/models", b"/health/live"], ids=["models", "health"])
async def test_a_host_that_is_no_name_and_port_is_invalid(front: Front, host: bytes, target: bytes) -> None:
    await assert_refused(front, lines(b"GET " + target + b" HTTP/1.1", b"host: " + host, AUTH), INVALID_HOST)


@pytest.mark.parametrize("target", [b"/v1/models", b"/health/live", b"/api/status"])
async def test_a_request_without_a_host_is_invalid(front: Front, target: bytes) -> None:
    await assert_refused(front, lines(b"GET " + target + b" HTTP/1.1", AUTH), INVALID_HOST)


@pytest.mark.parametrize("second", [HOST, b"host: evil.example", b"HOST: localhost", b"host:"], ids=repr)
async def test_a_request_with_two_hosts_is_invalid(front: Front, second: bytes) -> None:
    await assert_refused(front, lines(LIST, HOST, AUTH, second), INVALID_HOST)
    await assert_refused(front, lines(LIST, second, AUTH, HOST), INVALID_HOST)


@pytest.mark.parametrize("name", TARGETS)
async def test_a_target_at_another_authority_is_invalid(front: Front, name: str) -> None:
    await assert_refused(front, get(TARGETS[name]), INVALID_HOST)


async def test_a_target_at_our_own_authority_is_served(front: Front) -> None:
    """RFC 9112, section 3.2.2: a server must accept it."""
    async with connected(front.port) as wire:
        for target in (b"http://localhost" + PATH, PATH, b"HTTP://LOCALHOST" + PATH):
            wire.send(post(start=b"POST " + target + b" HTTP/1.1"))
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize("path", PATHS, ids=repr)
async def test_a_path_that_is_not_spelled_as_ours_is_unknown(front: Front, path: bytes) -> None:
    await assert_refused(front, post(start=b"POST " + path + b" HTTP/1.1"), UNKNOWN_URL)


async def test_a_target_with_a_fragment_is_not_served(front: Front) -> None:
    content = post(start=b"POST /v1/chat/completions#a HTTP/1.1")
    front.simulator.record.clear()
    async with connected(front.port) as wire:
        wire.send(content)
        answer = await wire.answer()
        assert (answer.status, answer.code) in ((400, "malformed_request"), (404, "unknown_url"))
    await front.settled()
    assert front.calls == 0


async def test_a_query_does_not_change_the_route(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(post(start=b"POST /v1/chat/completions?/../v1/models HTTP/1.1"))
        answer = await wire.answer()
        assert (answer.status, answer.json["object"]) == (200, "chat.completion")


@pytest.mark.parametrize("host", [b"localhost", b"LocalHost:80", b"127.0.0.1:8000", b"[::1]:1", b" \tlocalhost\t "])
async def test_our_own_names_are_served_with_any_port(front: Front, host: bytes) -> None:
    async with connected(front.port) as wire:
        wire.send(lines(b"POST " + PATH + b" HTTP/1.1", b"host:" + host, AUTH, JSON, length(), body=BODY))
        assert (await wire.answer()).status == 200
