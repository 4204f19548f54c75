"""The control plane over real sockets, behind the edge, as a browser or curl reaches it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from tests.control.plane import Plane, listening, running


async def test_both_planes_answer_at_one_address(tmp_path: Path) -> None:
    async with running(tmp_path) as plane, listening(plane) as (url, _), aiohttp.ClientSession() as session:
        signed = {"authorization": f"Bearer {plane.key}"}
        async with session.post(
            f"{url}/v1/chat/completions",
            json={"model": "sim/gpt-6-luna", "messages": [{"role": "user", "content": "Hello"}]},
            headers=signed,
        ) as answer:
            assert answer.status == 200
            request_id = answer.headers["x-request-id"]
        async with session.get(f"{url}/api/providers/status", headers=signed) as answer:
            assert (await answer.json())["sim"]["metrics"]["successful_requests"] == 1
        await plane.runtime.recorder.close()
        async with session.get(f"{url}/api/requests/{request_id}", headers=signed) as answer:
            assert (await answer.json())["outcome"] == "ok"
        async with session.get(f"{url}/health") as answer:
            assert (await answer.json())["status"] == "ok"
        async with session.get(f"{url}/", headers={"host": "evil.example"}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (400, "invalid_host")
        async with session.post(f"{url}/api/keys", json={"name": "new"}, headers=signed) as answer:
            made = await answer.json()
        async with session.get(f"{url}/v1/models", headers={"x-api-key": made["key"]}) as answer:
            assert answer.status == 200
        async with session.delete(f"{url}/api/keys/{made['id']}", headers=signed) as answer:
            assert answer.status == 200
        async with session.get(f"{url}/v1/models", headers={"x-api-key": made["key"]}) as answer:
            assert answer.status == 401


async def test_a_hang_up_ends_the_call_at_the_provider(tmp_path: Path) -> None:
    async with running(tmp_path) as plane, listening(plane) as (url, _):
        writer = await _asked(plane, url)
        record = plane.simulator.record
        await record.until(lambda seen: seen.counts.in_flight > 0)
        writer.close()
        await asyncio.wait_for(record.until(lambda seen: seen.counts.in_flight == 0), 2.0)
        await plane.runtime.recorder.close()
        (ended,) = (await plane.get("/api/requests")).json["requests"]
        assert ended["outcome"] == "client_closed"


async def test_plain_calls_that_wait_for_their_provider_are_not_at_work(tmp_path: Path) -> None:
    async with running(tmp_path) as plane, listening(plane) as (url, edge):
        writers = [await _asked(plane, url) for _ in range(3)]
        record = plane.simulator.record
        await record.until(lambda seen: seen.counts.in_flight == 3)
        assert (edge.at_hand, plane.runtime.engine.calls_open, edge.at_work) == (3, 3, 0)
        for writer in writers:
            writer.close()
        for _ in range(200):
            if edge.at_hand:
                await asyncio.sleep(0.01)
        assert (edge.at_hand, plane.runtime.engine.calls_open, edge.at_work) == (0, 0, 0)


async def _asked(plane: Plane, url: str) -> asyncio.StreamWriter:
    """Somebody who asked in the plain form for what never comes."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    body = b'{"task": "text", "prompt": "Hello", "model": "sim/sim-F9"}'
    head = f"POST /api/request HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {plane.key}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    return writer
