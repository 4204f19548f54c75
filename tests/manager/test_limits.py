"""The providers' limits are kept by waiting: nothing that a provider would refuse is ever sent to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest

from oneflow_ai.answer import Collector
from oneflow_ai.app.rows import Plant, compile_settings
from oneflow_ai.calls import LOCAL
from oneflow_ai.catalog import load_catalog
from oneflow_ai.core.call import Operation, Task
from oneflow_ai.core.ports import HttpRequest
from oneflow_ai.core.record import Exchange
from oneflow_ai.dialects import plain
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.flow.admission import Admission
from oneflow_ai.flow.attempt import Ways
from oneflow_ai.flow.engine import Desk, Engine
from oneflow_ai.policy.route import Router
from oneflow_ai.policy.score import ScoreBook
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.stores.memory_quota import MemoryQuota
from oneflow_ai.testing import Scripted, ScriptedUpstream, SeededChance, VirtualClock, run_virtual
from tests.manager.world import FOUR, key_of
from tests.policy.places import planner
from tests.stores.provider_minutes import StrictMinute

PUBLISHED = {"openai": 60, "anthropic": 50, "stability": 150, "elevenlabs": 120}
CALLS = 600
# All but the first minute's worth wait for a whole minute each.
IDEAL_SECONDS = (CALLS / PUBLISHED["openai"] - 1) * 60
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def plant_of(home: Path) -> Plant:
    """The first edition's providers at their own addresses, with dummy keys."""
    environment = {f"{name.upper()}_API_KEY": key_of(name) for name in FOUR}
    loaded = load(None, {**environment, "ONEFLOW_HOME": str(home)}, home, kinds=TABLE)
    return compile_settings(loaded, load_catalog(), {}, simulated=None, version="1", on=date(2026, 11, 27))


@pytest.mark.parametrize("name", FOUR)
def test_each_provider_starts_with_its_published_limit(tmp_path: Path, name: str) -> None:
    provider = plant_of(tmp_path).snapshot.providers[name]
    model = next(model for task in Task if (model := provider.default_model(task)) is not None)
    assert provider.targets(model)[0].limits.requests_per_minute == PUBLISHED[name]


@dataclass
class Records:
    """What an engine recorded."""

    exchanges: list[Exchange] = field(default_factory=list)

    def record(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


@pytest.mark.parametrize("seed", range(2))
def test_six_hundred_calls_are_never_refused_and_lose_no_time(tmp_path: Path, seed: int) -> None:
    plant = plant_of(tmp_path)

    async def story(clock: VirtualClock, chance: SeededChance) -> tuple[StrictMinute, Records, float]:
        provider, records = StrictMinute(PUBLISHED["openai"]), Records()

        def answer(request: HttpRequest) -> Scripted:
            assert request.url.startswith("https://api.openai.com/")
            provider.arrive(clock.monotonic())
            return Scripted(steps=(chance.random(), orjson.dumps(ANSWER)))

        ways = Ways(clock, MemoryQuota(clock, chance), ScriptedUpstream(answer, clock))
        ways.bulkheads.fit(CALLS * 2, 1)
        router = Router(ScoreBook(), chance)
        engine = Engine(Desk(plant.snapshot), router, planner(), Admission([]), ways, records)

        async def one(number: int) -> None:
            envelope = Envelope(f"req_{number}", LOCAL, Operation.CHAT, datetime.now(UTC), 0.0, 600.0)
            call = plain.text_call("Hello", {}, envelope, model="text", stream=False)
            await engine.serve(call, Collector())

        await asyncio.gather(*(one(number) for number in range(CALLS)))
        return provider, records, clock.monotonic()

    provider, records, took_seconds = run_virtual(story, seed=seed)
    assert (provider.arrived, provider.refused) == (CALLS, 0)
    assert {exchange.outcome for exchange in records.exchanges} == {"ok"}
    assert IDEAL_SECONDS < took_seconds <= IDEAL_SECONDS / 0.98
