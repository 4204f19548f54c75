"""Budgets and credit over HTTP: set, shown, and kept to by the calls that follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.control.plane import Plane, running

ROUTE = '[routes.text]\ntargets = ["sim/gpt-6-luna"]\n'


async def test_a_budget_is_set_kept_to_and_taken_away(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ROUTE) as plane:
        assert (await plane.get("/api/budget")).json == {"budgets": []}
        body = b'{"period": "daily", "limit_usd": 5}'
        (row,) = (await plane.ask("PUT", "/api/budget", body=body)).json["budgets"]
        assert (row["scope"], row["limit_usd"], row["left_usd"], row["source"]) == ("all", 5.0, 5.0, "database")
        answer = await plane.chat()
        assert answer.status == 200
        (row,) = (await plane.get("/api/budget")).json["budgets"]
        assert row["spent_usd"] == answer.json["cost_usd"]
        assert row["held_usd"] == 0
        sent = plane.simulator.record.counts.by_model["gpt-6-luna"]
        await plane.ask("PUT", "/api/budget", body=b'{"period": "daily", "limit_usd": 0.000001}')
        refused = await plane.chat()
        assert (refused.status, refused.code, refused.error["param"]) == (429, "insufficient_quota", "budget all daily")
        assert refused.headers["x-should-retry"] == "false"
        assert plane.simulator.record.counts.by_model["gpt-6-luna"] == sent
        gone = await plane.ask("PUT", "/api/budget", body=b'{"period": "daily", "limit_usd": null}')
        assert gone.json == {"budgets": []}
        assert (await plane.chat()).status == 200
        assert not plane.runtime.ledger.active


async def test_credit_is_spent_and_added(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ROUTE) as plane:
        assert (await plane.get("/api/wallet")).json["prepaid"] is False
        asked = {"amount_usd": 2, "key_id": plane.key_id, "id": "p1"}
        for _ in range(2):
            assert (await plane.post("/api/credits/add", asked)).json["balance_usd"] == 2.0
        cost = (await plane.chat()).json["cost_usd"]
        wallet = (await plane.get(f"/api/wallet?key_id={plane.key_id}")).json
        assert wallet["spent_usd"] == cost > 0
        assert wallet["balance_usd"] == pytest.approx(2.0 - cost)
        assert wallet["held_usd"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "param"),
    [
        ("PUT", "/api/budget", b'{"period": "hourly", "limit_usd": 1}', "invalid_value", "period"),
        ("PUT", "/api/budget", b'{"period": "daily", "limit_usd": -1}', "invalid_value", "limit_usd"),
        ("PUT", "/api/budget", b'{"period": "daily", "limit_usd": 0.00000000015}', "invalid_value", "limit_usd"),
        ("PUT", "/api/budget", b'{"scope": "us", "period": "daily", "limit_usd": 1}', "invalid_value", "scope"),
        ("POST", "/api/credits/add", b'{"amount_usd": 0}', "invalid_value", "amount_usd"),
        ("POST", "/api/credits/add", b'{"amount_usd": 1, "key_id": "key_x"}', "not_found", "key_id"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    tmp_path: Path, method: str, path: str, body: bytes, code: str, param: str
) -> None:
    async with running(tmp_path, configuration=ROUTE) as plane:
        reply = await plane.ask(method, path, body=body)
        assert (reply.code, reply.error["param"]) == (code, param)


async def _left(plane: Plane) -> dict[str, float]:
    return {row["scope"]: row["left_usd"] for row in (await plane.get("/api/budget")).json["budgets"]}


async def test_a_provider_without_budget_gives_way_to_the_next(tmp_path: Path) -> None:
    configuration = '[routes.text]\ntargets = ["sim/gpt-6-luna", "two/gpt-6-luna"]\n[budgets]\ndaily_usd = 50\n'
    async with running(tmp_path, configuration=configuration, providers=("sim", "two")) as plane:
        await plane.ask("PUT", "/api/budget", body=b'{"scope":"provider:sim","period":"total","limit_usd":0.000001}')
        answer = await plane.chat()
        assert (answer.status, answer.json["provider"]) == (200, "two")
        left = await _left(plane)
        assert left["provider:sim"] == 0.000001
        assert left["all"] == pytest.approx(50 - answer.json["cost_usd"])
