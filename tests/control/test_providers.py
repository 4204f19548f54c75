"""What is told of providers, and the free check."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from oneflow_ai.control.checking import CHECK_EVERY_SECONDS
from tests.control.plane import running

TWO = '[routes.text]\ntargets = ["one/gpt-6-luna", "two/gpt-6-luna"]\n[retry]\nattempts = 1\n'
METRICS = {
    "total_requests": 0,
    "successful_requests": 0,
    "failed_requests": 0,
    "success_rate": "100.0%",
    "average_response_time": "0.00s",
    "total_cost": "$0.0000",
    "last_error": None,
}


async def test_status_is_exactly_the_shape_of_the_first_edition(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        found = (await plane.get("/api/providers/status")).json
        assert found == {
            "sim": {"status": "available", "metrics": METRICS},
            **{
                name: {"status": "unconfigured", "metrics": METRICS}
                for name in ("openai", "anthropic", "stability", "elevenlabs")
            },
        }
        assert list(found["sim"]["metrics"]) == list(METRICS)


async def test_a_failed_provider_and_the_one_that_answered_instead_are_told_apart(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=TWO, providers=("one", "two")) as plane:
        answer = (await plane.chat(model="one/sim-F23", options={"models": ["two/gpt-6-luna"]})).json
        assert answer["provider"] == "two"
        found = (await plane.get("/api/providers/status")).json
        one, two = found["one"]["metrics"], found["two"]["metrics"]
        assert (one["total_requests"], one["failed_requests"], one["success_rate"]) == (1, 1, "0.0%")
        assert one["last_error"].startswith("upstream_error")
        assert (two["total_requests"], two["successful_requests"], two["success_rate"]) == (1, 1, "100.0%")
        assert two["total_cost"] == f"${answer['cost_usd']:.4f}"
        best = (await plane.get("/api/providers/best/text")).json
        assert best["best_provider"] == "two"
        assert best["score"] == pytest.approx(0.942, abs=0.001)
        assert best["why"] == "the highest score: two 0.942, one 0.930"


async def test_a_task_that_nobody_serves_has_no_best_provider(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        best = (await plane.get("/api/providers/best/image")).json
        assert best == {"best_provider": None, "score": None, "why": "none of this task is configured"}


async def test_one_provider_is_told_with_its_limits_and_quota(tmp_path: Path) -> None:
    configuration = '[providers.slow]\nkind = "vllm"\nbase_url = "http://127.0.0.1:9/v1"\nrequests_per_minute = 7\n'
    async with running(tmp_path, configuration=configuration) as plane:
        listed = {each["name"]: each for each in (await plane.get("/api/providers")).json["providers"]}
        assert list(listed) == ["slow", "sim", "openai", "anthropic", "stability", "elevenlabs"]
        assert listed["slow"]["limits"]["requests_per_minute"] == 7
        assert listed["openai"]["configured"] is False
        assert listed["openai"]["limits"] is None
        assert listed["sim"]["credentials"] == [{"credential": "sim", "set_aside": False, "quota": None}]
        assert (await plane.chat(model="sim/gpt-6-luna")).status == 200
        one = (await plane.get("/api/providers/sim")).json
        assert one["metrics"]["total_requests"] == 1
        assert {name: value for name, value in one.items() if name not in ("metrics", "credentials")} == {
            name: value for name, value in listed["sim"].items() if name != "credentials"
        }
        assert one["credentials"][0]["quota"]["in_flight"] == 0


async def test_a_check_asks_the_free_list_of_models_and_nothing_else(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        found = (await plane.ask("POST", "/api/providers/sim/check")).json
        assert (found["provider"], found["ok"], found["simulated"]) == ("sim", True, False)
        (asked,) = found["credentials"]
        assert (asked["credential"], asked["ok"], asked["status"], asked["code"]) == ("sim", True, 200, None)
        assert asked["models"] > 0
        (attempt,) = plane.simulator.record.attempts()
        assert (attempt.method, attempt.path) == ("GET", "/v1/models")


async def test_a_provider_is_checked_once_a_minute(tmp_path: Path) -> None:
    async with running(tmp_path, providers=("sim", "other")) as plane:
        replies = await asyncio.gather(*(plane.ask("POST", "/api/providers/sim/check") for _ in range(5)))
        assert sorted(reply.status for reply in replies) == [200, 429, 429, 429, 429]
        late = [reply for reply in replies if reply.status == 429]
        assert {reply.code for reply in late} == {"rate_limit_exceeded"}
        waits = [int(reply.headers["retry-after-ms"]) / 1000 for reply in late]
        assert CHECK_EVERY_SECONDS - 5.0 < min(waits) < max(waits) - 0.01
        assert max(waits) <= CHECK_EVERY_SECONDS * 1.1
        assert (await plane.ask("POST", "/api/providers/other/check")).status == 200


async def test_what_a_failed_check_tells_holds_no_secret(tmp_path: Path) -> None:
    gone = '[providers.gone]\nkind = "vllm"\nbase_url = "http://127.0.0.1:9/v1"\nconnect_seconds = 1\n'
    async with running(tmp_path, configuration=gone) as plane:
        found = (await plane.ask("POST", "/api/providers/gone/check")).json
        (asked,) = found["credentials"]
        assert (found["ok"], asked["status"], asked["code"]) == (False, None, "upstream_unreachable")
        assert asked["message"] == "127.0.0.1 could not be reached"


async def test_who_is_unknown_or_unconfigured_cannot_be_checked(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        unknown = await plane.ask("POST", "/api/providers/nobody/check")
        assert (unknown.status, unknown.code) == (404, "not_found")
        for name in ("openai", "anthropic"):
            reply = await plane.ask("POST", f"/api/providers/{name}/check")
            assert (reply.status, reply.code) == (503, "provider_not_configured")
