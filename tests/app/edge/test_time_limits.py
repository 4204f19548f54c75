"""How long a connection may keep the gateway waiting: for a head, for a body, for its reader, for its next request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

import pytest

from oneflow_ai.edge.served import ConnectionLimits
from oneflow_ai.simulator import FAST, Pace, SimulatorOptions
from oneflow_ai.stores.history import Filters
from tests.app.edge.conftest import LIMIT_SECONDS
from tests.app.edge.front import Front, fronting
from tests.app.edge.heads import AUTH, BAD_AUTH, BODY, CHUNKED, HOST, JSON, LIST, START, chat, get, length, lines, post
from tests.app.edge.refusal import Refusal, assert_closed, assert_serving, assert_told, assert_usable
from tests.app.edge.wire import Wire, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLACK_SECONDS = 1.0
DRIP_SECONDS = 0.05
TIMED_OUT = Refusal(408, "request_timeout")
HEAD = lines(START, HOST, AUTH, JSON, length())
OPEN_HEADS = {
    "nothing": b"",
    "a byte": b"P",
    "an empty line": b"\r\n",
    "a request line": LIST + b"\r\n",
    "all but the last byte": lines(LIST, HOST, AUTH)[:-1],
}
OPEN_BODIES = {
    "nothing of its length": HEAD,
    "all but a byte": HEAD + BODY[:-1],
    "no chunk": lines(START, HOST, AUTH, JSON, CHUNKED),
    "half a chunk": lines(START, HOST, AUTH, JSON, CHUNKED, body=b"ff\r\n{"),
    "no last chunk": lines(START, HOST, AUTH, JSON, CHUNKED, body=b"%x\r\n%b\r\n" % (len(BODY), BODY)),
    "no end of the trailers": lines(START, HOST, AUTH, JSON, CHUNKED, body=b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)),
}
PLAIN = b'{"task":"text","prompt":"hi","model":"sim/sim-F9"}'
LONG_STREAM = post(body=chat(stream=True, max_tokens=2_000_000))


async def seconds_of(work: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work
    return loop.time() - began


async def drip(wire: Wire, content: bytes) -> None:
    """Send a byte at a time for as long as the connection is there."""
    for at in range(len(content)):
        if wire.end is not None or wire.raw:
            return
        wire.send(content[at : at + 1])
        await asyncio.sleep(DRIP_SECONDS)


async def assert_cut_in_time(wire: Wire) -> None:
    """Closed at the limit, no sooner and little later, without a word or with a 408."""
    took = await seconds_of(wire.over(LIMIT_SECONDS + SLACK_SECONDS))
    assert took > LIMIT_SECONDS / 2
    assert wire.end == "eof"
    assert wire.raw == b"" or wire.raw.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("name", OPEN_HEADS)
async def test_a_head_that_does_not_come_is_not_waited_for(quick: Front, name: str) -> None:
    async with connected(quick.port) as wire:
        wire.send(OPEN_HEADS[name])
        await assert_cut_in_time(wire)


@pytest.mark.parametrize("name", ["a byte", "a request line", "all but the last byte"])
async def test_the_next_head_of_a_connection_is_not_waited_for_either(quick: Front, name: str) -> None:
    async with connected(quick.port) as wire:
        await assert_usable(wire)
        wire.send(OPEN_HEADS[name])
        await assert_cut_in_time(wire)


async def test_a_dripped_head_has_no_longer_than_another(quick: Front) -> None:
    async with connected(quick.port) as wire:
        dripping = asyncio.ensure_future(drip(wire, lines(LIST, HOST, AUTH)))
        await assert_cut_in_time(wire)
        await dripping


@pytest.mark.parametrize("name", OPEN_BODIES)
async def test_a_body_that_stops_coming_is_timed_out(quick: Front, name: str) -> None:
    async with connected(quick.port) as wire:
        wire.send(OPEN_BODIES[name])
        answer = await wire.answer(seconds=LIMIT_SECONDS + SLACK_SECONDS)
        assert_told(answer, TIMED_OUT)
        await assert_closed(wire, answer)
    await quick.settled()
    assert quick.calls == 0


async def test_a_body_that_comes_slowly_is_read(quick: Front) -> None:
    """Each pause is shorter than the limit, all of them together are longer."""
    async with connected(quick.port) as wire:
        wire.send(HEAD)
        for at in range(0, len(BODY), 10):
            await asyncio.sleep(DRIP_SECONDS)
            wire.send(BODY[at : at + 10])
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_dripped_body_has_a_limit_in_all(tmp_path: Path, framing: str) -> None:
    """60 s and a second for each 256 KiB; here the 60 s are `LIMIT_SECONDS`."""
    limits = ConnectionLimits(body_seconds_least=LIMIT_SECONDS)
    head, body = (HEAD, BODY) if framing == "length" else (lines(START, HOST, AUTH, JSON, CHUNKED), b"1\r\n{\r\n" * 99)
    async with fronting(tmp_path, connection=limits) as front, connected(front.port) as wire:
        wire.send(head)
        dripping = asyncio.ensure_future(drip(wire, body))
        answer = await wire.answer(seconds=LIMIT_SECONDS + SLACK_SECONDS)
        assert_told(answer, TIMED_OUT)
        await assert_closed(wire, answer)
        await dripping


@pytest.mark.parametrize("sent", [b"", BODY[:-1]], ids=["nothing", "all but a byte"])
async def test_the_body_of_a_refused_request_holds_no_connection(quick: Front, sent: bytes) -> None:
    async with connected(quick.port) as wire:
        wire.send(lines(START, HOST, BAD_AUTH, JSON, length(), body=sent))
        assert (await wire.answer()).status == 401
        end, rest = await wire.over(LIMIT_SECONDS + SLACK_SECONDS)
        assert (end, rest) == ("eof", b"")


async def test_a_connection_between_requests_is_closed_at_its_own_limit(tmp_path: Path) -> None:
    limits = ConnectionLimits(keep_alive_seconds=LIMIT_SECONDS)
    async with fronting(tmp_path, connection=limits) as front, connected(front.port) as wire:
        for _ in range(3):
            await assert_usable(wire)
            await asyncio.sleep(LIMIT_SECONDS / 3)
        assert await wire.over(LIMIT_SECONDS + SLACK_SECONDS) == ("eof", b"")


async def test_a_connection_between_requests_is_not_bound_by_the_limit_of_a_head(quick: Front) -> None:
    async with connected(quick.port) as wire:
        await assert_usable(wire)
        await asyncio.sleep(LIMIT_SECONDS + SLACK_SECONDS)
        await assert_usable(wire)


async def test_a_call_is_not_bound_by_the_limits_of_its_request(quick: Front) -> None:
    async with connected(quick.port) as wire:
        wire.send(post(body=chat("sim-F9")))
        with pytest.raises(AssertionError, match="no answer"):
            await wire.answer(seconds=LIMIT_SECONDS + SLACK_SECONDS)
        assert quick.runtime.engine.calls_open == 1
    await quick.settled()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_has_ended_its_side_is_answered(front: Front, stream: bool) -> None:
    async with connected(front.port) as wire:
        wire.send(post(body=chat(stream=stream)))
        wire.transport.write_eof()
        assert (await wire.answer()).status == 200
        assert await wire.over() == ("eof", b"")
    assert (await front.outcomes())[0] == "ok"


async def test_every_request_sent_before_a_client_ended_its_side_is_answered(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(post() * 5 + get())
        wire.transport.write_eof()
        assert [(await wire.answer()).status for _ in range(6)] == [200] * 6
        assert await wire.over() == ("eof", b"")


@pytest.mark.parametrize("content", [b"", LIST + b"\r\n", HEAD], ids=["nothing", "half a head", "no body"])
async def test_half_a_request_and_an_end_are_no_request(front: Front, content: bytes) -> None:
    async with connected(front.port) as wire:
        wire.send(content)
        wire.transport.write_eof()
        end, rest = await wire.over()
        assert end == "eof"
        assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    await front.settled()
    assert front.calls == 0


async def test_a_reader_that_stalls_is_cut_and_its_call_settles(tmp_path: Path) -> None:
    limits = ConnectionLimits(write_seconds=LIMIT_SECONDS)
    options = SimulatorOptions(pace=FAST, answer_tokens=40_000)
    async with fronting(tmp_path, connection=limits, options=options) as front:
        async with connected(front.port, buffer_bytes=front.small_buffers()) as wire:
            wire.send(LONG_STREAM)
            # The simulator makes up so long an answer whole before it sends any of it.
            await wire.seen(b"HTTP/1.1 200 OK", seconds=15.0)
            wire.transport.pause_reading()
            assert await seconds_of(front.empty()) < LIMIT_SECONDS + 4 * SLACK_SECONDS
        assert await front.outcomes() == ["client_closed"]
        await assert_serving(front)


async def test_a_reader_that_is_slow_gets_all(tmp_path: Path) -> None:
    """It pauses for less than the limit each time, and for longer in all."""
    limits = ConnectionLimits(write_seconds=4 * LIMIT_SECONDS)
    options = SimulatorOptions(pace=FAST, answer_tokens=20_000)
    async with fronting(tmp_path, connection=limits, options=options) as front:
        async with connected(front.port, buffer_bytes=front.small_buffers()) as wire:
            wire.send(LONG_STREAM)
            for _ in range(8):
                wire.transport.pause_reading()
                await asyncio.sleep(LIMIT_SECONDS)
                wire.transport.resume_reading()
                await asyncio.sleep(DRIP_SECONDS)
            answer = await wire.answer(seconds=20.0)
            assert answer.body.endswith(b"data: [DONE]\n\n")
        assert await front.outcomes() == ["ok"]


async def test_a_closing_connection_that_nobody_reads_is_let_go(tmp_path: Path) -> None:
    """What is left of the answer is too little to pause the writer, so that no stall is noticed."""
    limits = ConnectionLimits(write_seconds=LIMIT_SECONDS)
    options = SimulatorOptions(pace=FAST, answer_tokens=10_000)
    async with fronting(tmp_path, connection=limits, options=options) as front:
        async with connected(front.port, buffer_bytes=front.small_buffers()) as wire:
            wire.transport.pause_reading()
            wire.send(post(b"connection: close", body=chat(max_tokens=10_000)))
            await asyncio.wait_for(front.simulator.record.until(lambda record: record.counts.requests == 1), 15.0)
            await front.settled()
            assert await seconds_of(front.empty()) < 2.0 + LIMIT_SECONDS + 2 * SLACK_SECONDS
        await assert_serving(front)


@pytest.mark.parametrize("again", [False, True], ids=["first head", "same head again"])
async def test_a_body_still_arriving_as_the_server_stops_is_read_to_its_end(tmp_path: Path, again: bool) -> None:
    """The server took it before it began to stop, so it is served."""
    async with fronting(tmp_path) as front, connected(front.port) as wire:
        if again:
            wire.send(HEAD + BODY)
            assert (await wire.answer()).status == 200
        wire.send(HEAD + BODY[:20])
        await asyncio.sleep(0.1)
        front.stop.set()
        await asyncio.sleep(0.3)
        wire.send(BODY[20:])
        assert (await wire.answer()).status == 200


async def test_a_fault_at_one_connection_ends_no_other_time_limit(tmp_path: Path) -> None:
    # What is idle fails when it is looked at: no number can be compared with this limit.
    limits = ConnectionLimits(head_seconds=LIMIT_SECONDS, keep_alive_seconds=cast(float, "a while"))
    async with fronting(tmp_path, connection=limits) as front:
        async with connected(front.port) as idle, connected(front.port) as headless:
            idle.send(get(b"/health/live"))
            assert (await idle.answer()).status == 200
            headless.send(b"POST")
            await headless.over()
            await idle.over()
        assert [line.partition(" {")[0] for line in front.log.errors] == ["a request failed by a fault of the gateway"]
        front.log.errors.clear()


async def test_calls_cut_as_the_server_stops_are_told_so_and_pay_for_what_they_got(tmp_path: Path) -> None:
    async with fronting(
        tmp_path,
        options=SimulatorOptions(pace=Pace(first_token_seconds=0.01, tokens_per_second=20.0, whole_seconds_most=60.0)),
    ) as front:
        async with (
            connected(front.port) as whole,
            connected(front.port) as stream,
            connected(front.port) as plain,
        ):
            whole.send(post(body=chat("sim-F9")))
            plain.send(post(start=b"POST /api/request HTTP/1.1", body=PLAIN))
            stream.send(post(body=chat(stream=True)))
            await stream.seen(b"data: ")
            front.stop.set()
            told = await plain.answer(seconds=5.0)
            assert (told.status, told.code) == (503, "draining")
            assert 1 <= int(told.header("retry-after") or 0) <= 5
            answer = await whole.answer(seconds=5.0)
            assert (answer.status, answer.code, answer.header("connection")) == (503, "draining", "close")
            assert 1 <= int(answer.header("retry-after") or 0) <= 5
            end, content = await stream.over()
            assert b'"code":"draining"' in content and b"[DONE]" not in content
            assert end == "eof"
        assert await front.outcomes() == ["draining"] * 3
        records = (await front.runtime.history.page(Filters(), limit=9)).records
        assert sorted(record.cost_nanos > 0 for record in records) == [False, False, True]
