"""What the gateway turns away when too much comes at once, and what it does not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from oneflow_ai.edge import EdgeLimits
from oneflow_ai.simulator import Pace, SimulatorOptions
from tests.app.gateway import KEY, head_of, running

# Calls whose bodies are not whole: one as JSON, one as a form.
BEGUN = (
    head_of(1_000) + b'{"model',
    head_of(1_000, "/v1/audio/transcriptions", "multipart/form-data; boundary=abc") + b"--abc",
)


async def test_too_many_calls_at_once_are_shed_and_probes_are_not(tmp_path: Path) -> None:
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.5, tokens_per_second=0.0, whole_seconds_most=0.5))
    async with running(tmp_path, limits=EdgeLimits(calls_most=3), options=slow) as gateway:
        calls = [asyncio.ensure_future(gateway.chat("sim/gpt-6-luna")) for _ in range(6)]
        await asyncio.sleep(0.2)
        assert (await gateway.get("/health/live")).status == 200
        replies = await asyncio.gather(*calls)
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 503, 503, 503]
        shed = next(reply for reply in replies if reply.status == 503)
        assert shed.code == "overloaded"
        assert 1 <= int(shed.headers["retry-after"]) <= 5
        assert "x-should-retry" not in shed.headers


async def test_a_loop_that_lags_turns_calls_away_and_nothing_else(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        overload = gateway.edge._overload
        for step in range(30):
            overload.note_lag(1.5 * step, 0.5)
        refused = [await gateway.chat("sim/gpt-6-luna") for _ in range(8)]
        assert {(reply.status, reply.code) for reply in refused} == {(503, "overloaded")}
        assert all(1 <= int(reply.headers["retry-after"]) <= 5 for reply in refused)
        # Their bodies were read over: the connection is kept.
        assert all("connection" not in reply.headers for reply in refused)
        assert gateway.wire_attempts("gpt-6-luna") == 0
        for path in ("/health/live", "/v1/models"):
            assert (await gateway.get(path, {"authorization": f"Bearer {KEY}"})).status == 200
        for step in range(20):
            overload.note_lag(50.0 + step, 0.0)
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200


async def test_a_loop_that_lags_turns_the_plain_form_away_too(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        overload = gateway.edge._overload
        for step in range(30):
            overload.note_lag(1.5 * step, 0.5)
        refused = [await gateway.post("/api/request", b"{}") for _ in range(8)]
        assert {(reply.status, reply.code) for reply in refused} == {(503, "overloaded")}
        assert all(1_000 <= int(reply.headers["retry-after-ms"]) <= 5_000 for reply in refused)
        # History is read all the while: there is no control plane in this test, so it is not found.
        assert {(await gateway.get("/api/requests")).status for _ in range(40)} == {404}
        gateway.edge.draining = True
        assert (await gateway.post("/api/request", b"{}")).code == "draining"


async def test_calls_that_only_wait_are_not_at_work(tmp_path: Path) -> None:
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.5, tokens_per_second=0.0, whole_seconds_most=0.5))
    async with running(tmp_path, options=slow) as gateway:
        overload = gateway.edge._overload
        for step in range(30):
            overload.note_lag(1.5 * step, 0.5)
        overload.note_lag(50.0, 0.0)
        assert 1 <= overload.most < 2
        # Two wait for their bodies, and each of the others for its provider.
        writers = []
        for begun in BEGUN:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(begun)
            writers.append(writer)
        calls = []
        for _ in range(4):
            calls.append(asyncio.ensure_future(gateway.chat("sim/gpt-6-luna")))
            await asyncio.sleep(0.1)
        assert (gateway.edge.at_hand, gateway.edge.at_work) == (6, 0)
        assert {reply.status for reply in await asyncio.gather(*calls)} == {200}
        for writer in writers:
            writer.transport.abort()
        await gateway.quiet()


async def test_who_waits_to_be_told_of_voices_is_not_at_work(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        place = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        table = {"elevenlabs": f'kind = "elevenlabs"\nbase_url = "{place}"\n'}
        async with running(tmp_path, providers=table, configuration="[retry]\nattempts = 1\n") as gateway:
            asked = [asyncio.ensure_future(gateway.get("/v1/voices", {"xi-api-key": KEY})) for _ in range(3)]
            for _ in range(200):
                if gateway.edge.at_hand < 3 or gateway.edge.at_work:
                    await asyncio.sleep(0.01)
            assert (gateway.edge.at_hand, gateway.edge.at_work) == (3, 0)
            left.set()
            assert {reply.status for reply in await asyncio.gather(*asked)} == {502}
            await gateway.quiet()


async def test_a_loop_that_is_held_up_again_and_again_is_noticed(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        overload = gateway.runtime.overload
        for _ in range(8):
            time.sleep(0.3)  # noqa: ASYNC251 - this is what holds the loop up
            await asyncio.sleep(0.05)
        assert not overload.calm
        for _ in range(50):
            if not overload.calm:
                await asyncio.sleep(0.1)
        assert overload.calm


@pytest.mark.parametrize("begun", BEGUN, ids=["body", "form"])
async def test_calls_whose_bodies_still_arrive_count_as_calls_in_flight(tmp_path: Path, begun: bytes) -> None:
    async with running(tmp_path, limits=EdgeLimits(calls_most=3)) as gateway:
        writers = []
        for _ in range(6):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(begun)
            writers.append((reader, writer))
        await asyncio.sleep(0.2)
        assert (await gateway.chat("sim/gpt-6-luna")).code == "overloaded"
        refused = [reader for reader, _ in writers if reader._buffer]  # type: ignore[attr-defined] # what has come
        assert len(refused) == 3
        for _, writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.2)
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200


async def test_calls_whose_bodies_would_not_fit_together_are_turned_away(tmp_path: Path) -> None:
    slow = SimulatorOptions(pace=Pace(first_token_seconds=0.5, tokens_per_second=0.0, whole_seconds_most=0.5))
    limits = EdgeLimits(body_bytes_most=2_000_000, bodies_bytes_most=1_500_000)
    long = [{"role": "user", "content": "x" * 700_000}]
    async with running(tmp_path, limits=limits, options=slow) as gateway:
        calls = [asyncio.ensure_future(gateway.chat("sim/gpt-6-luna", messages=long)) for _ in range(4)]
        replies = await asyncio.gather(*calls)
        assert sorted({reply.status for reply in replies}) == [200, 503]
        await gateway.quiet()
        # Nothing is counted twice, and nothing for ever.
        assert [(await gateway.chat("sim/gpt-6-luna", messages=long)).status for _ in range(3)] == [200] * 3
        assert gateway.edge._bodies.total_bytes == 0
