"""Calls that go stage by stage, met at any of them by what may come: nothing stays held, and every cent is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from pathlib import Path

import orjson
import pytest

from oneflow_ai.core.record import Exchange
from oneflow_ai.simulator import Pace, SimulatorOptions
from tests.app.gateway import KEY, MESSAGES, Gateway, running
from tests.app.test_budgets import PLENTY, limit, standing

AT_ONCE = SimulatorOptions(pace=Pace(first_token_seconds=0.0, tokens_per_second=0.0, whole_seconds_most=0.0))
BESIDE = 48
TURNS_MOST = 16


def request() -> bytes:
    body = orjson.dumps({"model": "sim/gpt-6-luna", "messages": MESSAGES, "max_tokens": 50})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask(gateway: Gateway, turns: int, *, leaves: bool) -> bytes:
    """One call on a connection of its own; whoever leaves does so after so many turns of the loop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request())
    try:
        if leaves:
            # Its system tells at once that it is gone, not only that it sends no more.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for _ in range(turns):
                await asyncio.sleep(0)
            return b""
        return await reader.readline()
    finally:
        writer.transport.abort()


async def test_clients_that_leave_at_any_stage_leave_nothing_held(tmp_path: Path) -> None:
    async with running(tmp_path, options=AT_ONCE) as gateway:
        exchanges: list[Exchange] = []
        gateway.runtime.follow_with([exchanges.append])
        budget = await limit(gateway, PLENTY)
        for turns in range(TURNS_MOST):
            asked = [ask(gateway, turns, leaves=number % 3 > 0) for number in range(BESIDE)]
            answers = await asyncio.gather(*asked)
            assert Counter(answers) == {b"": BESIDE * 2 // 3, b"HTTP/1.1 200 OK\r\n": BESIDE // 3}
        found = await standing(gateway, budget)
        assert found.posted_nanos == sum(exchange.cost_nanos for exchange in exchanges)
        outcomes = Counter(exchange.outcome for exchange in exchanges)
        assert outcomes.keys() == {"ok", "client_closed"}
        assert outcomes["ok"] >= TURNS_MOST * BESIDE // 3
        # They left before they were let in, before anything was sent, and with an answer under way.
        left = [exchange for exchange in exchanges if exchange.outcome == "client_closed"]
        assert {len(exchange.attempts) for exchange in left} == {0, 1}
        assert {attempt.asked for exchange in left for attempt in exchange.attempts} == {False, True}
        assert {exchange.cost_nanos > 0 for exchange in left} == {False, True}


@pytest.mark.parametrize("turns", [4, 8, 12, 16, 20, 30])
async def test_a_stop_at_any_stage_answers_everybody(tmp_path: Path, turns: int) -> None:
    async with running(tmp_path, options=AT_ONCE) as gateway:
        exchanges: list[Exchange] = []
        gateway.runtime.follow_with([exchanges.append])
        budget = await limit(gateway, PLENTY)
        calls = [asyncio.ensure_future(ask(gateway, 0, leaves=False)) for _ in range(BESIDE)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await gateway.runtime.engine.end(5.0)
        answers = Counter(await asyncio.gather(*calls))
        assert answers.keys() <= {b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 Service Unavailable\r\n"}
        outcomes = Counter(exchange.outcome for exchange in exchanges)
        assert outcomes["ok"] == answers[b"HTTP/1.1 200 OK\r\n"]
        assert outcomes["draining"] == answers[b"HTTP/1.1 503 Service Unavailable\r\n"]
        assert (await standing(gateway, budget)).posted_nanos == sum(exchange.cost_nanos for exchange in exchanges)


async def test_a_reload_at_any_stage_disturbs_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, options=AT_ONCE) as gateway:
        for turns in (4, 8, 12, 16):
            calls = [asyncio.ensure_future(ask(gateway, 0, leaves=False)) for _ in range(BESIDE)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await gateway.runtime.reload(gateway.runtime.loaded)
            assert set(await asyncio.gather(*calls)) == {b"HTTP/1.1 200 OK\r\n"}
        await gateway.quiet()
