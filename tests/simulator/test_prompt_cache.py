"""Whose a prompt that is remembered is: its credential's, on every wire that tells what it read from its cache."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest

from oneflow_ai.simulator import FAST, MachineClock, SimulatorOptions
from oneflow_ai.simulator.request import Request
from oneflow_ai.simulator.stage import Stage

LONG = "All about bees. " * 600
MARKED = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "/v1/chat/completions": ({"model": "m", "messages": [{"role": "user", "content": LONG}]}, "cached_tokens"),
    "/v1/responses": ({"model": "m", "input": LONG}, "cached_tokens"),
    "/v1/messages": (
        {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": [MARKED]}]},
        "cache_read_input_tokens",
    ),
    "/v1beta/models/gemini-3.8-flash:generateContent": (
        {"contents": [{"role": "user", "parts": [{"text": LONG}]}]},
        "cachedContentTokenCount",
    ),
}


def _found(value: Any, name: str) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = value.get(name) if isinstance(value, dict) else None
    return own if isinstance(own, int) else sum(_found(part, name) for part in inner)


@pytest.mark.parametrize("path", ASKED)
def test_a_key_reads_nothing_of_another_keys_prompts(path: str) -> None:
    stage = Stage(SimulatorOptions(pace=FAST), MachineClock(), Random(1))
    document, name = ASKED[path]

    def read(key: bytes) -> int:
        request = Request(
            "POST", path, [(b"anthropic-version", b"2023-06-01")] * ("messages" in path), {b"x-api-key": key}
        )
        request.body = orjson.dumps(document)
        return _found(orjson.loads(stage.begin(request, (1, 0)).content.partition(b"\r\n\r\n")[2]), name)

    assert read(b"a") == 0
    assert read(b"b") == 0
    assert read(b"a") > 1_024
