"""What runs here: version, mode, load, and the configuration in force."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ConfigDict

from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.ports import Ports
from oneflow_ai.control.shapes import Mode, Moment, Shown, backlog_of, mode_of, uptime_seconds
from oneflow_ai.core.version import VERSION
from oneflow_ai.settings import show


class StatusShown(Shown):
    """The version and mode that run, since when, and how much there is to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": "0.1.0",
                    "mode": "normal",
                    "started_at": "2026-11-24T12:00:00Z",
                    "uptime_seconds": 3600.0,
                    "calls_in_flight": 3,
                    "history_waiting": 12,
                    "history_dropped": 0,
                }
            ]
        }
    )

    version: str
    mode: Mode
    started_at: Moment
    uptime_seconds: float
    calls_in_flight: int
    history_waiting: int
    history_dropped: int


class SettingShown(Shown):
    """One setting: its dotted name, its value without secrets, and where that came from."""

    name: str
    value: Any
    source: str


class ConfigurationShown(Shown):
    """The configuration in force: its file, if there is one, every setting, and what is odd about it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file": "oneflow.toml",
                    "settings": [{"name": "server.port", "value": 9000, "source": "oneflow.toml:2"}],
                    "warnings": [],
                }
            ]
        }
    )

    file: str | None
    settings: list[SettingShown]
    warnings: list[str]


@needs(Role.VIEWER)
async def status(ports: Ports) -> StatusShown:
    """The version, the mode, and how much there is to do."""
    running = ports.running
    history = backlog_of(running)
    return StatusShown(
        version=VERSION,
        mode=mode_of(running),
        started_at=running.started_at,
        uptime_seconds=uptime_seconds(running),
        calls_in_flight=running.engine.calls_open,
        history_waiting=history.waiting,
        history_dropped=history.dropped,
    )


@needs(Role.ADMINISTRATOR)
async def configuration(ports: Ports) -> ConfigurationShown:
    """Every setting in force, with the source of each and without secrets."""
    loaded = ports.running.loaded
    return ConfigurationShown(
        file=None if loaded.file is None else str(loaded.file),
        settings=[SettingShown(name=row.name, value=row.value, source=row.source) for row in show(loaded)],
        warnings=[str(warning) for warning in loaded.warnings],
    )


def add_routes(router: APIRouter) -> None:
    """Add these endpoints."""
    router.get("/api/status", tags=["status"])(status)
    router.get("/api/config", tags=["status"])(configuration)
