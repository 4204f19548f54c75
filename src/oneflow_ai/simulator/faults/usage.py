"""Faults of what an answer says about itself: its usage, its model, whose answer it is, its form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from oneflow_ai.simulator.faults.fault import Scene
from oneflow_ai.simulator.steps import Steps
from oneflow_ai.simulator.wires.wire import DROPPED

COUNTS = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens"),
    *("promptTokenCount", "candidatesTokenCount", "totalTokenCount", "inputTokens", "outputTokens", "totalTokens"),
)
"""The names of the counts in the wires' usage."""

_SUMS = ("total_tokens", "totalTokenCount", "totalTokens", "cache_creation_input_tokens")

HUGE = 1_000_000_000
BEYOND = 2**53 + 1


def missing(scene: Scene) -> Steps:
    """Leave the usage out, send it as null, or only in headers."""
    kind = scene.fault.text("kind")
    answer = scene.wire.with_usage(scene.answer, lambda usage: None if kind == "null" else DROPPED)
    if kind == "headers":
        told = (("x-usage-input-tokens", answer.input_tokens), ("x-usage-output-tokens", answer.output_tokens))
        answer = replace(answer, headers=(*answer.headers, *[(name, str(count)) for name, count in told]))
    yield scene.usual(answer)


def _each(change: Callable[[int], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda usage: usage | {name: change(usage[name]) for name in COUNTS if name in usage}


def _mismatch(usage: dict[str, Any]) -> dict[str, Any]:
    """A sum that is not the sum of its parts; where the usage tells none, a total that it should not have."""
    name = next((each for each in _SUMS if each in usage), _SUMS[0])
    return usage | {name: usage.get(name, 0) + 1_000}


ODD_USAGES: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "negative": _each(lambda count: -count),
    "float": _each(lambda count: count + 0.5),
    "string": _each(str),
    "huge": _each(lambda count: HUGE),
    "beyond": _each(lambda count: BEYOND),
    "mismatch": _mismatch,
    "changing": _each(lambda count: count + 10),
    "zero": _each(lambda count: 0),
}


def odd(scene: Scene) -> Steps:
    """Send a usage that cannot be right, or two that differ (in a whole answer: one whose total is not the sum)."""
    kind = scene.fault.text("usage")
    if kind == "changing" and scene.answer.events is not None:
        yield scene.usual(scene.wire.with_two_usages(scene.answer, ODD_USAGES[kind]))
        return
    yield scene.usual(scene.wire.with_usage(scene.answer, _mismatch if kind == "changing" else ODD_USAGES[kind]))


def other_model(scene: Scene) -> Steps:
    """Answer as another model than the one asked."""
    yield scene.usual(scene.wire.with_model(scene.answer, scene.fault.text("model")))


def cross_talk(scene: Scene) -> Steps:
    """Give the answer to somebody else's question, with somebody else's nonce."""
    common = tuple([each for each in scene.common if each[0] != "x-request-nonce"])
    others = replace(scene, common=(*common, ("x-request-nonce", "of-somebody-else")))
    streamed = scene.answer.events is not None
    yield others.usual(scene.wire.sample("somebody-elses-model", streamed, scene.around))


def odd_form(scene: Scene) -> Steps | None:
    """Answer in a form that is allowed, or nearly, and rare; not where the wire has nothing of the kind."""
    kind, model = scene.fault.text("kind"), scene.wire.model(scene.request)
    streamed = scene.answer.events is not None
    answer = scene.wire.odd(kind, model, streamed, scene.around, scene.fault.count("count"))
    return iter((scene.usual(answer),)) if answer is not None else None
