"""Decoders of Anthropic's answers, streamed or whole: as raw bytes for the same wire, or as the middle form."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from oneflow_ai.core.call import Operation
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import (
    UPSTREAM_BAD_RESPONSE,
    UPSTREAM_STREAM_INTERRUPTED,
    UPSTREAM_TOO_LARGE,
    Failure,
)
from oneflow_ai.providers.anthropic_delta import Blocks
from oneflow_ai.providers.anthropic_failure import stream_failure
from oneflow_ai.providers.anthropic_usage import COUNT_MOST, merged, read_usage
from oneflow_ai.providers.openai_failure import error_in, error_of
from oneflow_ai.providers.sse import EVENT_BYTES_MOST, EventSplitter, is_json, mended

_PREFACE_BYTES_MOST = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
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


class StreamDecoder:
    """Decodes one stream of named events; unknown ones are passed on, and mean nothing in the middle form.

    With `raw` it gives the events' bytes (each as its name and its data, whatever the line ends were), but for
    `message_delta` and `message_stop`: these the client's encoder writes when the call is accounted for.
    """

    __slots__ = (
        "_blocks", "_ended", "_events", "_held", "_message", "_preface", "_quiet", "_raw", "_reason", "_seen", "_usage",
    )  # fmt: skip

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._blocks = Blocks()
        self._events = EventSplitter()
        self._message: dict[str, Any] = {}
        self._held: dict[str, Any] = {}
        self._usage: dict[str, Any] | None = None
        self._reason: str | None = None
        self._ended = self._quiet = self._seen = False
        self._preface = bytearray()

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events complete with this chunk; a failure inside the stream ends it."""
        if self._ended:
            return []
        out = _Batch()
        for data in self._events.feed(chunk):
            ended = self._take(data, out)
            if ended is not None:
                return [*out.events(), *self._end(ended)]
        if self._events.overflow:
            words = f"the provider sent an event of more than {EVENT_BYTES_MOST} bytes"
            return [*out.events(), *self._end(Failure(UPSTREAM_TOO_LARGE, words))]
        if not self._seen and len(self._preface) < _PREFACE_BYTES_MOST:
            self._preface += chunk[:_PREFACE_BYTES_MOST]
        return out.events()

    def close(self) -> list[Event]:
        """End the sequence: well where its stop reason has come, else with the failure that the cut is."""
        if self._ended:
            return []
        out = _Batch()
        # Some servers end without the last blank line: an event that is whole JSON counts, a cut one does not.
        rest = (self._events.close() or b"").strip()
        ended = self._take(rest, out) if is_json(rest) else None
        return [*out.events(), *self._end(self._cut() if ended is None else ended)]

    def _take(self, data: bytes, out: _Batch) -> Failure | bool | None:
        """Take one event; gives the failure, or True, that ends the answer."""
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            data, event = mended(data)
        if type(event) is not dict:
            # Servers of other makers end their streams as OpenAI does, or send nothing where there is nothing to say.
            if data.strip() in (b"", b"[DONE]"):
                return None
            return Failure(UPSTREAM_BAD_RESPONSE, "the provider sent an event that is not a JSON object")
        kind = _word(event.get("type"))
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
            block = _object(event.get("content_block"))
            kind = _word(block.get("type"))
            self._quiet = kind not in _HEARD
            return self._quiet or kind == "tool_use" or bool(block.get("text"))
        if kind == "message_start":
            self._message = _object(event.get("message")) or self._message
            self._usage = merged(self._usage, self._message.get("usage"))
        return kind == "ping" and self._quiet

    def _read(self, kind: Any, event: dict[str, Any]) -> list[Delta]:
        match kind:
            case "content_block_delta":
                return self._blocks.delta(event.get("index"), _object(event.get("delta")))
            case "content_block_start":
                return self._blocks.start(event.get("index"), _object(event.get("content_block")))
            case "content_block_stop":
                return self._blocks.stop()
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
        delta = {**self._held.get("delta", {}), **_object(event.get("delta"))}
        reason = delta.get("stop_reason")
        self._reason = reason if type(reason) is str and reason else self._reason
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

    def _end(self, ended: Failure | bool) -> list[Event]:
        self._ended = True
        failure = ended if isinstance(ended, Failure) else None
        usage = read_usage(self._usage)
        if usage is not None and failure is not None:
            usage = replace(usage, source="provider_partial")
        end = _end_of(self._message, self._held.get("delta", {}), raw=self._raw)
        reason = end.reason if failure is None or self._reason is not None else None
        end = replace(end, reason=reason, failure=failure, chunk=self._held if self._raw else None)
        return [end] if usage is None else [usage, end]


