"""Requests sent without waiting for answers: answered in order, few of them held, none begun for who has left."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import cycle, islice
from pathlib import Path

import pytest

from oneflow_ai.simulator import Pace, SimulatorOptions
from tests.app.edge.front import Front, fronting
from tests.app.edge.heads import CHUNKED, HOST, JSON, START, chat, get, lines, post
from tests.app.edge.refusal import assert_serving
from tests.app.edge.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIPELINED = 1_000
HELD_MOST = 16
NEVER_ANSWERED = post(body=chat("sim-F9"))
UNHURRIED = SimulatorOptions(pace=Pace(first_token_seconds=1.0, whole_seconds_most=1.0))
# Kinds of request that can be told from their answers, in an order that repeats late.
KINDS = [
    (post(), 200, b"chat.completion"),
    (get(b"/health/live"), 200, b"live"),
    (get(b"/v1/nothing"), 404, b"unknown_url"),
    (lines(b"GET /v1/models HTTP/1.1", HOST), 401, b"missing_api_key"),
    (get(b"/health/ready"), 200, b"ready"),
    (get(b"/v1/chat/completions"), 405, b"method_not_allowed"),
    (post(body=b"{"), 400, b"invalid_json"),
]


async def test_a_thousand_pipelined_requests_are_answered_in_order(front: Front) -> None:
    sent = list(islice(cycle([*KINDS, *KINDS[::2], *KINDS[::-1]]), PIPELINED))
    async with connected(front.port) as wire:
        wire.send(b"".join(content for content, _, _ in sent))
        for number, (_, status, part) in enumerate(sent):
            answer = await wire.answer(seconds=5.0)
            assert (number, answer.status, part in answer.body) == (number, status, True), answer
        assert wire.raw == b""


async def test_streams_are_answered_in_order_too(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send((post(body=chat(stream=True)) + get(b"/health/live")) * 20)
        for _ in range(20):
            stream = await wire.answer()
            assert stream.body.endswith(b"data: [DONE]\n\n")
            assert (await wire.answer()).body == b"live"


async def test_no_more_than_sixteen_requests_are_held_while_one_is_under_way(tmp_path: Path) -> None:
    """Bodies of 16 KB and small buffers in the system, so that what the gateway holds can be counted from outside."""
    held = post(body=chat(user="x" * 16_000))
    async with fronting(tmp_path, options=UNHURRIED) as front:
        buffers = front.small_buffers()
        async with connected(front.port, buffer_bytes=buffers) as wire:
            wire.send(post())
            await asyncio.wait_for(front.simulator.record.until(lambda record: record.counts.in_flight == 1), 2.0)
            wire.send(held * 200)
            taken = 200 * len(held) - await _rest(wire.transport)
            assert taken / len(held) <= HELD_MOST + 1 + 10 * buffers / len(held)
        await front.settled()


async def test_who_is_slow_to_read_a_refusal_is_not_at_work(tmp_path: Path) -> None:
    async with fronting(tmp_path) as front, connected(front.port, buffer_bytes=front.small_buffers()) as wire:
        wire.transport.pause_reading()
        for _ in range(500):
            wire.send(get(b"/v1/nowhere"))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.2)
        assert (front.edge.at_hand, front.edge.at_work) == (1, 0)


async def _rest(transport: asyncio.Transport) -> int:
    """How many bytes are still unsent once no more of them go out."""
    rest, same = transport.get_write_buffer_size(), 0
    while rest and same < 30:
        await asyncio.sleep(0.01)
        same = same + 1 if transport.get_write_buffer_size() == rest else 0
        rest = transport.get_write_buffer_size()
    return rest


async def test_the_requests_of_a_client_that_left_are_not_begun(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(NEVER_ANSWERED + post() * 5)
        await asyncio.wait_for(front.simulator.record.until(lambda record: record.counts.in_flight == 1), 2.0)
    await front.settled()
    assert front.calls == 1


async def test_a_malformed_request_does_not_take_the_answers_before_it_away(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(post() * 3 + b"NOTHING\r\n\r\n" + post())
        assert [(await wire.answer()).status for _ in range(4)] == [200, 200, 200, 400]
        assert await wire.over() == ("eof", b"")
    await front.settled()
    assert front.calls == 3


async def test_a_long_pipeline_keeps_nobody_waiting(front: Front) -> None:
    async with connected(front.port) as wire:
        wire.send(get(b"/health/live") * 20_000)
        await assert_serving(front)
        for _ in range(20_000):
            await wire.answer(seconds=5.0)


async def test_nothing_behind_the_last_request_of_a_connection_is_begun(front: Front) -> None:
    """A body that its refusal does not wait for ends the connection; what stands behind it is not served."""
    begun = front.calls
    refused = lines(START, HOST, JSON, CHUNKED, body=b"5\r\nhello\r\n")
    async with connected(front.port) as wire:
        wire.send(get(b"/health/live") + refused)
        assert (await wire.answer()).body == b"live"
        assert (await wire.answer()).status == 401
        wire.send(b"0\r\n\r\n" + post() * 3)
        assert await wire.over() == ("eof", b"")
    await front.settled()
    assert front.calls == begun
    assert front.log.errors == []


@pytest.mark.parametrize("padding", [0, 5_000], ids=["many small requests", "one with a long head"])
async def test_what_comes_with_the_rest_of_a_body_that_was_refused_is_served(front: Front, padding: int) -> None:
    """The refusal came before the body's end; the rest and what follows arrive in one piece, larger than a slice."""
    followers = 1 if padding else 100
    follower = lines(b"GET /health/live HTTP/1.1", HOST, b"x-padding: " + b"p" * padding)
    async with connected(front.port) as wire:
        wire.send(lines(START, HOST, JSON, b"content-length: 2000") + b"x" * 1_000)
        assert (await wire.answer()).status == 401
        wire.send(b"x" * 1_000 + follower * followers)
        for _ in range(followers):
            assert (await wire.answer()).body == b"live"


async def test_a_client_that_is_gone_behind_many_pipelined_requests_is_noticed(tmp_path: Path) -> None:
    """So many wait that its connection is not read, and no end of it is seen."""
    async with fronting(tmp_path) as front, connected(front.port) as wire:
        wire.send(NEVER_ANSWERED + get(b"/health/live") * 400)
        await asyncio.wait_for(front.simulator.record.until(lambda record: record.counts.requests == 1), 5.0)
        await asyncio.sleep(0.1)
        reset_on_close = struct.pack("ii", 1, 0)
        wire.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
        wire.transport.abort()
        await asyncio.wait_for(front.settled(), 3.0)
        assert await front.outcomes() == ["client_closed"]
