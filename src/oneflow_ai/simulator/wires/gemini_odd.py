"""Answers of Gemini's wire that are well formed, or nearly, and yet unusual: what fault F48 plays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.wires.events import Document, edited
from oneflow_ai.simulator.wires.gemini_answer import Candidate, Made, Part, Used, streamed, whole
from oneflow_ai.simulator.wires.wire import Surroundings

_TEXT = "This is a simulated answer of an unusual form."
Candidates = list[Candidate]


def odd(kind: str, model: str, stream: bool, around: Surroundings, count: int) -> Answer | None:
    """An answer of the asked kind, whole or as a stream; None where calls have no places that could have gaps."""
    make = _CANDIDATES.get(kind)
    if make is None:
        return None
    made = Made(model, tuple(make(count)), Used(20, 0, 30, 0))
    answer = streamed(made, around) if stream else whole(made, around)
    if kind != "norole":
        return answer
    if answer.events is None:
        return replace(answer, body=orjson.dumps(_without_role(orjson.loads(answer.body))))
    return replace(answer, events=tuple([edited(each, _without_role) for each in answer.events]))


def _said(*parts: Part, reason: str = "STOP", number: int = 0) -> Candidate:
    return Candidate(parts, reason, number)


def _called(number: int) -> Part:
    return {"functionCall": {"name": f"tool_{number}", "args": {}}}


_CANDIDATES: Mapping[str, Callable[[int], Candidates]] = {
    "unclosed": lambda count: [_said({"functionCall": {"name": "tool_0", "args": '{"city":"Par'}})],
    "many": lambda count: [_said(*[_called(number) for number in range(count)])],
    "norole": lambda count: [_said({"text": _TEXT})],
    "nochoices": lambda count: [],
    "interleaved": lambda count: [_said({"text": "second answer"}, number=1), _said({"text": "first answer"})],
    "reasoning": lambda count: [_said({"text": "Let me think.", "thought": True})],
    "refusal": lambda count: [_said(reason="SAFETY")],
}


def _without_role(document: Document) -> Document:
    for candidate in document["candidates"]:
        candidate["content"].pop("role", None)
    return document
