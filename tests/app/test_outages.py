"""An outage of every provider and a brown-out (F47), over real sockets: not amplified, and its end soon noticed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from oneflow_ai.policy.plan import BUCKET_MOST, RETRY_COST
from tests.app.gateway import Gateway, running

EVERY_SECONDS = 0.05
OUTAGE_SECONDS = 2.0
SECONDS = 5.0
RECOVERY_SECONDS_MOST = 2.0
# What a full bucket pays for: a tenth of the calls of an outage that lasts longer than these tests, and no more in any.
RETRIES_MOST = BUCKET_MOST // RETRY_COST
# Written differently, the same fault is another model, whose requests are counted apart.
OUTAGE = {"a": f"sim-F47;kind=outage;end={OUTAGE_SECONDS}", "b": f"sim-F47;kind=outage;start=0;end={OUTAGE_SECONDS}"}
BROWNOUT = dict.fromkeys("ab", "sim-F47;kind=brownout;factor=20;seconds=0.02;end=60")


@dataclass(frozen=True)
class Asked:
    """One call of a steady stream of them: when it was made, when answered, and what came of it."""

    at_seconds: float
    answered_seconds: float
    status: int
    attempts: int


async def _steady(gateway: Gateway, models: dict[str, str], seconds: float) -> list[Asked]:
    """So many seconds of calls, each of them to a and then to b."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    chain = [f"{name}/{model}" for name, model in models.items()]

    async def one() -> Asked:
        at = loop.time() - began
        headers = {"x-oneflow-timeout-ms": "1500"}
        reply = await gateway.chat(chain[0], models=chain[1:], headers=headers)
        return Asked(at, loop.time() - began, reply.status, int(reply.headers.get("x-oneflow-attempts", 0)))

    calls = []
    while loop.time() - began < seconds:
        calls.append(asyncio.ensure_future(one()))
        await asyncio.sleep(EVERY_SECONDS)
    return list(await asyncio.gather(*calls))


async def test_an_outage_of_all_is_not_amplified_and_its_end_is_noticed(tmp_path: Path) -> None:
    async with running(tmp_path, providers={"a": "", "b": ""}) as gateway:
        asked = await _steady(gateway, OUTAGE, SECONDS)
        await gateway.quiet()
        for model in OUTAGE.values():
            assert gateway.wire_attempts(model) <= len(asked) + RETRIES_MOST
    early = [one for one in asked if one.answered_seconds < OUTAGE_SECONDS]
    late = [one for one in asked if one.at_seconds > OUTAGE_SECONDS + RECOVERY_SECONDS_MOST]
    assert {one.status for one in early} <= {503, 504}
    assert {(one.status, one.attempts) for one in late} == {(200, 1)}
    assert len(late) > 5


async def test_a_brown_out_is_waited_for_and_not_retried(tmp_path: Path) -> None:
    async with running(tmp_path, providers={"a": "", "b": ""}) as gateway:
        asked = await _steady(gateway, BROWNOUT, 1.0)
        await gateway.quiet()
        assert {(one.status, one.attempts) for one in asked} == {(200, 1)}
        assert gateway.wire_attempts(BROWNOUT["a"]) == len(asked)
