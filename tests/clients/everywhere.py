"""A gateway in front of every wire of text that providers have, each played by one simulator."""

from __future__ import annotations

import contextlib
import json
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oneflow_ai.providers.table import TABLE
from oneflow_ai.simulator import FAST, SimulatorOptions, run_in_thread
from tests.clients.serving import serving

# One kind of provider for each wire, and a model of its that does all that is asked here.
MODELS = {
    "openai": "openai/gpt-6-luna",
    "anthropic": "anthropic/claude-haiku-5-5",
    "gemini": "gemini/gemini-3.8-flash",
    "bedrock": "bedrock/global.anthropic.claude-haiku-5-5",
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_OF_A_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
# What the models may call: each tool's name, with what it is for and the schema of its arguments.
TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "get_weather": ("The weather of a city", _OF_A_CITY),
    "get_time": ("The time in a city", _OF_A_CITY),
}
# What a client's own wire takes and others do not: a server's tools as Claude Code names them, 100 characters each.
LONG_NAMES = [f"mcp__plugin_of_everything_{name}".ljust(99, "_") + "x" for name in TOOLS]
CONFIGURATION = "[retry]\nattempts = 1\n"
# A provider that tells its limit is left alone for a while, and so is a key that was refused: such faults have places
# of their own.
NAMES = ("{kind}", "limited-{kind}", "refused-{kind}")
PROVIDER = """
[providers.{name}]
kind = "{kind}"
base_url = "{url}"
api_key = "env:PROVIDER_KEY"
[prices."{name}/sim-*"]
input_usd_per_million_tokens = 1
output_usd_per_million_tokens = 2
"""


@dataclass(frozen=True)
class Gateway:
    """A running one: its address, a key for all models, and one that may use no model but `openai/other`."""

    url: str
    key: str
    narrow_key: str


@contextlib.contextmanager
def running(home: Path) -> Iterator[Gateway]:
    """Start it in this folder."""
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        text = CONFIGURATION
        for kind in MODELS:
            path = urlsplit(TABLE[kind].base_url or "").path.rstrip("/")
            for name in NAMES:
                text += PROVIDER.format(kind=kind, name=name.format(kind=kind), url=simulator.origin + path)
        (home / "oneflow.toml").write_text(text)
        with serving(home, {"PROVIDER_KEY": "sk-of-the-providers"}) as (url, key):
            yield Gateway(url, key, _narrow_key(url, key))


def _narrow_key(url: str, key: str) -> str:
    request = urllib.request.Request(  # noqa: S310 - our own http address
        f"{url}/api/keys",
        json.dumps({"name": "narrow", "models": ["openai/other"]}).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
        return str(json.load(answer)["key"])


def closed_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
