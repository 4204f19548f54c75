"""A client that goes away takes its upstream connection with it, at once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from oneflow_ai.simulator import SILENT, Names, Pace, SimulatorOptions
from oneflow_ai.stores.history import Filters
from oneflow_ai.upstream import Ways
from tests.app.gateway import KEY, MESSAGES, Gateway, running

GONE_SECONDS = 0.2
CHURN = 400
SLOW = SimulatorOptions(pace=Pace(first_token_seconds=0.05, tokens_per_second=20.0, whole_seconds_most=30.0))
BUSY = SimulatorOptions(pace=Pace(first_token_seconds=0.02, tokens_per_second=500.0, whole_seconds_most=0.02))


def _request(model: str, *, stream: bool) -> bytes:
    body = orjson.dumps({"model": model, "messages": MESSAGES, "stream": stream, "max_tokens": 200})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _hang_up(gateway: Gateway, model: str, *, stream: bool, after_bytes: int, seconds: float = 0.0) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(_request(model, stream=stream))
    await writer.drain()
    if after_bytes:
        await reader.readexactly(after_bytes)
    await asyncio.sleep(seconds)
    writer.transport.abort()


async def _until(true_of: Callable[[], bool], seconds: float) -> float:
    began = asyncio.get_running_loop().time()
    while not true_of():
        if asyncio.get_running_loop().time() - began > seconds:
            raise AssertionError("it did not come to that in time")
        await asyncio.sleep(0.005)
    return asyncio.get_running_loop().time() - began


async def test_a_stream_that_is_left_ends_at_the_provider(tmp_path: Path) -> None:
    async with running(tmp_path, options=SLOW) as gateway:
        counts = gateway.simulator.record.counts
        await _hang_up(gateway, "sim/gpt-6-luna", stream=True, after_bytes=400)
        assert await _until(lambda: counts.in_flight == 0, 2.0) < GONE_SECONDS
        await gateway.quiet()


async def test_a_whole_answer_that_is_left_ends_at_the_provider(tmp_path: Path) -> None:
    async with running(tmp_path, options=SLOW) as gateway:
        counts = gateway.simulator.record.counts
        leaving = asyncio.ensure_future(_hang_up(gateway, "sim/gpt-6-luna", stream=False, after_bytes=0, seconds=0.3))
        await _until(lambda: counts.in_flight == 1, 2.0)
        await leaving
        assert await _until(lambda: counts.in_flight == 0, 2.0) < GONE_SECONDS
        await gateway.quiet()


async def test_what_was_delivered_is_recorded_as_an_estimate(tmp_path: Path) -> None:
    async with running(tmp_path, options=SLOW) as gateway:
        await _hang_up(gateway, "sim/gpt-6-luna", stream=True, after_bytes=2_000)
        await gateway.quiet()
        await _until(lambda: gateway.runtime.recorder.waiting == 0, 3.0)
        (record,) = (await gateway.runtime.history.page(Filters())).records
        assert record.outcome == "client_closed"
        assert record.estimated
        assert record.cost_nanos > 0


async def test_hang_ups_at_random_moments_leave_no_connection_behind(tmp_path: Path) -> None:
    async with running(tmp_path, options=BUSY) as gateway:
        await gateway.chat("sim/gpt-6-luna")

        async def worker(number: int) -> None:
            for turn in range(CHURN // 20):
                seconds = ((number * 7 + turn * 13) % 40) / 1000
                await _hang_up(gateway, "sim/gpt-6-luna", stream=turn % 2 == 0, after_bytes=0, seconds=seconds)

        await asyncio.gather(*(worker(number) for number in range(20)))
        await gateway.quiet()
        await _until(lambda: gateway.simulator.record.counts.in_flight == 0, 2.0)
        opened = _open_files()
        for _ in range(15):
            assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        assert _open_files() <= opened + 2


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


async def test_who_leaves_during_a_wait_pays_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[retry]\njitter = false\n") as gateway:
        await _hang_up(gateway, "sim/sim-F23", stream=False, after_bytes=0, seconds=0.3)
        await gateway.quiet()
        await _until(lambda: gateway.runtime.recorder.waiting == 0, 3.0)
        (record,) = (await gateway.runtime.history.page(Filters())).records
        assert (record.outcome, record.cost_nanos) == ("client_closed", 0)


@pytest.mark.parametrize("line", ["base_url", "proxy"])
async def test_who_leaves_before_a_connection_is_there_pays_nothing(tmp_path: Path, line: str) -> None:
    never = Names({"a.test": SILENT, "b.test": SILENT})
    lines = {"base_url": "http://a.test:9/v1", line: "http://b.test:9"}
    async with running(tmp_path, providers=_limited(lines), upstream=lambda ways: Ways(ways, never)) as gateway:
        await _hang_up(gateway, "sim/gpt-6-luna", stream=False, after_bytes=0, seconds=0.3)
        await gateway.quiet()
        assert await _charged(gateway) == [("client_closed", 0, False)]
        assert _used(gateway) == 0


@pytest.mark.parametrize("line", ["base_url", "proxy"])
async def test_who_leaves_the_queue_for_a_connection_pays_nothing(tmp_path: Path, line: str) -> None:
    async with _deaf() as address:
        lines = {"base_url": "http://127.0.0.1:9/v1", line: address}
        providers = _limited(lines, "connections_most = 1\n")
        async with running(tmp_path, providers=providers) as gateway:
            first = asyncio.create_task(
                _hang_up(gateway, "sim/gpt-6-luna", stream=False, after_bytes=0, seconds=1.0),
            )
            await asyncio.sleep(0.3)
            await _hang_up(gateway, "sim/gpt-6-luna", stream=False, after_bytes=0, seconds=0.3)
            await _until(lambda: gateway.runtime.engine.calls_open == 1, 1.0)
            assert _used(gateway) == 1
            await first
            await gateway.quiet()
            # The one that the provider has had is paid for, the one that waited is not.
            had, waited = await _charged(gateway)
            assert waited == ("client_closed", 0, False)
            assert had[1] > 0
            assert had[2]
            assert _used(gateway) == 1


@asynccontextmanager
async def _deaf() -> AsyncIterator[str]:
    """The address of a server that takes requests and answers none."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _limited(lines: dict[str, str], more: str = "") -> dict[str, str]:
    return {
        "sim": "".join(f'{name} = "{value}"\n' for name, value in lines.items()) + "requests_per_minute = 5\n" + more
    }


def _used(gateway: Gateway) -> int:
    state = gateway.runtime.quota.state("sim")
    return 0 if state is None else state.requests_used


async def _charged(gateway: Gateway) -> list[tuple[str, int, bool]]:
    """Of each call, the oldest first: its outcome, its cost, and whether that is an estimate."""
    await _until(lambda: gateway.runtime.recorder.waiting == 0, 3.0)
    records = (await gateway.runtime.history.page(Filters())).records
    return [(record.outcome, record.cost_nanos, record.estimated) for record in reversed(records)]
