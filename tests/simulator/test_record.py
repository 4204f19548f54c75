"""The record: exact counts, each request as it came, no secrets."""

from __future__ import annotations

import asyncio

from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from oneflow_ai.simulator.record import HEAD_BYTES_MOST
from tests.simulator.raw import CHAT, STREAM, ask, exchange, once, request


async def test_a_request_is_noted_as_it_came_without_its_secrets(simulator: Simulator) -> None:
    seen = await once(simulator, CHAT, key="very-secret", headers={"cookie": "also=secret", "x-mark": "seen"})
    (attempt,) = simulator.record.attempts()
    headers = dict(attempt.headers)
    assert (attempt.method, attempt.path, attempt.model) == ("POST", "/v1/chat/completions", CHAT["model"])
    assert (attempt.status, attempt.ended, attempt.sent_bytes) == (200, "completed", len(seen.raw))
    assert headers[b"x-mark"] == b"seen"
    assert "secret" not in str(attempt)
    assert len(attempt.credential) == 12
    assert attempt.body.startswith(b'{"model"')
    assert attempt.body_bytes == len(attempt.body)
    assert attempt.ended_seconds is not None
    assert attempt.ended_seconds >= attempt.arrived_seconds


async def test_only_the_beginning_of_a_head_is_kept(simulator: Simulator) -> None:
    headers = {"x-first": "1", "x-large": "a" * HEAD_BYTES_MOST, "x-last": "2"}
    seen = await once(simulator, CHAT, headers=headers)
    (attempt,) = simulator.record.attempts()
    names = {name for name, _ in attempt.headers}
    assert (seen.status, b"x-first" in names, b"x-large" in names, b"x-last" in names) == (200, True, False, False)


async def test_requests_on_one_connection_share_its_number(simulator: Simulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    for _ in range(3):
        await exchange(reader, writer, request(CHAT))
    writer.close()
    await simulator.record.until(lambda record: record.counts.connections_open == 0)
    places = [(each.connection, each.served_before, each.attempt) for each in simulator.record.attempts()]
    assert places == [(1, 0, 1), (1, 1, 2), (1, 2, 3)]


async def test_counts_are_exact_when_the_record_is_short() -> None:
    async with await Simulator(SimulatorOptions(pace=FAST, record_requests_most=2)).start() as simulator:
        for model in ("a", "b", "b", "no-such", "sim-F23"):
            await once(simulator, {**CHAT, "model": model})
        counts = simulator.record.counts
        assert [each.model for each in simulator.record.attempts()] == ["no-such", "sim-F23"]
    assert counts.requests == counts.connections == 5
    assert counts.by_model == {"a": 1, "b": 2, "no-such": 1, "sim-F23": 1}
    assert counts.by_status == {200: 3, 404: 1, 500: 1}
    assert counts.by_fault == {"F23": 1}


async def test_a_client_that_leaves_a_stream_is_noted_with_what_it_got(simulator: Simulator) -> None:
    document = {**STREAM, "model": "sim-F12@event:2;kind=comments;gap=60"}
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(request(document))
    await reader.readuntil(b" is ")
    assert simulator.record.counts.in_flight == 1
    writer.close()
    await simulator.record.until(lambda record: record.counts.by_end["client_closed"] == 1)
    (attempt,) = simulator.record.attempts()
    assert attempt.sent_bytes > 0
    assert simulator.record.counts.in_flight == 0


async def test_the_most_at_a_time_is_kept(simulator: Simulator) -> None:
    asking = [asyncio.create_task(once(simulator, {**CHAT, "model": "sim-F9"})) for _ in range(5)]
    await simulator.record.until(lambda record: record.counts.in_flight == 5)
    for each in asking:
        each.cancel()
    await simulator.record.until(lambda record: record.counts.connections_open == 0)
    assert simulator.record.counts.in_flight_most == 5


async def test_clearing_keeps_what_is_open(simulator: Simulator) -> None:
    asking = asyncio.create_task(ask(simulator, request({**CHAT, "model": "sim-F9"})))
    await simulator.record.until(lambda record: record.counts.in_flight == 1)
    simulator.record.clear()
    assert simulator.record.attempts() == []
    assert (simulator.record.counts.requests, simulator.record.counts.in_flight) == (0, 1)
    asking.cancel()
    await simulator.record.until(lambda record: record.counts.connections_open == 0)
    assert simulator.record.counts.in_flight == 0
