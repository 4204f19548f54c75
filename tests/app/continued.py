"""What a client of each dialect makes of a stream that several models wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from tests.app.gateway import MESSAGES, Reply


@dataclass(frozen=True)
class Told:
    """What a client of one dialect made of a stream: its text, the seams in it, and whether it is one sound answer."""

    text: str
    seams: tuple[str, ...]
    whole: bool
    cost: float | None = None


def of_chat(reply: Reply) -> Told:
    events = reply.events()
    chunks = [event for event in events if isinstance(event, dict) and "choices" in event]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    one = (
        len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1
        and sum("role" in choice["delta"] for choice in choices) == 1
        and [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
        and events.count(b"[DONE]") == 1
        and events[-1] == b"[DONE]"
        and len(usage) == 1
    )
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    seams = tuple(event["oneflow"]["continued_by"] for event in chunks if "oneflow" in event)
    return Told(text, seams, one and not reply.broken, usage[0]["cost"] if usage else None)


def named(reply: Reply) -> list[dict[str, Any]]:
    blocks = [block for block in reply.body.split(b"\n\n") if block]
    return [orjson.loads(block.partition(b"\ndata: ")[2]) for block in blocks]


def of_messages(reply: Reply) -> Told:
    events = [event for event in named(reply) if event["type"] != "ping"]
    kinds = [event["type"] for event in events]
    deltas = [event for event in events if event["type"] == "content_block_delta"]
    edges = [kind for kind in kinds if kind != "content_block_delta"]
    one = edges == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    seams = tuple(event["oneflow"]["continued_by"] for event in events if "oneflow" in event)
    cost = next((event["usage"]["cost"] for event in events if event["type"] == "message_delta"), None)
    return Told("".join(event["delta"]["text"] for event in deltas), seams, one and not reply.broken, cost)


def of_responses(reply: Reply) -> Told:
    events = named(reply)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    edges = [event["type"] for event in events if not event["type"].endswith(".delta")]
    one = edges == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    seams = tuple(event["oneflow"]["continued_by"] for event in events if "oneflow" in event)
    if one:
        assert events[-1]["response"]["output"][0]["content"][0]["text"] == text
    cost = events[-1]["response"]["usage"]["cost"] if one else None
    return Told(text, seams, one and not reply.broken, cost)


def of_gemini(reply: Reply) -> Told:
    events = [orjson.loads(block.removeprefix(b"data: ")) for block in reply.body.split(b"\r\n\r\n") if block]
    told = [event["candidates"][0] for event in events if "candidates" in event]
    one = len({(event.get("responseId"), event.get("modelVersion")) for event in events}) == 1 and [
        candidate.get("finishReason") for candidate in told
    ] == [None] * (len(told) - 1) + ["STOP"]
    text = "".join(part["text"] for candidate in told for part in candidate["content"]["parts"])
    seams = tuple(event["oneflow"]["continued_by"] for event in events if "oneflow" in event)
    return Told(text, seams, one and not reply.broken, events[-1]["usageMetadata"]["cost"] if one else None)


@dataclass(frozen=True)
class Dialect:
    """How a dialect asks: its address, in which the model may stand, and the fields of a body."""

    path: str
    fields: dict[str, Any]
    told: Callable[[Reply], Told]
    tools: list[dict[str, Any]]

    def asked(self, model: str, **fields: Any) -> tuple[str, bytes]:
        """The address and the body of a stream."""
        if "{model}" in self.path:
            return self.path.format(model=quote(model, safe="")), orjson.dumps({**self.fields, **fields})
        return self.path, orjson.dumps({"model": model, "stream": True, **self.fields, **fields})


_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
DIALECTS = {
    "chat": Dialect(
        "/v1/chat/completions",
        {"messages": MESSAGES, "stream_options": {"include_usage": True}},
        of_chat,
        [{"type": "function", "function": {"name": "get_weather", "parameters": _SCHEMA}}],
    ),
    "messages": Dialect(
        "/v1/messages",
        {"messages": MESSAGES, "max_tokens": 1_000},
        of_messages,
        [{"name": "get_weather", "input_schema": _SCHEMA}],
    ),
    "responses": Dialect(
        "/v1/responses",
        {"input": MESSAGES, "store": False},
        of_responses,
        [{"type": "function", "name": "get_weather", "parameters": _SCHEMA}],
    ),
    "gemini": Dialect(
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": message["content"]} for message in MESSAGES]}]},
        of_gemini,
        [{"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": _SCHEMA}]}],
    ),
}
