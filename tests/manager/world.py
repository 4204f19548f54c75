"""The whole world of a first-edition program in a test: a home, dummy keys, and every provider at one simulator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oneflow_ai.providers.table import TABLE
from oneflow_ai.simulator import ThreadedSimulator

FOUR = ("openai", "anthropic", "stability", "elevenlabs")


def key_of(name: str) -> str:
    """A dummy key of a provider."""
    return f"sk-dummy-of-{name}-0123456789"


def variables(home: Path, simulator: ThreadedSimulator | None, *names: str) -> dict[str, str]:
    """The variables that point providers, all that are served if none is named, at a simulator, with dummy keys."""
    found = {"ONEFLOW_HOME": str(home), "ONEFLOW_MODELS__REFRESH_HOURS": "0"}
    if simulator is None:
        return found
    for name in names or FOUR:
        variable = f"ONEFLOW_PROVIDERS__{name.upper()}__"
        path = urlsplit(TABLE[name].base_url or "").path.rstrip("/")
        found[f"{variable}BASE_URL"] = simulator.origin + path
        found[f"{variable}API_KEY"] = f"env:{name.upper()}_API_KEY"
        found[f"{name.upper()}_API_KEY"] = key_of(name)
    return found


def enter(monkeypatch: pytest.MonkeyPatch, folder: Path, found: Mapping[str, str]) -> None:
    """Let a folder and these variables be all that the program knows."""
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith("ONEFLOW_"):
            monkeypatch.delenv(name)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
