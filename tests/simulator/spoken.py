"""The wires as these tests speak them: how each asks, and how the text of its answer is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from oneflow_ai.simulator import Simulator
from tests.simulator.raw import Seen, once

PROMPT = "Tell me about bees."
VERSION = {"anthropic-version": "2023-06-01"}
LATEST = {"anthropic-version": "2026-10-21"}
WEATHER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"location": {"type": "string"}},
    "required": ["location"],
}
CLOSED: Mapping[str, Any] = {**WEATHER, "additionalProperties": False}


def _in_body(path: str) -> Callable[[str, bool], str]:
    return lambda model, stream: path


def _gemini_path(model: str, stream: bool) -> str:
    action = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{quote(model, safe='')}:{action}"


def documents(seen: Seen) -> list[Any]:
    """The documents of a stream's events, those without one left out."""
    blocks = seen.body.replace(b"\r\n", b"\n").split(b"\n\n")
    datas = [block.partition(b"data: ")[2] for block in blocks if b"data: " in block]
    return [orjson.loads(data) for data in datas if data != b"[DONE]"]


def _anthropic_piece(event: Any) -> str:
    return str((event.get("delta") or {}).get("text") or "")


def _responses_piece(event: Any) -> str:
    return str(event["delta"]) if event["type"] == "response.output_text.delta" else ""


def _gemini_text(document: Any) -> str:
    parts = [part for each in document["candidates"] for part in each["content"].get("parts", [])]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def _responses_text(document: Any) -> str:
    said = [item for item in document["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in said for part in item["content"])


@dataclass(frozen=True, slots=True)
class Spoken:
    """One wire: where and what it asks, and where its answers have text, whole or in one event."""

    name: str
    path: Callable[[str, bool], str]
    document: Mapping[str, Any]
    text: Callable[[Any], str]
    piece: Callable[[Any], str]
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: str = "usage"
    model_in_body: bool = True

    async def ask(
        self, simulator: Simulator, model: str = "some-model", stream: bool = False, until: bytes | None = None
    ) -> Seen:
        """Ask the prompt, and see what comes."""
        document = dict(self.document)
        if self.model_in_body:
            document = {"model": model, **document, "stream": stream}
        return await once(simulator, document, until=until, path=self.path(model, stream), headers=dict(self.headers))

    def pieces(self, seen: Seen) -> list[str]:
        """The pieces of text in a stream."""
        return [piece for piece in map(self.piece, documents(seen)) if piece]


ANTHROPIC = Spoken(
    "anthropic",
    _in_body("/v1/messages"),
    {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 8},
    lambda document: "".join(block.get("text", "") for block in document["content"]),
    _anthropic_piece,
    VERSION,
)
RESPONSES = Spoken(
    "responses",
    _in_body("/v1/responses"),
    {"input": PROMPT, "max_output_tokens": 16},
    _responses_text,
    _responses_piece,
)
GEMINI = Spoken(
    "gemini",
    _gemini_path,
    {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}], "generationConfig": {"maxOutputTokens": 8}},
    _gemini_text,
    _gemini_text,
    usage="usageMetadata",
    model_in_body=False,
)
WIRES = (ANTHROPIC, RESPONSES, GEMINI)
