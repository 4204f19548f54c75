"""Responses of OpenAI's wire that are well formed, or nearly, and yet unusual: what fault F48 plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain, zip_longest
from typing import Any

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.wires.responses_answer import (
    COMPLETED,
    Item,
    Made,
    Told,
    as_stream,
    call,
    item_events,
    message,
    reasoning,
    usage,
    whole,
)
from oneflow_ai.simulator.wires.wire import Surroundings

_TEXT = "This is a simulated answer of an unusual form."
_GAPS = (0, 2, 5)
Placed = list[tuple[int, Item]]


def odd(kind: str, document: dict[str, Any], around: Surroundings, count: int) -> Answer:
    """An answer of the asked kind, as a stream when the request wants one."""
    items = _ITEMS[kind](count)
    made = Made(document, tuple(items), COMPLETED, usage(20, 30))
    if not document["stream"]:
        return whole(made, around)
    events = [list(item_events(*each)) for each in items]
    in_order = _interleaved if kind == "interleaved" else _one_by_one
    return as_stream(in_order(events), made, around)


def _one_by_one(events: list[list[Told]]) -> list[Told]:
    return list(chain.from_iterable(events))


def _interleaved(events: list[list[Told]]) -> list[Told]:
    rounds = zip_longest(*reversed(events))
    return [each for several in rounds for each in several if each is not None]


def _called(number: int, given: str = "{}") -> Item:
    return call("function", f"tool_{number}", given, f"odd{number:08}")


def _without_role(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "role"}


_ITEMS: Mapping[str, Callable[[int], Placed]] = {
    "unclosed": lambda count: [(0, _called(0, '{"city":"Par'))],
    "many": lambda count: [(number, _called(number)) for number in range(count)],
    "gaps": lambda count: [(number, _called(number)) for number in _GAPS],
    "norole": lambda count: [(0, _without_role(message(_TEXT, "odd")))],
    "nochoices": lambda count: [],
    "interleaved": lambda count: [(0, message("first answer", "odd0")), (1, message("second answer", "odd1"))],
    "reasoning": lambda count: [(0, reasoning("Let me think.", "odd", shown=True))],
    "refusal": lambda count: [(0, message("I cannot do that.", "odd", refusal=True))],
}
