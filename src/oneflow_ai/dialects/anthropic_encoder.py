"""Answers in Anthropic's dialect: streams of named events, whole messages, and counts of tokens."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.anthropic_blocks import BlockWriter, Content
from oneflow_ai.dialects.anthropic_error import failure_body

# Why an answer ended, from the middle form; a word that it does not know is an end like any other.
_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "context_length": "model_context_window_exceeded",
}


class StreamEncoder:
    """Writes one stream: the provider's own bytes where it speaks this wire, else events made of the middle form."""

    __slots__ = ("_blocks", "_call", "_model", "_raw", "_started")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._model = target.model
        self._blocks = BlockWriter(quiet=not _thinks(call))
        self._raw = self._started = False

    def feed(self, event: Event) -> bytes:
        """Give the bytes that this event brings."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        return self._start() + _written(self._blocks.write(event)) if type(event) is Delta else b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The last two events: why the answer ended, and what it used and cost."""
        cost = {"cost": usd_float(cost_nanos)}
        if self._raw:
            held = end.chunk or {"type": "message_delta", "delta": _stop(end.reason, end)}
            told = held.get("usage")
            used = told if isinstance(told, dict) and told and usage.source == "provider" else _usage(usage)
            return _written([{**held, "usage": {**used, **cost}}, {"type": "message_stop"}])
        events = self._blocks.end()
        closing = {"type": "message_delta", "delta": _stop(_reason(end, self._blocks.calls), end)}
        events += [{**closing, "usage": {**_usage(usage), **cost}}, {"type": "message_stop"}]
        return self._start() + _written(events)

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke: no `message_stop` follows it."""
        return b"event: error\ndata: " + failure_body(failure, self._call.client_id or self._call.id) + b"\n\n"

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        message = _message(self._call, self._model, [], Usage())
        return _written([{"type": "message_start", "message": message}])


class WholeEncoder:
    """Writes one whole answer: the provider's own bytes where it speaks this wire, else a message."""

    __slots__ = ("_blocks", "_call", "_content", "_model", "_raw")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._model = target.model
        self._blocks = BlockWriter(quiet=not _thinks(call))
        self._content = Content()
        self._raw = False

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on; gather all else."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is Delta:
            self._content.add(self._blocks.write(event))
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The message, unless it has gone out as it came; what it cost is told in a header."""
        del cost_nanos
        if self._raw:
            return b""
        self._content.add(self._blocks.end())
        message = _message(self._call, self._model, self._content.blocks(), usage)
        return orjson.dumps(message | _stop(_reason(end, self._blocks.calls), end))

    def failure(self, failure: Failure) -> bytes:
        """The body of an error."""
        return failure_body(failure, self._call.client_id or self._call.id)


def _thinks(call: Call) -> bool:
    """Whether the client asked for thoughts."""
    thinking = call.body.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def _written(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def _message(call: Call, model: str, content: list[dict[str, Any]], usage: Usage) -> dict[str, Any]:
    return {
        "id": "msg_" + call.id.removeprefix("req_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(usage),
    }


def _reason(end: End, calls: int) -> str:
    # Some servers end a turn that calls tools like any other; a client of this wire goes by the word.
    if calls and end.reason in (None, "stop"):
        return "tool_use"
    return "stop_sequence" if end.stop_sequence else _REASONS.get(end.reason or "", "end_turn")


def _stop(reason: str | None, end: End) -> dict[str, Any]:
    return {"stop_reason": reason, "stop_sequence": end.stop_sequence or None}


def _usage(usage: Usage) -> dict[str, Any]:
    """The usage in this wire's convention: `input_tokens` without what was read from and written to the cache."""
    written, long, read = usage.cache_write_tokens, usage.cache_write_1h_tokens, usage.cached_tokens
    found: dict[str, Any] = {
        "input_tokens": max(usage.input_tokens - written - read, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": max(written - long, 0), "ephemeral_1h_input_tokens": long},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "service_tier": "standard",
    }
    if usage.web_searches:
        found["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    return found
