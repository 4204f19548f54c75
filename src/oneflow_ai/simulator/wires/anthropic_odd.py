"""Messages of Anthropic's wire that are well formed, or nearly, and yet unusual: what fault F48 plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain

from oneflow_ai.simulator.answer import START, Answer, StreamEvent
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.wires.anthropic_answer import (
    Block,
    Message,
    as_stream,
    block_events,
    delta_event,
    padded,
    stop_event,
    tool_use,
    whole,
)
from oneflow_ai.simulator.wires.anthropic_reading import Spent
from oneflow_ai.simulator.wires.anthropic_rules import WIRE
from oneflow_ai.simulator.wires.events import Document, edited
from oneflow_ai.simulator.wires.wire import Surroundings

_TEXT = "This is a simulated answer of an unusual form."
_CALLS, _END = "tool_use", "end_turn"
_GAPS = (0, 2, 5)
_UNCLOSED = '{"city":"Par'


def odd(kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer:
    """An answer of the asked kind, whole or as a stream."""
    blocks, reason = _BLOCKS[kind](count)
    made = Message(model, tuple(blocks), reason, None, Spent(20), 30)
    if not stream:
        answer = whole(made, around)
        return answer if kind != "norole" else replace(answer, body=answer.body.replace(b'"role":"assistant",', b""))
    answer = as_stream(_EVENTS.get(kind, _in_order)(made.blocks), made, around)
    if kind != "norole" or answer.events is None:
        return answer
    first, *rest = answer.events
    return replace(answer, events=(edited(first, _without_role), *rest))


def _without_role(document: Document) -> Document:
    document["message"].pop("role")
    return document


def _say(text: str = _TEXT) -> Block:
    return {"type": "text", "text": text}


def _called(number: int) -> Block:
    return tool_use(f"odd{number:08}", f"tool_{number}", {})


def _thought() -> Block:
    return {"type": "thinking", "thinking": "Let me think.", "signature": seal(WIRE, "Let me think.")}


_BLOCKS: Mapping[str, Callable[[int], tuple[list[Block], str]]] = {
    "unclosed": lambda count: ([_called(0) | {"input": _UNCLOSED}], _CALLS),
    "many": lambda count: ([_called(number) for number in range(count)], _CALLS),
    "gaps": lambda count: ([_called(number) for number in _GAPS], _CALLS),
    "norole": lambda count: ([_say()], _END),
    "nochoices": lambda count: ([], _END),
    "interleaved": lambda count: ([_say("first answer"), _say("second answer")], _END),
    "reasoning": lambda count: ([_thought()], _END),
    "refusal": lambda count: ([_say("I can ")], "refusal"),
}


# ---- streams


def _in_order(blocks: tuple[Block, ...]) -> list[StreamEvent]:
    return list(chain.from_iterable([block_events(place, block) for place, block in enumerate(blocks)]))


def _with_gaps(blocks: tuple[Block, ...]) -> list[StreamEvent]:
    return list(chain.from_iterable([block_events(*each) for each in zip(_GAPS, blocks, strict=True)]))


def _interleaved(blocks: tuple[Block, ...]) -> list[StreamEvent]:
    """Two blocks open at a time, the second one first."""
    opened = [padded(START, "content_block_start", {"index": at, "content_block": _say("")}) for at in (1, 0)]
    deltas = [delta_event(at, {"type": "text_delta", "text": blocks[at]["text"][part]}) for part, at in _TURNS]
    return [*opened, *deltas, stop_event(1), stop_event(0)]


_TURNS = ((slice(0, 6), 1), (slice(0, 6), 0), (slice(6, None), 1), (slice(6, None), 0))
_EVENTS: Mapping[str, Callable[[tuple[Block, ...]], list[StreamEvent]]] = {
    "gaps": _with_gaps,
    "interleaved": _interleaved,
}
