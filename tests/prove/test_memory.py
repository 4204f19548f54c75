"""Memory is a function of what is configured, not of time, of names or of how clients behave."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random
from statistics import median

import aiohttp
import pytest

from benchmarks.gateways import Running
from benchmarks.measure import bench
from benchmarks.processes import memory, open_files
from benchmarks.questions import MODEL, PATH

pytestmark = [pytest.mark.prove, pytest.mark.timeout(3_000)]

SOAK_SECONDS = 1_200.0
# By then every table that is bounded by a number has its size.
WARM_SECONDS = 300.0
SAMPLE_SECONDS = 5.0
WORKERS = 24
STALLED = 500
GROWTH_MEGABYTES_MOST = 4.0
ODD_KEYS = ("Bearer sk-of-nobody-%d", "Basic %d", "Bearer ")


async def test_twenty_minutes_of_new_names_odd_requests_and_stalled_readers_leave_memory_as_it_was(
    tmp_path: Path,
) -> None:
    with bench(tmp_path) as at, at.oneflow().running() as running:
        ends = time.monotonic() + SOAK_SECONDS
        sampling = asyncio.ensure_future(_sampled(running.child.pid, ends))
        workers = (_worker(running, Random(number), ends) for number in range(WORKERS))
        await asyncio.gather(_stalled(running, ends), *workers)
        samples = await sampling
        warm = [megabytes for second, megabytes in samples if second >= WARM_SECONDS]
        part = len(warm) // 5
        first, last = median(warm[:part]), median(warm[-part:])
        assert last - first <= GROWTH_MEGABYTES_MOST, f"{first:.1f} MB, then {last:.1f} MB"
        await asyncio.sleep(3.0)
        assert open_files(running.child.pid) < 200


async def _sampled(pid: int, ends_seconds: float) -> list[tuple[float, float]]:
    began, samples = time.monotonic(), []
    while (now := time.monotonic()) < ends_seconds:
        samples.append((now - began, memory(pid).resident_megabytes))
        await asyncio.sleep(SAMPLE_SECONDS)
    return samples


async def _worker(running: Running, chance: Random, ends_seconds: float) -> None:
    """Calls of every kind, each with names that never came before."""
    url = f"http://127.0.0.1:{running.port}{PATH}"
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < ends_seconds:
            number = chance.getrandbits(48)
            body: dict[str, object] = {"model": MODEL, "user": f"user-{number}", "stream": chance.random() < 0.3}
            body["messages"] = [{"role": "user", "content": "x" * chance.choice((100, 1_000, 300_000))}]
            headers = {**running.headers, "x-request-id": f"id-{number}", "x-oneflow-tags": f"tag-{number}"}
            odd = chance.random()
            if odd < 0.1:
                body["model"] = f"{chance.choice(('openai', 'nobody'))}/model-{number}"
            elif odd < 0.2:
                headers["authorization"] = chance.choice(ODD_KEYS).replace("%d", str(number))
            elif odd < 0.3:
                body = {f"field-{number}": number}
            patience = 0.002 if chance.random() < 0.1 else 30.0
            try:
                timeout = aiohttp.ClientTimeout(total=patience)
                async with session.post(url, json=body, headers=headers, timeout=timeout) as answer:
                    await answer.read()
            except (TimeoutError, aiohttp.ClientError):
                continue


async def _stalled(running: Running, ends_seconds: float) -> None:
    """Clients that ask and do not read, or do not finish asking; a new lot when the last was cut."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in running.headers.items())
    body = b'{"model":"%b","stream":true,"messages":[{"role":"user","content":"Hello"}]}' % MODEL.encode()
    whole = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    while time.monotonic() < ends_seconds:
        writers = []
        for number in range(STALLED):
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(whole if number % 2 else whole[: len(whole) // 2])
            writers.append(writer)
        await asyncio.sleep(min(40.0, max(ends_seconds - time.monotonic(), 0.0)))
        for writer in writers:
            writer.transport.abort()
