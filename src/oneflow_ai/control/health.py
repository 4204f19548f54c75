"""`/health` in detail and `/metrics`: for a viewer's key, or for requests of the same machine."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import ConfigDict

from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.ports import Ports
from oneflow_ai.control.providers import BreakerShown, breaker_shown
from oneflow_ai.control.shapes import BacklogShown, Mode, Shown, backlog_of, mode_of, uptime_seconds
from oneflow_ai.core.failure import UNKNOWN_URL, Failure
from oneflow_ai.core.version import VERSION
from oneflow_ai.insight.standing import Standing
from oneflow_ai.settings import configured_providers


class ProviderHealth(Shown):
    """How one provider stands, with the breakers of its models that have failed."""

    status: Standing
    breakers: list[BreakerShown]


class HealthShown(Shown):
    """How the gateway does: `degraded` when a configured provider is not available or the history lost calls."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "version": "0.1.0",
                    "mode": "normal",
                    "uptime_seconds": 3600.0,
                    "providers": {"acme": {"status": "available", "breakers": []}},
                    "history": {"waiting": 0, "dropped": 0},
                }
            ]
        }
    )

    status: Literal["ok", "degraded"]
    version: str
    mode: Mode
    uptime_seconds: float
    providers: dict[str, ProviderHealth]
    history: BacklogShown


@needs(Role.VIEWER, or_local=True)
async def health(ports: Ports) -> HealthShown:
    """How the gateway, its providers and its history do."""
    running, observed = ports.running, ports.observed()
    breakers = observed.breakers()
    providers = {
        name: ProviderHealth(
            status=observed.standing(name, breakers.get(name, ())),
            breakers=[breaker_shown(each) for each in breakers.get(name, ())],
        )
        for name in configured_providers(running.loaded)
    }
    history = backlog_of(running)
    well = not history.dropped and all(each.status in ("available", "unconfigured") for each in providers.values())
    return HealthShown(
        status="ok" if well else "degraded",
        version=VERSION,
        mode=mode_of(running),
        uptime_seconds=uptime_seconds(running),
        providers=providers,
        history=history,
    )


@needs(Role.VIEWER, or_local=True)
async def metrics(ports: Ports) -> Response:
    """The metrics of this process in Prometheus's text format."""
    running = ports.running
    if not running.loaded.settings.metrics.enabled:
        raise Failure(UNKNOWN_URL, "metrics are switched off: see metrics.enabled")
    return Response(running.metrics.render(), media_type=running.metrics.content_type)


def add_routes(router: APIRouter) -> None:
    """Add these endpoints."""
    router.get("/health", tags=["status"])(health)
    router.get("/metrics", tags=["status"], responses={200: {"content": {"text/plain": {}}}})(metrics)
