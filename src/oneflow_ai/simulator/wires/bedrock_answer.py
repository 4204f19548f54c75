"""Answers of Amazon Bedrock's Converse: whole, and as frames of its event stream, as recorded (checked 2026-11-26)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from oneflow_ai.simulator.answer import CONTENT, DONE, FINISH, FRAME, START, Answer, StreamEvent
from oneflow_ai.simulator.reply import LENGTH, STOP, STOP_SEQUENCE, TOOL_CALLS, Reply
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.text import pieces
from oneflow_ai.simulator.wires.bedrock_reading import WIRE
from oneflow_ai.simulator.wires.wire import Surroundings

STREAM_TYPE = "application/vnd.amazon.eventstream"
REASONS = {STOP: "end_turn", STOP_SEQUENCE: "stop_sequence", LENGTH: "max_tokens", TOOL_CALLS: "tool_use"}
_TEXT_HEADER = 7
_PRELUDE_BYTES, _CHECKSUM_BYTES = 12, 4
_LATENCY = {"latencyMs": 400}
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
Block = dict[str, Any]


class Made(NamedTuple):
    """An answer before it has its form: its blocks, why it ended, its tokens, what stopped it."""

    blocks: tuple[Block, ...]
    reason: str
    input_tokens: int
    output_tokens: int
    stop: str = ""


def blocks(said: Reply, around: Surroundings) -> list[Block]:
    """The blocks that say a reply."""
    found: list[Block] = [thought(said.thought)] if said.thought else []
    found += [{"text": said.text}] if said.text else []
    return found + [
        tool_use(f"{around.unique}{number}", call.name, orjson.loads(call.arguments))
        for number, call in enumerate(said.calls)
    ]


def thought(words: str) -> Block:
    """A block of sealed reasoning."""
    return {"reasoningContent": {"reasoningText": {"text": words, "signature": seal(WIRE, words)}}}


def tool_use(unique: str, name: str, given: Any) -> Block:
    """A block that calls a tool."""
    return {"toolUse": {"toolUseId": f"tooluse_{unique[-22:]}", "name": name, "input": given}}


def whole(made: Made) -> Answer:
    """The answer in one piece."""
    body = {
        "metrics": _LATENCY,
        "output": {"message": {"content": list(made.blocks), "role": "assistant"}},
        "stopReason": made.reason,
        "usage": _usage(made),
    } | _further(made)
    return Answer(body=orjson.dumps(body), input_tokens=made.input_tokens, output_tokens=made.output_tokens)


def streamed(made: Made) -> Answer:
    """The answer as frames, block by block."""
    return as_stream([each for place, block in enumerate(made.blocks) for each in block_events(place, block)], made)


def as_stream(events: Sequence[StreamEvent], made: Made) -> Answer:
    """A stream of these frames between those that open and end a message."""
    listed = (
        frame(START, "messageStart", {"role": "assistant"}),
        *events,
        frame(FINISH, "messageStop", {"stopReason": made.reason} | _further(made)),
        frame(DONE, "metadata", {"metrics": _LATENCY, "usage": _usage(made)}),
    )
    return Answer(
        events=listed, media_type=STREAM_TYPE, input_tokens=made.input_tokens, output_tokens=made.output_tokens
    )


def block_events(place: int, block: Block) -> Iterator[StreamEvent]:
    """The frames of one block; only a call of a tool is opened by one of its own."""
    (kind,) = block
    at = {"contentBlockIndex": place}
    if kind == "toolUse":
        called = {name: block[kind][name] for name in ("toolUseId", "name")}
        yield frame(CONTENT, "contentBlockStart", at | {"start": {"toolUse": called}})
    for sort, delta in _DELTAS[kind](block[kind]):
        yield frame(sort, "contentBlockDelta", at | {"delta": delta})
    yield frame(FRAME, "contentBlockStop", at)


def _text(words: Any) -> list[tuple[str, Block]]:
    return [(CONTENT, {"text": each}) for each in pieces(words)]


def _reasoning(told: Any) -> list[tuple[str, Block]]:
    words = [(CONTENT, {"reasoningContent": {"text": each}}) for each in pieces(told["reasoningText"]["text"])]
    return [*words, (FRAME, {"reasoningContent": {"signature": told["reasoningText"]["signature"]}})]


def _tool_use(called: Any) -> list[tuple[str, Block]]:
    given = called["input"]
    words = given if isinstance(given, str) else orjson.dumps(given).decode()
    return [(CONTENT, {"toolUse": {"input": each}}) for each in pieces(words)]


_DELTAS: Mapping[str, Callable[[Any], list[tuple[str, Block]]]] = {
    "text": _text,
    "reasoningContent": _reasoning,
    "toolUse": _tool_use,
}


def _further(made: Made) -> dict[str, Any]:
    return {"additionalModelResponseFields": {"stop_sequence": made.stop}} if made.stop else {}


def _usage(made: Made) -> dict[str, Any]:
    return {
        "inputTokens": made.input_tokens,
        "outputTokens": made.output_tokens,
        "totalTokens": made.input_tokens + made.output_tokens,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
        "serverToolUsage": {},
    }


# ---- frames: smithy.io/2.0/aws/amazon-eventstream.html, 2026-11-26


def frame(kind: str, name: str, document: Mapping[str, Any]) -> StreamEvent:
    """An event as a frame, with the padding that hides how long it is."""
    padding = _PADDING[: len(orjson.dumps(document)) * 7 % len(_PADDING)]
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return StreamEvent(kind, framed(headers, orjson.dumps({**document, "p": padding})))


def framed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Bytes with their headers, lengths and checksums."""
    told = b"".join([_header(name.encode(), value.encode()) for name, value in headers.items()])
    lengths = struct.pack(">II", _PRELUDE_BYTES + len(told) + len(payload) + _CHECKSUM_BYTES, len(told))
    prelude = lengths + struct.pack(">I", crc32(lengths))
    message = prelude + told + payload
    return message + struct.pack(">I", crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + bytes((_TEXT_HEADER,)) + struct.pack(">H", len(value)) + value


def reframed(content: bytes, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The same frame with another document in it."""
    _, header_bytes = struct.unpack(">II", content[:8])
    start = _PRELUDE_BYTES + header_bytes
    payload = orjson.dumps(edit(orjson.loads(content[start:-_CHECKSUM_BYTES])))
    lengths = struct.pack(">II", start + len(payload) + _CHECKSUM_BYTES, header_bytes)
    message = lengths + struct.pack(">I", crc32(lengths)) + content[_PRELUDE_BYTES:start] + payload
    return message + struct.pack(">I", crc32(message))
