"""Long proofs over the whole gateway: run by `make prove`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import openai
import orjson
import pytest

from oneflow_ai.simulator import Pace, SimulatorOptions
from tests.app.gateway import KEY, MESSAGES, Gateway, running

pytestmark = pytest.mark.prove

CANCELS = 100_000
WORKERS = 40
FAULT_RUNS = 10_000
OUTAGE_SECONDS = 60.0
CALLS_A_SECOND = 20
AMPLIFICATION_MOST = 1.10
FAULTS = ("F13", "F14", "F18", "F17", "F15", "F16", "F33", "F23", "F6", "F7", "F27", "F26")


async def test_a_hundred_thousand_hang_ups_leave_no_connection_busy(tmp_path: Path) -> None:
    """40 workers leave after 0 to 4 ms; then nothing is in use, and as many files are open as before."""
    pace = SimulatorOptions(pace=Pace(first_token_seconds=0.002, tokens_per_second=2_000.0, whole_seconds_most=0.004))
    async with running(tmp_path, options=pace) as gateway:
        await asyncio.gather(*(_leave(gateway, Random(number), 50) for number in range(WORKERS)))
        await gateway.quiet()
        before = _open_files()
        await asyncio.gather(*(_leave(gateway, Random(number), CANCELS // WORKERS) for number in range(WORKERS)))
        await gateway.quiet()
        await asyncio.sleep(1.0)
        assert gateway.simulator.record.counts.in_flight == 0
        assert _open_files() <= before + 2
        for _ in range(15):
            assert (await gateway.chat("sim/gpt-6-luna")).status == 200


async def _leave(gateway: Gateway, chance: Random, times: int) -> None:
    for turn in range(times):
        body = orjson.dumps({"model": "sim/gpt-6-luna", "messages": MESSAGES, "stream": turn % 2 == 0})
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(head.encode() + body)
        await asyncio.sleep(chance.random() * 0.004)
        writer.transport.abort()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_an_outage_is_not_made_worse_by_retries(tmp_path: Path) -> None:
    """One provider fails for a minute; attempts on the wire stay within 1.10 of the clients' calls."""
    async with running(tmp_path) as gateway:
        client = openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=30)

        async def call() -> None:
            with pytest.raises(openai.APIStatusError):
                await client.chat.completions.create(model="sim/sim-F23", messages=MESSAGES)  # type: ignore[arg-type] # plain dicts

        calls = []
        for _ in range(int(OUTAGE_SECONDS * CALLS_A_SECOND)):
            calls.append(asyncio.ensure_future(call()))
            await asyncio.sleep(1 / CALLS_A_SECOND)
        await asyncio.gather(*calls)
        await client.close()
        attempts = gateway.wire_attempts("sim-F23")
        assert attempts / len(calls) <= AMPLIFICATION_MOST


async def test_ten_thousand_faulty_streams_are_never_spliced(tmp_path: Path) -> None:
    """Whatever breaks at whatever event, the client has a prefix of one provider's answer, once."""
    chance = Random(17)
    configuration = "[retry]\nattempts = 1\n[server]\ncalls_most = 5000\n"
    async with running(tmp_path, providers={"a": "", "b": ""}, configuration=configuration) as gateway:
        whole = (await gateway.chat("b/gpt-6-luna", stream=True)).text()

        async def run() -> None:
            index = chance.randrange(0, 30)
            fault = chance.choice(FAULTS)
            fault = f"{fault}@event:{index}" if fault in ("F13", "F14", "F18") else fault
            reply = await gateway.chat(f"a/sim-{fault}", stream=True, models=["b/gpt-6-luna"])
            assert reply.status == 200, (fault, reply.body[:200])
            text = reply.text()
            finished = reply.body.count(b"[DONE]")
            assert text == whole if finished else whole.startswith(text), fault
            assert finished <= 1, fault

        for _ in range(FAULT_RUNS // 50):
            await asyncio.gather(*(run() for _ in range(50)))
        await gateway.quiet()
