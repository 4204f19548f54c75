"""P1, P5, P6: budgets hold under many calls at once, faults, fallbacks and clients that leave, to the nano-dollar."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
import pytest

from oneflow_ai.core.money import nanos_from_usd
from oneflow_ai.core.record import Exchange
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.simulator import Pace, SimulatorOptions
from oneflow_ai.stores.ledger_book import Standing
from oneflow_ai.stores.ledger_budgets import EVERYBODY, PROVIDER, Budget, Period
from tests.app.cutting import cuts_of, stream_of, theatre
from tests.app.gateway import Gateway, Reply, running

SLOW = SimulatorOptions(pace=Pace(first_token_seconds=0.5, tokens_per_second=0.0, whole_seconds_most=0.5, jitter=0.0))
PLENTY = 1_000 * 10**9


async def limit(gateway: Gateway, nanos: int, scope: str = EVERYBODY) -> Budget:
    budget = Budget(scope, Period.TOTAL, nanos)
    await gateway.runtime.ledger.set_budget(budget)
    return budget


async def standing(gateway: Gateway, budget: Budget) -> Standing:
    """How a budget stands once what is on its way is written and given back: within 2 s."""
    await gateway.quiet()
    async with asyncio.timeout(2.0):
        while (found := await gateway.runtime.ledger.budget_standing(budget)).held_nanos:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    return found


def bound_of(refusal: Reply) -> int:
    """What a refused call was said to cost at most."""
    assert (refusal.status, refusal.code) == (429, "insufficient_quota")
    found = re.search(r"may cost up to \$([0-9.]+[0-9])", refusal.json["error"]["message"])
    assert found is not None
    return nanos_from_usd(found[1])


async def test_200_calls_at_once_on_a_budget_for_50(tmp_path: Path) -> None:
    async with running(tmp_path, options=SLOW) as gateway:
        exchanges: list[Exchange] = []
        gateway.runtime.follow_with([exchanges.append])
        await limit(gateway, 1)
        bound = bound_of(await gateway.chat("sim/gpt-6-luna", max_tokens=50))
        assert gateway.wire_attempts("gpt-6-luna") == 0
        budget = await limit(gateway, 50 * bound)
        replies = await asyncio.gather(*(gateway.chat("sim/gpt-6-luna", max_tokens=50) for _ in range(200)))
        served = [reply for reply in replies if reply.status == 200]
        assert 50 <= len(served) < 200
        assert {reply.code for reply in replies if reply.status != 200} == {"insufficient_quota"}
        assert gateway.wire_attempts("gpt-6-luna") == len(served)
        found = await standing(gateway, budget)
        assert found.posted_nanos == sum(exchange.cost_nanos for exchange in exchanges) <= 50 * bound
        assert found.held_nanos == 0


async def test_an_attempt_that_fails_gives_back_what_it_held(tmp_path: Path) -> None:
    configuration = '[routes.text]\ntargets = ["down/gpt-6-luna", "sim/gpt-6-luna"]\n[retry]\njitter = false\n'
    providers = {"down": 'base_url = "http://127.0.0.1:9/v1"', "sim": ""}
    async with running(tmp_path, configuration=configuration, providers=providers) as gateway:
        everybody = await limit(gateway, PLENTY)
        down, sim = await limit(gateway, PLENTY, f"{PROVIDER}down"), await limit(gateway, PLENTY, f"{PROVIDER}sim")
        reply = await gateway.chat("text")
        assert reply.headers["x-oneflow-provider"] == "sim"
        cost = nanos_from_usd(reply.headers["x-oneflow-cost-usd"])
        assert await standing(gateway, everybody) == Standing(PLENTY, cost, 0)
        assert await standing(gateway, sim) == Standing(PLENTY, cost, 0)
        assert await standing(gateway, down) == Standing(PLENTY, 0, 0)


async def test_a_call_that_fails_for_good_costs_nothing(tmp_path: Path) -> None:
    providers = {"down": 'base_url = "http://127.0.0.1:9/v1"'}
    configuration = "[retry]\nattempts = 1\n"
    async with running(tmp_path, configuration=configuration, providers=providers) as gateway:
        budget = await limit(gateway, PLENTY)
        assert (await gateway.chat("down/gpt-6-luna")).status == 502
        assert await standing(gateway, budget) == Standing(PLENTY, 0, 0)


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_a_stream_that_is_cut_is_settled_to_its_cost_wherever(tmp_path: Path, wire: str) -> None:
    async with theatre(tmp_path) as stage:
        budget = await limit(stage.gateway, PLENTY)
        file, body = stream_of(wire, "stream-text")
        spent = 0
        for place in cuts_of(file, body, 3):
            spent += (await stage.cut(wire, body[:place])).cost_nanos
            assert await standing(stage.gateway, budget) == Standing(PLENTY, spent, 0), place
        assert spent > 0


async def test_a_stream_costs_what_it_is_said_to_cost(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        budget = await limit(gateway, PLENTY)
        reply = await gateway.chat("sim/gpt-6-luna", stream=True, stream_options={"include_usage": True})
        (cost,) = [event["usage"]["cost"] for event in reply.events() if isinstance(event, dict) and event.get("usage")]
        found = await standing(gateway, budget)
        assert found.posted_nanos == round(cost * 10**9) > 0
        assert found.held_nanos == 0


async def test_without_any_limit_calls_ask_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        assert not gateway.runtime.ledger.active
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        budget = await limit(gateway, PLENTY)
        assert await standing(gateway, budget) == Standing(PLENTY, 0, 0)


async def test_a_reload_takes_up_other_budgets_or_keeps_the_old_ones(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        runtime = gateway.runtime
        before, file = runtime.loaded, tmp_path / "oneflow.toml"
        file.write_text("[budgets]\ntotal_usd = 0.000001\n" + file.read_text())
        await runtime.reload(load(file, before.environment, tmp_path, kinds=TABLE))
        refused = await gateway.chat("sim/gpt-6-luna")
        assert refused.json["error"]["param"] == "budget all total"
        await runtime.reload(before)
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200
        await limit(gateway, PLENTY)
        with pytest.raises(ValueError, match="oneflow budget remove all total"):
            await runtime.reload(load(file, before.environment, tmp_path, kinds=TABLE))
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200


CENT = 10**7
PICTURES = (
    '[prices."sim/gpt-image-2"]\ninput_usd_per_million_tokens = 5\noutput_usd_per_million_tokens = 30\n'
    '[prices."stab/stable-image-core"]\nusd_per_image = 0.03\n'
    '[routes.image]\ntask = "image"\ntargets = ["stab/stable-image-core", "sim/gpt-image-2"]\n'
)


async def test_a_small_budget_is_enough_for_a_small_picture(tmp_path: Path) -> None:
    providers = {"sim": "", "stab": 'kind = "stability"\n'}
    async with running(tmp_path, configuration=PICTURES, providers=providers) as gateway:

        async def draw(model: str, **fields: str) -> Reply:
            body = {"model": model, "prompt": "a cat", **fields}
            return await gateway.post("/v1/images/generations", orjson.dumps(body))

        budget = await limit(gateway, 5 * CENT)
        small = {"size": "1024x1024", "quality": "low"}
        assert (await draw("sim/gpt-image-2", **small)).status == 200
        # So is it for a chain that another model ends.
        drawn = await draw("image", **small)
        assert (drawn.status, drawn.headers["x-oneflow-provider"]) == (200, "stab")
        # Who leaves it to the model may get the dearest.
        assert bound_of(await draw("sim/gpt-image-2")) > 78 * CENT
        assert bound_of(await draw("sim/gpt-image-2", size="1024x1024")) > 21 * CENT
        assert (await standing(gateway, budget)).held_nanos == 0
