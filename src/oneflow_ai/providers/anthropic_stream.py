"""Decoders of Anthropic's answers, streamed or whole: as raw bytes for the same wire, or as the middle form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import (
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_STREAM_INTERRUPTED,
    Failure,
)
from oneflow_ai.providers.anthropic_delta import Blocks
from oneflow_ai.providers.anthropic_failure import stream_failure
from oneflow_ai.providers.anthropic_usage import COUNT_MOST, merged, read_usage
from oneflow_ai.providers.base import WholeDecoder, mapping, word
from oneflow_ai.providers.openai_failure import error_in, error_of
from oneflow_ai.providers.sse_decoder import EventStreamDecoder, NamedBatch, named_event

# One is what a message has; each costs what all before it hold.
DELTAS_HELD_MOST = 64
# Why an answer ended, in the words of the middle form; a word that is newer than this table is an end like any other.
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_length",
}


class StreamDecoder(EventStreamDecoder[NamedBatch]):
    """Decodes one stream of named events; unknown ones are passed on, and mean nothing in the middle form.

    With `raw` it gives the events' bytes (each as its name and its data, whatever the line ends were), but for
    `message_delta` and `message_stop`: these the client's encoder writes when the call is accounted for.
    """

    __slots__ = ("_blocks", "_deltas_held", "_held", "_message", "_quiet", "_raw", "_reason", "_usage")

    def __init__(self, *, raw: bool) -> None:
        super().__init__()
        self._raw = raw
        self._blocks = Blocks()
        self._message: dict[str, Any] = {}
        self._held: dict[str, Any] = {}
        self._usage: dict[str, Any] | None = None
        self._reason: str | None = None
        self._quiet = False
        self._deltas_held = 0

    def _batch(self) -> NamedBatch:
        return NamedBatch()

    def _take(self, data: bytes, out: NamedBatch) -> Failure | bool | None:
        read = named_event(data)
        if read is None or isinstance(read, Failure):
            return read
        data, event = read
        kind = word(event.get("type"))
        if kind == "error" or (event.get("error") and kind not in _KINDS):
            return stream_failure(error_in(event) or {})
        self._seen |= kind in _KINDS
        if kind == "message_stop":
            return self._done()
        if kind == "message_delta":
            return self._hold(event)
        content = self._note(kind, event)
        if self._raw:
            out.add(kind, data, content)
        else:
            out.found += self._read(kind, event)
        return None

    def _note(self, kind: str, event: dict[str, Any]) -> bool:
        """Remember what an event tells of the answer; gives whether it is content, or a sign of life in its stead.

        A model that thinks without showing it, or waits for a tool that the provider runs, is heard of by pings alone.
        """
        if kind == "content_block_delta":
            return True
        if kind == "content_block_start":
            block = mapping(event.get("content_block"))
            kind = word(block.get("type"))
            self._quiet = kind not in _HEARD
            return self._quiet or kind == "tool_use" or bool(block.get("text"))
        if kind == "message_start":
            self._message = mapping(event.get("message")) or self._message
            self._usage = merged(self._usage, self._message.get("usage"))
        return kind == "ping" and self._quiet

    def _read(self, kind: Any, event: dict[str, Any]) -> list[Delta]:
        match kind:
            case "content_block_delta":
                return self._blocks.delta(event.get("index"), mapping(event.get("delta")))
            case "content_block_start":
                return self._blocks.start(event.get("index"), mapping(event.get("content_block")))
            case "content_block_stop":
                return self._blocks.stop(event.get("index"))
            case "ping" if self._quiet:
                return [Delta("reasoning", "")]
            case _:
                return []

    def _hold(self, event: dict[str, Any]) -> Failure | None:
        try:
            # It becomes the closing event: what cannot be encoded again must not get that far.
            orjson.dumps(event)
        except orjson.JSONEncodeError:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is nested too deep")
        self._deltas_held += 1
        if self._deltas_held > DELTAS_HELD_MOST:
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider ended its message again and again")
        delta = {**self._held.get("delta", {}), **mapping(event.get("delta"))}
        self._reason = word(delta.get("stop_reason")) or self._reason
        self._usage = merged(self._usage, event.get("usage"))
        self._held = {**event, "delta": delta, "usage": merged(self._held.get("usage"), event.get("usage"))}
        return None

    def _done(self) -> Failure | bool:
        if self._message or self._reason:
            return True
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider ended the stream without an answer")

    def _cut(self) -> Failure | bool:
        if self._reason is not None:
            return True
        if self._seen:
            return Failure(UPSTREAM_STREAM_INTERRUPTED, "the provider ended the stream before the answer was finished")
        error = error_of(bytes(self._preface))
        if error:
            return stream_failure(error)
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not an event stream")

    def _end(self, failure: Failure | None) -> list[Event]:
        usage = read_usage(self._usage)
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        end = _end_of(self._message, self._held.get("delta", {}), raw=self._raw)
        reason = end.reason if failure is None or self._reason is not None else None
        end = replace(end, reason=reason, failure=failure, chunk=self._held if self._raw else None)
        said = [] if self._raw or failure is not None else _explained(self._held.get("delta", {}))
        return [*said, end] if usage is None else [*said, usage, end]


def decoder_of(operation: Operation, *, stream: bool, raw: bool) -> StreamDecoder | WholeDecoder:
    """The decoder for one answer: a message, streamed or whole, or a count of tokens."""
    if stream:
        return StreamDecoder(raw=raw)
    return WholeDecoder(partial(_counted if operation is Operation.COUNT_TOKENS else _whole, raw))


def _whole(raw: bool, body: bytes, found: Any) -> list[Event]:
    failure = _whole_failure(found, "content", _is_list)
    if failure is not None:
        return [End(failure=failure)]
    events: list[Event] = [Raw(body, 1)] if raw else [*_deltas(found["content"]), *_explained(found)]
    usage = read_usage(found.get("usage"))
    if usage is not None:
        events.append(usage)
    return [*events, _end_of(found, found, raw=raw)]


def _counted(raw: bool, body: bytes, found: Any) -> list[Event]:
    failure = _whole_failure(found, "input_tokens", _is_count)
    if failure is not None:
        return [End(failure=failure)]
    events: list[Event] = [Raw(body, 1)] if raw else []
    return [*events, Usage(input_tokens=found["input_tokens"]), End()]


# Blocks that grow before one's eyes.
_HEARD = ("text", "tool_use")
_KINDS = frozenset(
    {
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "ping",
    }
)  # fmt: skip


def _deltas(content: list[Any]) -> list[Delta]:
    blocks = Blocks()
    found: list[Delta] = []
    for index, block in enumerate(content):
        if type(block) is dict:
            found += blocks.start(index, block)
            found += blocks.stop(index)
    return found


def _explained(stopped: dict[str, Any]) -> list[Delta]:
    """Why an answer was refused, where that is told (Anthropic's client 2.14.0, RefusalStopDetails, 2026-11-28)."""
    details = mapping(stopped.get("stop_details"))
    text = word(details.get("explanation")) if stopped.get("stop_reason") == "refusal" else ""
    return [Delta("refusal", text)] if text else []


def _end_of(message: dict[str, Any], stopped: dict[str, Any], *, raw: bool) -> End:
    """The end that a message tells: why it `stopped` stands in it, or in the last event of a stream."""
    reason, sequence = stopped.get("stop_reason"), stopped.get("stop_sequence")
    reason = reason if type(reason) is str and reason else None
    if not raw:
        reason = _REASONS.get(reason or "", "stop")
    model, answer_id = word(message.get("model")) or None, word(message.get("id"))
    return End(reason, model=model, stop_sequence=word(sequence), answer_id=answer_id)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= COUNT_MOST


def _is_list(value: Any) -> bool:
    return type(value) is list


def _whole_failure(found: Any, name: str, fits: Callable[[Any], bool]) -> Failure | None:
    if type(found) is not dict:
        return Failure(UPSTREAM_BAD_RESPONSE, "the provider's answer is not a JSON object")
    if fits(found.get(name)):
        return None
    error = error_in(found)
    if error is not None:
        words = stream_failure(error).message
        return Failure(UPSTREAM_BAD_RESPONSE, f"the provider sent an error as success: {words}")
    return Failure(UPSTREAM_BAD_RESPONSE, f"the provider's answer has no {name}")
