"""Messages of Anthropic's wire, whole and streamed, as recorded (checked 2026-11-26)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.answer import CONTENT, DONE, FINISH, FRAME, START, STREAM_TYPE, Answer, StreamEvent
from oneflow_ai.simulator.reply import LENGTH, STOP, STOP_SEQUENCE, TOOL_CALLS, Reply
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.text import pieces
from oneflow_ai.simulator.wires.anthropic_reading import Spent
from oneflow_ai.simulator.wires.anthropic_rules import WIRE
from oneflow_ai.simulator.wires.wire import Surroundings

REASONS = {STOP: "end_turn", STOP_SEQUENCE: "stop_sequence", LENGTH: "max_tokens", TOOL_CALLS: "tool_use"}
_PADDING_MOST = 15
Block = dict[str, Any]


class Message(NamedTuple):
    """A message before it has its form: its blocks, why it ended, what it used."""

    model: str
    blocks: tuple[Block, ...]
    reason: str
    stop: str | None
    spent: Spent
    output_tokens: int
    thought_tokens: int = 0


def message(model: str, said: Reply, spent: Spent, shown: bool, around: Surroundings) -> Message:
    """The message that says a reply; `shown` is whether thoughts come as text."""
    found: list[Block] = []
    if said.thought:
        thought = said.thought if shown else ""
        found.append({"type": "thinking", "thinking": thought, "signature": seal(WIRE, thought)})
    if said.text:
        found.append({"type": "text", "text": said.text})
    found += [
        tool_use(f"{around.unique}{number}", call.name, orjson.loads(call.arguments))
        for number, call in enumerate(said.calls)
    ]
    stop = said.stop or None
    return Message(model, tuple(found), REASONS[said.finish], stop, spent, said.tokens, said.thought_tokens)


def tool_use(unique: str, name: str, given: Any) -> Block:
    """A block that calls a tool."""
    return {
        "type": "tool_use",
        "id": f"toolu_01{unique[-22:]}",
        "name": name,
        "input": given,
        "caller": {"type": "direct"},
    }


def whole(made: Message, around: Surroundings) -> Answer:
    """The message as one answer."""
    body = _frame(made.model, around) | {
        "content": list(made.blocks),
        "stop_reason": made.reason,
        "stop_sequence": made.stop,
        "usage": _usage(made),
    }
    return Answer(body=orjson.dumps(body), input_tokens=made.spent.total, output_tokens=made.output_tokens)


def streamed(made: Message, around: Surroundings) -> Answer:
    """The message as a stream."""
    events = [each for place, block in enumerate(made.blocks) for each in block_events(place, block)]
    return as_stream(events, made, around)


def as_stream(events: list[StreamEvent], made: Message, around: Surroundings) -> Answer:
    """A stream of these events between those that open and close a message."""
    opened = _frame(made.model, around) | {"usage": _usage(made) | {"output_tokens": min(made.output_tokens, 1)}}
    opened["usage"].pop("output_tokens_details", None)
    delta = {"stop_reason": made.reason, "stop_sequence": made.stop, "stop_details": None}
    # a ping comes early in every recorded stream, behind the first block's opening
    listed = (
        padded(START, "message_start", {"message": opened}),
        *events[:1],
        StreamEvent(FRAME, PING),
        *events[1:],
        padded(FINISH, "message_delta", {"delta": delta, "usage": _usage_at_end(made)}),
        padded(DONE, "message_stop", {}),
    )
    return Answer(
        events=listed,
        media_type=STREAM_TYPE,
        input_tokens=made.spent.total,
        output_tokens=made.output_tokens,
    )


PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def block_events(place: int, block: Block) -> Iterator[StreamEvent]:
    """The events of one block, from its opening to its close."""
    opened, deltas = _BLOCKS[block["type"]](block)
    kind = CONTENT if block["type"] == "tool_use" else START
    yield padded(kind, "content_block_start", {"index": place, "content_block": opened})
    for sort, delta in deltas:
        yield delta_event(place, delta, sort)
    yield stop_event(place)


def delta_event(place: int, delta: Mapping[str, Any], sort: str = CONTENT) -> StreamEvent:
    """A piece of a block."""
    return padded(sort, "content_block_delta", {"index": place, "delta": delta})


def stop_event(place: int) -> StreamEvent:
    """The close of a block."""
    return padded(FRAME, "content_block_stop", {"index": place})


def _text(block: Block) -> tuple[Block, list[tuple[str, Block]]]:
    deltas = [(CONTENT, {"type": "text_delta", "text": each}) for each in pieces(block["text"])]
    return block | {"text": ""}, deltas


def _thinking(block: Block) -> tuple[Block, list[tuple[str, Block]]]:
    deltas = [(CONTENT, {"type": "thinking_delta", "thinking": each}) for each in pieces(block["thinking"]) if each]
    sealed = (FRAME, {"type": "signature_delta", "signature": block["signature"]})
    return block | {"thinking": "", "signature": ""}, [*deltas, sealed]


def _redacted(block: Block) -> tuple[Block, list[tuple[str, Block]]]:
    return block, []


def _tool_use(block: Block) -> tuple[Block, list[tuple[str, Block]]]:
    given = block["input"] if isinstance(block["input"], str) else orjson.dumps(block["input"]).decode()
    deltas = [(CONTENT, {"type": "input_json_delta", "partial_json": each}) for each in pieces(given)]
    return block | {"input": {}}, [(FRAME, {"type": "input_json_delta", "partial_json": ""}), *deltas]


_BLOCKS = {"text": _text, "thinking": _thinking, "redacted_thinking": _redacted, "tool_use": _tool_use}


def padded(kind: str, name: str, fields: Mapping[str, Any]) -> StreamEvent:
    """An event as Anthropic sends it: with spaces before the last brace, as many as come out of its length."""
    document = orjson.dumps({"type": name, **fields})
    padding = b" " * (len(document) * 7 % _PADDING_MOST)
    return StreamEvent(kind, b"event: %b\ndata: %b%b}\n\n" % (name.encode(), document[:-1], padding))


def _frame(model: str, around: Surroundings) -> dict[str, Any]:
    return {
        "model": model,
        "id": f"msg_01{around.unique[-22:]}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _usage(made: Message) -> dict[str, Any]:
    spent = made.spent
    cached = {"ephemeral_5m_input_tokens": spent.written, "ephemeral_1h_input_tokens": spent.written_long}
    rest = {"cache_creation": cached, "service_tier": "standard", "inference_geo": "not_available"}
    return _usage_at_end(made) | rest


def _usage_at_end(made: Message) -> dict[str, Any]:
    told: dict[str, Any] = {
        "input_tokens": made.spent.plain,
        "cache_creation_input_tokens": made.spent.written + made.spent.written_long,
        "cache_read_input_tokens": made.spent.read,
        "output_tokens": made.output_tokens,
    }
    if made.thought_tokens:
        told["output_tokens_details"] = {"thinking_tokens": made.thought_tokens}
    return told