class WholeDecoder:
    """Decodes one whole answer: a message, or a count of tokens; nothing is given before its end."""

    __slots__ = ("_chunks", "_operation", "_raw")

    def __init__(self, operation: Operation, *, raw: bool) -> None:
        self._operation = operation
        self._raw = raw
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Keep the bytes until the end."""
        self._chunks.append(chunk)
        return []

    def close(self) -> list[Event]:
        """The whole answer as events, or the failure that its bytes stand for."""
        body = b"".join(self._chunks)
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            body, found = mended(body)
        counts = self._operation is Operation.COUNT_TOKENS
        failure = _whole_failure(found, "input_tokens" if counts else "content", _is_count if counts else _is_list)
        if failure is not None:
            return [End(failure=failure)]
        events: list[Event] = [Raw(body, 1)] if self._raw else []
        if counts:
            return [*events, Usage(input_tokens=found["input_tokens"]), End()]
        if not self._raw:
            events += _deltas(found["content"])
        usage = read_usage(found.get("usage"))
        if usage is not None:
            events.append(usage)
        return [*events, _end_of(found, found, raw=self._raw)]


def decoder_of(operation: Operation, *, stream: bool, raw: bool) -> StreamDecoder | WholeDecoder:
    """The decoder for one answer."""
    return StreamDecoder(raw=raw) if stream else WholeDecoder(operation, raw=raw)


class _Batch:
    """What one read gave: one `Raw`, or the middle form's deltas."""

    __slots__ = ("_content_events", "_parts", "found")

    def __init__(self) -> None:
        self.found: list[Delta] = []
        self._parts: list[bytes] = []
        self._content_events = 0

    def add(self, kind: Any, data: bytes, content: bool) -> None:
        """One event as it is, and whether it carries content."""
        if type(kind) is str and _NAME.fullmatch(kind):
            self._parts.append(b"event: " + kind.encode() + b"\n")
        # A newline inside the data came from several data lines, and must again be several.
        self._parts.append(b"data: " + (data.replace(b"\n", b"\ndata: ") if 10 in data else data) + b"\n\n")
        self._content_events += content

    def events(self) -> list[Event]:
        """What the read gave."""
        if self._parts:
            return [Raw(b"".join(self._parts), self._content_events)]
        return [*self.found]


# Blocks that grow before one's eyes.
_HEARD = ("text", "tool_use")
_KINDS = frozenset(
    {
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "ping",
    }
)  # fmt: skip


def _object(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _deltas(content: list[Any]) -> list[Delta]:
    blocks = Blocks()
    found: list[Delta] = []
    for index, block in enumerate(content):
        if type(block) is dict:
            found += blocks.start(index, block)
            found += blocks.stop()
    return found


def _end_of(message: dict[str, Any], stopped: dict[str, Any], *, raw: bool) -> End:
    """The end that a message tells: why it `stopped` stands in it, or in the last event of a stream."""
    reason, sequence = stopped.get("stop_reason"), stopped.get("stop_sequence")
    reason = reason if type(reason) is str and reason else None
    if not raw:
        reason = _REASONS.get(reason or "", "stop")
    model, answer_id = message.get("model"), message.get("id")
    return End(
        reason,
        model=model if type(model) is str else None,
        stop_sequence=sequence if type(sequence) is str else "",
        answer_id=answer_id if type(answer_id) is str else "",
    )


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


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
