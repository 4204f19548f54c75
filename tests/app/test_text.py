"""A text call through the whole gateway: what the client gets, and what reached the provider."""

from __future__ import annotations

from pathlib import Path

from tests.app.gateway import running


async def test_a_whole_answer_carries_who_gave_it_and_what_it_cost(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        reply = await gateway.chat("sim/gpt-6-luna")
        assert reply.status == 200
        usage = reply.json["usage"]
        cost = (usage["prompt_tokens"] * 1 + usage["completion_tokens"] * 2) / 1_000_000
        assert float(reply.headers["x-oneflow-cost-usd"]) == cost
        assert reply.headers["x-oneflow-provider"] == "sim"
        assert reply.headers["x-oneflow-model"] == "gpt-6-luna"
        assert reply.headers["x-oneflow-attempts"] == "1"
        assert "x-oneflow-simulated" not in reply.headers
        await gateway.quiet()
