"""A request that must be signed is signed as it is sent, however long it waited for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Decoder, End, Event, Raw
from oneflow_ai.core.failure import UPSTREAM_CLOSED, Failure
from oneflow_ai.core.ports import NO_HEADERS, Adapter, HttpRequest, RateHints
from oneflow_ai.core.target import ProviderLimits, Target
from oneflow_ai.flow.attempt import Attempt, Ways
from oneflow_ai.stores.memory_quota import MemoryQuota
from oneflow_ai.testing import ListeningClient, Scripted, ScriptedUpstream, SeededChance, VirtualClock, run_virtual
from tests.policy.places import target
from tests.ports.calls import call

BUSY_SECONDS = 400.0


class Signed:
    """An adapter whose requests carry the moment of their signature."""

    def request(self, call: Call, target: Target) -> HttpRequest:
        def sign(at: datetime) -> tuple[tuple[str, str], ...]:
            return (("x-plain", "1"), ("x-signed", at.isoformat()))

        return HttpRequest("POST", "http://a", (("x-plain", "1"),), b"", target.timeouts, target.way, sign=sign)

    def decoder(self, call: Call, target: Target, headers: Mapping[str, str] = NO_HEADERS) -> Decoder:
        return _Decoder()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        return Failure(UPSTREAM_CLOSED, f"{status}")

    def hints(self, headers: Mapping[str, str]) -> RateHints | None:
        return None


class _Decoder:
    def feed(self, chunk: bytes) -> list[Event]:
        return [Raw(chunk, 1)]

    def close(self) -> list[Event]:
        return [End("stop")]


def test_the_signature_is_of_the_moment_the_request_goes_out() -> None:
    async def run(clock: VirtualClock, chance: SeededChance) -> None:
        quota = MemoryQuota(clock, chance)
        slow = Scripted(steps=(BUSY_SECONDS, b"hello"))
        upstream = ScriptedUpstream(lambda request: slow, clock)
        place = replace(target(), adapter=cast(Adapter, Signed()), limits=ProviderLimits(concurrency=1))
        ways, began = Ways(clock, quota, upstream), clock.utc()
        attempts = [
            Attempt(call(deadline_seconds=2_000.0), place, ListeningClient(), ways, number=1, tokens=1)
            for _ in range(2)
        ]
        assert await asyncio.gather(*(attempt.run() for attempt in attempts)) == [None, None]
        told = [dict(request.headers) for request in upstream.requests]
        signed = [datetime.fromisoformat(headers["x-signed"]) for headers in told]
        assert [headers["x-plain"] for headers in told] == ["1", "1"]
        assert signed == [began, began + timedelta(seconds=BUSY_SECONDS)]

    run_virtual(run)
