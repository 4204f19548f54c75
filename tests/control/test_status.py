"""What runs, how it does, and the configuration in force."""

from __future__ import annotations

from pathlib import Path

from oneflow_ai.core.version import VERSION
from oneflow_ai.policy.health import FIRST_TICKET, Outcome
from tests.control.plane import HERE, Plane, running


async def test_status_tells_version_mode_and_load(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        status = (await plane.get("/api/status")).json
        assert status["uptime_seconds"] >= 0
        assert status["started_at"] == plane.runtime.started_at.isoformat().replace("+00:00", "Z")
        del status["uptime_seconds"], status["started_at"]
        assert status == {
            "version": VERSION,
            "mode": "normal",
            "calls_in_flight": 0,
            "history_waiting": 0,
            "history_dropped": 0,
        }


async def test_demo_mode_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, demo=True) as plane:
        assert (await plane.get("/api/status")).json["mode"] == "demo"
        assert (await plane.get("/health")).json["mode"] == "demo"
        provider = (await plane.get("/api/providers/openai")).json
        assert (provider["configured"], provider["simulated"], provider["status"]) == (True, True, "available")
        answer = (await plane.chat(options={"max_tokens": 3})).json
        assert answer["simulated"] is True
        metrics = (await plane.get("/api/providers/status")).json["openai"]["metrics"]
        assert (metrics["total_requests"], metrics["successful_requests"]) == (1, 1)
        assert metrics["total_cost"] == f"${answer['cost_usd']:.4f}"


async def test_health_is_degraded_by_a_provider_that_fails(tmp_path: Path) -> None:
    configuration = '[routes.text]\ntargets = ["sim/gpt-6-luna"]\n'
    async with running(tmp_path, configuration=configuration) as plane:
        well = (await plane.get("/health", key=None, client=HERE)).json
        assert (well["status"], well["providers"]["sim"]) == ("ok", {"status": "available", "breakers": []})
        assert well["providers"]["anthropic"]["status"] == "unconfigured"
        assert well["history"] == {"waiting": 0, "dropped": 0}
        trip(plane, "sim/gpt-6-luna")
        ill = (await plane.get("/health")).json
        assert (ill["status"], ill["providers"]["sim"]["status"]) == ("degraded", "unavailable")
        (breaker,) = ill["providers"]["sim"]["breakers"]
        assert (breaker["place"], breaker["state"]) == ("sim/gpt-6-luna", "open")
        assert breaker["open_seconds_left"] > 0


def trip(plane: Plane, place: str) -> None:
    """Let a place fail until its breaker opens."""
    for _ in range(10):
        now = plane.runtime.clock.monotonic()
        plane.runtime.books.health.report(place, Outcome.FAILURE, FIRST_TICKET, now, 1.0)


async def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        await plane.chat(model="sim/gpt-6-luna")
        reply = await plane.get("/metrics", key=None, client=HERE)
        assert reply.headers["content-type"].startswith("text/plain; version=")
        wanted = b'oneflow_requests_total{model="gpt-6-luna",outcome="ok",provider="sim"} 1.0'
        assert wanted in reply.body


async def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[metrics]\nenabled = false\n") as plane:
        reply = await plane.get("/metrics")
        assert (reply.status, reply.code) == (404, "unknown_url")


async def test_no_secret_is_in_what_is_shown(tmp_path: Path) -> None:
    address = 'kind = "vllm"\nbase_url = "http://127.0.0.1:9/v1"'
    configuration = f'[providers.other]\n{address}\nheaders = {{ x-team = "canary-header" }}\n'
    async with running(tmp_path, configuration=configuration) as plane:
        for target in ("/api/config", "/api/providers", "/health", "/api/openapi.json"):
            reply = await plane.get(target)
            assert reply.status == 200
            for secret in ("canary", plane.key, plane.key[-20:]):
                assert secret not in reply.body.decode(), target


async def test_the_configuration_is_told_with_its_sources(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[server]\nport = 9000\n") as plane:
        found = (await plane.get("/api/config")).json
        rows = {row["name"]: (row["value"], row["source"]) for row in found["settings"]}
        assert found["file"] == str(tmp_path / "oneflow.toml")
        assert rows["server.port"][0] == 9000
        assert rows["server.port"][1].endswith("oneflow.toml:2")
        assert rows["server.host"] == ("127.0.0.1", "default")
        assert rows["providers.sim.api_key"][0] == "env:SIM_KEY"
