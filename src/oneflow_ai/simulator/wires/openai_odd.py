"""Chat answers of OpenAI's wire that are well formed and yet unusual: what fault F48 plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from oneflow_ai.simulator.answer import CONTENT, Answer, StreamEvent
from oneflow_ai.simulator.wires.openai_chat import ToolCall, call_events
from oneflow_ai.simulator.wires.openai_shapes import (
    Asked,
    ChunkShape,
    chat_frame,
    chunk_shape,
    finish,
    start,
    streamed,
    usage,
)
from oneflow_ai.simulator.wires.wire import Surroundings

_SPENT = usage(20, 30)
_TEXT = "This is a simulated answer of an unusual form."

Events = list[StreamEvent]
Message = dict[str, Any]


def odd(kind: str, document: dict[str, Any], around: Surroundings, count: int) -> Answer:
    """An answer of the asked kind, as a stream when the request wants one."""
    asked = Asked(str(document["model"]), bool(document["stream"]), True, 1, 0, ())
    if asked.stream:
        frame = chat_frame(asked.model, around, "chat.completion.chunk")
        return streamed(frame, _STREAMS[kind](chunk_shape(frame, True), count), _SPENT, asked)
    body = chat_frame(asked.model, around, "chat.completion")
    return Answer(body=orjson.dumps(body | {"choices": _WHOLES[kind](count), "usage": _SPENT}), output_tokens=30)


def _call(number: int, arguments: str) -> ToolCall:
    return ToolCall(f"call_simulated{number}", "function", f"tool_{number}", arguments)


# ---- streams


def _unclosed_stream(shape: ChunkShape, count: int) -> Events:
    return [*call_events(shape, 0, (_call(0, '{"city":"Par'),)), finish(shape, 0, "tool_calls")]


def _many_stream(shape: ChunkShape, count: int) -> Events:
    calls = tuple([_call(number, "{}") for number in range(count)])
    return [*call_events(shape, 0, calls), finish(shape, 0, "tool_calls")]


def _gaps_stream(shape: ChunkShape, count: int) -> Events:
    events = []
    for index in (0, 2, 5):
        call = _call(index, "").as_json() | {"index": index}
        events.append(shape.delta(CONTENT, 0, orjson.dumps({"tool_calls": [call]})))
        arguments = {"index": index, "function": {"arguments": "{}"}}
        events.append(shape.delta(CONTENT, 0, orjson.dumps({"tool_calls": [arguments]})))
    return [start(shape, 0), *events, finish(shape, 0, "tool_calls")]


def _no_role_stream(shape: ChunkShape, count: int) -> Events:
    return [*shape.texts(0, [_TEXT]), finish(shape, 0, "stop")]


def _no_choices_stream(shape: ChunkShape, count: int) -> Events:
    empty = StreamEvent("start", shape.before.rpartition(b"[")[0] + b'[],"usage":null}\n\n')
    return [empty, empty]


def _interleaved_stream(shape: ChunkShape, count: int) -> Events:
    first, second = shape.texts(0, ["first ", "answer"]), shape.texts(1, ["second ", "answer"])
    begun = [start(shape, 1), second[0], start(shape, 0), first[0]]
    return [*begun, second[1], finish(shape, 1, "stop"), first[1], finish(shape, 0, "stop")]


def _reasoning_stream(shape: ChunkShape, count: int) -> Events:
    thoughts = [shape.delta(CONTENT, 0, orjson.dumps({"reasoning_content": word})) for word in ("Let me ", "think.")]
    return [start(shape, 0), *thoughts, finish(shape, 0, "stop")]


def _refusal_stream(shape: ChunkShape, count: int) -> Events:
    words = [shape.delta(CONTENT, 0, orjson.dumps({"refusal": word})) for word in ("I cannot ", "do that.")]
    return [start(shape, 0), *words, finish(shape, 0, "stop")]


_STREAMS: Mapping[str, Callable[[ChunkShape, int], Events]] = {
    "unclosed": _unclosed_stream,
    "many": _many_stream,
    "gaps": _gaps_stream,
    "norole": _no_role_stream,
    "nochoices": _no_choices_stream,
    "interleaved": _interleaved_stream,
    "reasoning": _reasoning_stream,
    "refusal": _refusal_stream,
}


# ---- whole answers


def _listed(message: Message, why: str, index: int = 0) -> dict[str, Any]:
    return {"index": index, "message": message, "logprobs": None, "finish_reason": why}


def _calling(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_listed({"role": "assistant", "content": None, "refusal": None, "tool_calls": calls}, "tool_calls")]


def _saying(text: str | None, **fields: Any) -> Message:
    return {"role": "assistant", "content": text, "refusal": None, **fields}


_WHOLES: Mapping[str, Callable[[int], list[dict[str, Any]]]] = {
    "unclosed": lambda count: _calling([_call(0, '{"city":"Par').as_json()]),
    "many": lambda count: _calling([_call(number, "{}").as_json() for number in range(count)]),
    "gaps": lambda count: _calling([_call(index, "{}").as_json() | {"index": index} for index in (0, 2, 5)]),
    "norole": lambda count: [_listed({"content": _TEXT, "refusal": None}, "stop")],
    "nochoices": lambda count: [],
    "interleaved": lambda count: [
        _listed(_saying("second answer"), "stop", 1),
        _listed(_saying("first answer"), "stop"),
    ],
    "reasoning": lambda count: [_listed(_saying(None, reasoning_content="Let me think."), "stop")],
    "refusal": lambda count: [_listed(_saying(None) | {"refusal": "I cannot do that."}, "stop")],
}

ODD_KINDS = tuple(_STREAMS)
"""The forms there are."""
