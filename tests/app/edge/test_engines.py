"""What clients see is the same over each server; what cannot be is told in `docs/design/servers.md`."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.simulator import FAST, Pace, SimulatorOptions
from tests.app.edge.conftest import LIMIT_SECONDS
from tests.app.edge.front import BODY_BYTES_MOST, Front, fronting
from tests.app.edge.heads import (
    AUTH,
    BAD_AUTH,
    BODY,
    CHUNKED,
    HOST,
    JSON,
    START,
    chat,
    chunked,
    get,
    length,
    lines,
    post,
)
from tests.app.edge.odd import odd_request
from tests.app.edge.reading import read
from tests.app.edge.refusal import assert_serving
from tests.app.edge.wire import Answer, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENGINES = ("uvicorn", "granian")
SLACK_SECONDS = 1.5
GONE_SECONDS = 0.2
ODD_REQUESTS = 1_000
TOGETHER = 64
OUR_OWN_STATUSES = (501, 503, 505)
SLOW = SimulatorOptions(pace=Pace(first_token_seconds=0.02, tokens_per_second=20.0, whole_seconds_most=30.0))
LONG_STREAM = post(body=chat(stream=True, max_tokens=2_000_000))
TEXT = b"content-type: text/plain"
PLAIN = b"/v1/chat/completions"

# What is sent, the status, the code, and whether the connection closes after it.
REFUSED = {
    "no key": (lines(START, HOST, JSON, length(), body=BODY), 401, "missing_api_key", False),
    "unknown key": (lines(START, HOST, BAD_AUTH, JSON, length(), body=BODY), 401, "invalid_api_key", False),
    "two keys": (post(b"x-api-key: of_another"), 400, "ambiguous_credentials", False),
    "another's host": (
        lines(START, b"host: a.example", AUTH, JSON, length(), body=BODY),
        400,
        "invalid_host",
        False,
    ),
    "no host": (lines(START, AUTH, JSON, length(), body=BODY), 400, "invalid_host", True),
    "two hosts": (post(b"host: localhost"), 400, "invalid_host", True),
    "a host with a path": (
        lines(b"GET / HTTP/1.1", b"host: localhost/x?"),
        400,
        "invalid_host",
        True,
    ),
    "an unknown address": (get(b"/v1/nothing"), 404, "unknown_url", False),
    "dots in the address": (get(b"/v1/./models"), 404, "unknown_url", False),
    "a slash in code": (post(start=b"POST /v1/chat%2Fcompletions HTTP/1.1"), 404, "unknown_url", False),
    "another method": (get(PLAIN), 405, "method_not_allowed", False),
    "another type": (
        lines(START, HOST, AUTH, TEXT, length(), body=BODY),
        415,
        "unsupported_media_type",
        False,
    ),
    "an encoding": (post(b"content-encoding: gzip"), 415, "unsupported_encoding", False),
    "no JSON": (post(body=b"{"), 400, "invalid_json", False),
    "two types": (post(b"content-type: application/json"), 400, "malformed_request", True),
    "another expectation": (post(b"expect: nothing"), 417, "expectation_failed", True),
    "a long address": (get(b"/v1/models?" + b"x" * 9_000), 414, "uri_too_long", True),
    "a large head": (get(b"/v1/models", b"x: " + b"y" * 65_500), 431, "headers_too_large", True),
    "a long credential": (lines(b"GET /v1/models HTTP/1.1", HOST, AUTH + b"x" * 9_000), 431, "headers_too_large", True),
    "a large body": (post(body=b" " * (BODY_BYTES_MOST + 1)), 413, "request_too_large", True),
    "a large body in chunks": (chunked([b" " * 16_000] * 5), 413, "request_too_large", True),
}
# What granian itself refuses: the same status, or as good a one, without words.
MALFORMED = {
    "two lengths": post(b"content-length: 3"),
    "a length with a sign": lines(START, HOST, AUTH, JSON, b"content-length: +4", body=b"abcd"),
    "an unknown coding": lines(START, HOST, AUTH, JSON, b"transfer-encoding: xchunked"),
    "a folded header": lines(START, HOST, AUTH, b"x: a\r\n b", JSON, length(), body=BODY),
    "a space before the colon": lines(START, b"host : localhost", AUTH, JSON, length(), body=BODY),
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "an old version": lines(b"GET /v1/models HTTP/1.0", HOST),
    "another version": lines(b"GET / HTTP/9.9", HOST),
    "many headers": get(b"/v1/models", *[b"x-%d: y" % number for number in range(120)]),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES, name="_each")
async def _module_each(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Front]:
    limits = ConnectionLimits(LIMIT_SECONDS, LIMIT_SECONDS, LIMIT_SECONDS)
    async with fronting(tmp_path_factory.mktemp("each"), server=request.param, connection=limits) as front:
        yield front


@pytest.fixture
def each(_each: Front) -> Iterator[Front]:
    """A gateway over each server in turn; a test that makes it log an error fails."""
    _each.simulator.record.clear()
    _each.log.errors.clear()
    yield _each
    assert _each.log.errors == []


async def _one(front: Front, content: bytes, method: str = "GET") -> Answer:
    async with connected(front.port) as wire:
        wire.send(content)
        return await wire.answer(method)


async def test_a_chat_is_answered_and_the_connection_kept(each: Front) -> None:
    async with connected(each.port) as wire:
        for _ in range(3):
            wire.send(post(b"x-request-id: mine-1"))
            answer = await wire.answer()
            assert (answer.status, answer.header("x-request-id")) == (200, "mine-1")
            assert answer.json["choices"][0]["message"]["content"]
            assert float(answer.header("x-oneflow-cost-usd") or 0) > 0
            assert len(answer.all("content-length")) == len(answer.all("date")) == 1


async def test_a_stream_is_answered_event_by_event_to_its_end(each: Front) -> None:
    answer = await _one(each, post(body=chat(stream=True)))
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert answer.body.startswith(b"data: {")
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_requests_are_answered_in_the_order_in_which_they_came(each: Front) -> None:
    async with connected(each.port) as wire:
        wire.send(b"".join(post(b"x-request-id: number-%d" % number) for number in range(8)))
        found = [(await wire.answer()).header("x-request-id") for _ in range(8)]
        assert found == [f"number-{number}" for number in range(8)]


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_served_is_told_why(each: Front, name: str) -> None:
    content, status, code, closed = REFUSED[name]
    async with connected(each.port) as wire:
        wire.send(content)
        answer = await wire.answer()
        assert (answer.status, answer.code) == (status, code), answer
        assert answer.header("x-request-id")
        assert each.calls == 0
        if closed:
            assert answer.header("connection") == "close"
            await wire.over()
        else:
            wire.send(get())
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_request_is_refused_and_the_connection_closed(each: Front, name: str) -> None:
    async with connected(each.port) as wire:
        wire.send(MALFORMED[name])
        _, raw = await wire.over()
        assert re.match(rb"HTTP/1\.[01] (400|431|505) ", raw), raw[:200]
        assert len(re.findall(rb"HTTP/1\.[01] \d", raw)) == 1
    assert each.calls == 0


async def test_two_framings_never_leave_a_second_request_behind(each: Front) -> None:
    async with connected(each.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, length(), CHUNKED, body=b"0\r\n\r\n" + get()))
        answer = await wire.answer()
        assert (answer.status, answer.header("connection")) == (400, "close")
        assert (await wire.over())[1] == b""


async def test_a_body_that_ends_in_nonsense_is_told_so_and_reaches_no_provider(each: Front) -> None:
    async with connected(each.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, CHUNKED, body=b"%x\r\n%b\r\nzz\r\n" % (len(BODY), BODY)))
        answer = await wire.answer()
        assert (answer.status, answer.code, answer.header("connection")) == (400, "malformed_request", "close")
        await wire.over()
    assert each.calls == 0


async def test_a_body_that_is_cut_reaches_no_provider(each: Front) -> None:
    async with connected(each.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, length(), body=BODY[:-1]))
        wire.transport.write_eof()
        await wire.over()
    assert each.calls == 0


async def test_a_refusal_comes_before_the_body_is_asked_for(each: Front) -> None:
    async with connected(each.port) as wire:
        wire.send(lines(START, HOST, BAD_AUTH, JSON, b"expect: 100-continue", length()))
        answer = await wire.answer()
        assert (answer.status, answer.interim) == (401, ())
    async with connected(each.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, b"expect: 100-continue", length()))
        await wire.seen(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(BODY)
        assert (await wire.answer()).status == 200


async def test_a_head_request_has_the_headers_and_no_body(each: Front) -> None:
    answer = await _one(each, lines(b"HEAD /v1/models HTTP/1.1", HOST, AUTH), "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("content-length") or 0) > 100


async def test_the_control_plane_is_served_too(each: Front) -> None:
    assert (await _one(each, get(b"/health/ready"))).body == b"ready"
    assert (await _one(each, get(b"/api/nothing"))).status == 404
    status = await _one(each, get(b"/api/status"))
    assert status.status in (200, 401, 403)


async def test_a_head_that_does_not_come_is_not_waited_for(each: Front) -> None:
    async with connected(each.port) as wire:
        wire.send(START[:20])
        await wire.over(LIMIT_SECONDS + SLACK_SECONDS)


@pytest.mark.parametrize("body", [b"", BODY[:-1]], ids=["none of it", "all but a byte"])
async def test_a_body_that_does_not_come_is_not_waited_for(each: Front, body: bytes) -> None:
    async with connected(each.port) as wire:
        wire.send(lines(START, HOST, AUTH, JSON, length(), body=body))
        answer = await wire.answer(seconds=LIMIT_SECONDS + SLACK_SECONDS)
        assert (answer.status, answer.code, answer.header("connection")) == (408, "request_timeout", "close")
        await wire.over()
    assert each.calls == 0


async def test_odd_requests_do_no_harm_over_another_server(tmp_path: Path) -> None:
    """As in `test_odd_requests.py`, where the connections are not ours: each is answered, or ends."""
    limits = ConnectionLimits(LIMIT_SECONDS, LIMIT_SECONDS, LIMIT_SECONDS)
    options = SimulatorOptions(pace=FAST, record_requests_most=100)
    async with fronting(tmp_path, connection=limits, options=options, server="granian") as front:
        numbers = iter(range(ODD_REQUESTS))

        async def send() -> None:
            for number in numbers:
                async with connected(front.port) as wire:
                    wire.send(odd_request(7, number))
                    _, raw = await wire.over(LIMIT_SECONDS + 2 * SLACK_SECONDS)
                statuses = [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", raw)]
                wrong = [status for status in statuses if status >= 500 and status not in OUR_OWN_STATUSES]
                assert wrong == [], f"odd_request(7, {number}): {raw[:500]!r}"

        await asyncio.gather(*(send() for _ in range(TOGETHER)))
        await front.settled()
        await front.empty()
        assert front.log.errors == []
        assert 0 < front.calls <= sum(read(odd_request(7, number)).calls for number in range(ODD_REQUESTS))
        await assert_serving(front)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_client_that_does_not_read_is_cut_and_its_call_ends(tmp_path: Path, engine: str) -> None:
    limits = ConnectionLimits(write_seconds=LIMIT_SECONDS)
    options = SimulatorOptions(pace=FAST, answer_tokens=40_000)
    async with fronting(tmp_path, connection=limits, options=options, server=engine) as front:
        async with connected(front.port, buffer_bytes=front.small_buffers()) as wire:
            wire.send(LONG_STREAM)
            # The simulator makes up so long an answer whole before it sends any of it.
            await wire.seen(b"HTTP/1.1 200 OK", seconds=15.0)
            wire.transport.pause_reading()
            async with asyncio.timeout(LIMIT_SECONDS + 2 * SLACK_SECONDS):
                await front.empty()
        assert await front.outcomes() == ["client_closed"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_leaves_takes_its_call_to_the_provider_with_it(
    tmp_path: Path, engine: str, stream: bool
) -> None:
    async with fronting(tmp_path, options=SLOW, server=engine) as front:
        async with connected(front.port) as wire:
            wire.send(post(body=chat(stream=stream, max_tokens=200)))
            await _begun(front)
        loop = asyncio.get_running_loop()
        began_seconds = loop.time()
        await front.settled()
        assert loop.time() - began_seconds < GONE_SECONDS
        assert await front.outcomes() == ["client_closed"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_clients_that_leave_at_any_moment_leave_nothing(tmp_path: Path, engine: str) -> None:
    pace = Pace(first_token_seconds=0.02, tokens_per_second=500.0, whole_seconds_most=0.02)
    async with fronting(tmp_path, options=SimulatorOptions(pace=pace), server=engine) as front:

        async def leave(client: int) -> None:
            for turn in range(10):
                async with connected(front.port) as wire:
                    wire.send(post(body=chat(stream=turn % 2 == 0)))
                    await asyncio.sleep(((client * 7 + turn * 13) % 40) / 1_000)

        await asyncio.gather(*(leave(client) for client in range(20)))
        await front.settled()
        await front.empty()
        assert set(await front.outcomes()) <= {"client_closed", "ok"}
        await assert_serving(front)
        assert front.log.errors == []


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_stream_that_fails_does_not_look_whole(tmp_path: Path, engine: str) -> None:
    async with fronting(tmp_path, server=engine) as front, connected(front.port) as wire:
        wire.send(post(body=chat("sim-F13@event:3", stream=True)))
        end, raw = await wire.over(5.0)
        assert end == "eof"
        assert b"upstream_stream_interrupted" in raw
        assert b"[DONE]" not in raw
        assert not raw.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_stopping_server_takes_nobody_in_and_lets_calls_end(tmp_path: Path, engine: str) -> None:
    options = SimulatorOptions(pace=Pace(first_token_seconds=0.5, tokens_per_second=1_000.0, whole_seconds_most=0.5))
    async with fronting(tmp_path, options=options, server=engine) as front, connected(front.port) as idle:
        idle.send(get())
        assert (await idle.answer()).status == 200
        async with connected(front.port) as wire:
            wire.send(post())
            await _begun(front)
            port = front.port
            front.stop.set()
            await idle.over(SLACK_SECONDS)
            await _refused(port)
            answer = await wire.answer(seconds=2.0)
            assert (answer.status, answer.header("connection")) == (200, "close")


@pytest.mark.parametrize("engine", ENGINES)
async def test_calls_that_outlast_the_stop_are_told_so(tmp_path: Path, engine: str) -> None:
    front_of = fronting(tmp_path, options=SLOW, server=engine)
    async with front_of as front, connected(front.port) as whole, connected(front.port) as stream:
        whole.send(post(body=chat("sim-F9")))
        stream.send(post(body=chat(stream=True, max_tokens=5_000)))
        await stream.seen(b"data: ")
        front.stop.set()
        answer = await whole.answer(seconds=4.0)
        assert (answer.status, answer.code) == (503, "draining")
        _, raw = await stream.over(2.0)
        assert b'"draining"' in raw
        assert not raw.endswith(b"0\r\n\r\n")


async def _begun(front: Front) -> None:
    await asyncio.wait_for(front.simulator.record.until(lambda record: record.counts.in_flight > 0), 2.0)


async def _refused(port: int) -> None:
    async with asyncio.timeout(SLACK_SECONDS):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
            except ConnectionRefusedError:
                return
            await asyncio.sleep(0.01)
