"""The simulated answers have the shape of the recorded ones, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from oneflow_ai.simulator import FAST, Limits, Simulator, SimulatorOptions
from tests.simulator.raw import CHAT, STREAM, Seen, once

TOOL = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
TOOLS = {
    "tools": [{"type": "function", "function": {"name": "square", "parameters": TOOL}}],
    "tool_choice": "required",
    "reasoning_effort": "none",
}


def shape(value: Any) -> Any:
    """The names and types of a JSON value; of a list the first element."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def _recorded(folder: Path, name: str) -> Seen:
    """A recorded answer, as if it had been seen on the wire."""
    answer = json.loads((folder / "recordings" / "openai" / f"{name}.json").read_text(encoding="utf-8"))["response"]
    return Seen(b"HTTP/1.1 %d OK\r\n\r\n" % answer["status"] + answer["body"].encode(), "eof")


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("chat-basic-gpt41", CHAT),
        ("chat-parallel-tools-1", {**CHAT, **TOOLS}),
        ("chat-err-404-model-not-found-async", {**CHAT, "model": "no-such-model"}),
    ],
)
async def test_a_whole_answer_has_the_recorded_shape(
    simulator: Simulator, shared_folder: Path, name: str, document: Any
) -> None:
    recorded, seen = _recorded(shared_folder, name), await once(simulator, document)
    assert (seen.status, shape(seen.json)) == (recorded.status, shape(recorded.json))


async def test_a_refused_key_has_the_recorded_shape(simulator: Simulator, shared_folder: Path) -> None:
    recorded, seen = _recorded(shared_folder, "chat-err-401"), await once(simulator, CHAT, key="bad-key")
    assert (seen.status, shape(seen.json)) == (401, shape(recorded.json))


def _kinds(seen: Seen) -> list[Any]:
    """The shapes of a stream's events, each sort once, in order."""
    shapes = [shape(orjson.loads(data)) for data in seen.datas if data != b"[DONE]"]
    return [each for place, each in enumerate(shapes) if each not in shapes[:place]]


@pytest.mark.parametrize(
    ("name", "document"), [("chat-stream-usage-2", STREAM), ("chat-stream-tools", {**STREAM, **TOOLS})]
)
async def test_a_stream_has_events_of_the_recorded_shapes_in_their_order(
    simulator: Simulator, shared_folder: Path, name: str, document: Any
) -> None:
    seen = await once(simulator, document)
    assert _kinds(seen) == _kinds(_recorded(shared_folder, name))
    assert seen.body.endswith(b"data: [DONE]\n\n")
    assert seen.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_an_older_completion_streams_events_of_the_recorded_shape(
    simulator: Simulator, shared_folder: Path
) -> None:
    document = {"model": "davinci-002", "prompt": "Tell me a joke", "stream": True}
    seen = await once(simulator, document, path="/v1/completions")
    assert _kinds(seen) == _kinds(_recorded(shared_folder, "completions-legacy-stream"))


async def test_the_headers_of_limits_are_the_recorded_ones(shared_folder: Path) -> None:
    file = shared_folder / "recordings" / "openai" / "chat-basic-gpt41.json"
    recorded = json.loads(file.read_text(encoding="utf-8"))["response"]["headers"]
    limits = Limits(requests_per_minute=100, tokens_per_minute=100_000)
    async with await Simulator(SimulatorOptions(pace=FAST, limits=limits)).start() as simulator:
        headers = (await once(simulator, CHAT)).headers
    told = {name for name in recorded if name.startswith(("x-ratelimit-", "openai-"))}
    assert told <= headers.keys()
