"""Answers of Gemini's wire, whole and streamed, as recorded (checked 2026-11-26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.answer import CONTENT, FINISH, Answer, StreamEvent
from oneflow_ai.simulator.reply import LENGTH, Reply
from oneflow_ai.simulator.seals import seal
from oneflow_ai.simulator.text import pieces
from oneflow_ai.simulator.wires.gemini_reading import WIRE, generation
from oneflow_ai.simulator.wires.wire import Surroundings

JSON_TYPE = "application/json; charset=UTF-8"
_STREAM_TYPE = "text/event-stream"
Part = dict[str, Any]
Chunk = tuple[str, list[Part], str | None]
"""A piece of a candidate: its kind, its parts, why it ended."""


class Candidate(NamedTuple):
    """One of the answers: its parts, why it ended, its number, what is told at its end of where it comes from."""

    parts: tuple[Part, ...]
    reason: str
    number: int = 0
    beside: Mapping[str, Any] = MappingProxyType({})


class Used(NamedTuple):
    """The tokens of an answer: of the prompt, of that from the cache, of candidates, of thoughts, of what was found."""

    prompt: int
    cached: int
    said: int
    thought: int
    found: int = 0


class Made(NamedTuple):
    """An answer before it has its form. `as_array` streams it as a JSON array, not as events."""

    model: str
    candidates: tuple[Candidate, ...]
    used: Used
    as_array: bool = False


def candidate(said: Reply, model: str, shown: bool, place: tuple[int, str]) -> Candidate:
    """The candidate that says a reply; `place` is its number and a name nobody has yet."""
    number, unique = place
    seals = bool(said.thought) or generation(model) >= (3, 0)
    parts: list[Part] = [{"text": said.thought, "thought": True}] if said.thought and shown else []
    if said.text:
        parts.append({"text": said.text} | ({"thoughtSignature": seal(WIRE, "")} if seals else {}))
    for at, each in enumerate(said.calls):
        called: Part = {"name": each.name, "args": orjson.loads(each.arguments)}
        if generation(model) >= (3, 0):
            called = {"id": f"{unique}{number}{at}"[-16:], **called}
        # of calls side by side only the first is sealed
        sealed = {"thoughtSignature": seal(WIRE, each.name)} if seals and at == 0 else {}
        parts.append({"functionCall": called} | sealed)
    return Candidate(tuple(parts), "MAX_TOKENS" if said.finish == LENGTH else "STOP", number)


def searched(said: Candidate, query: str) -> Candidate:
    """The same after a search for a query: the page that was found, and the first text that rests on it."""
    text = next((part["text"] for part in said.parts if "text" in part and not part.get("thought")), "")
    segment = {"startIndex": 0, "endIndex": len(text.encode()), "text": text}
    grounding = {
        "webSearchQueries": [query],
        "searchEntryPoint": {"renderedContent": "<div>simulated</div>"},
        "groundingChunks": [{"web": {"uri": "https://example.com/simulated", "title": "example.com"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    return said._replace(beside={"groundingMetadata": grounding})


def whole(made: Made, around: Surroundings) -> Answer:
    """The answer in one piece."""
    listed = [_candidate(each, list(each.parts), each.reason) for each in made.candidates]
    body = orjson.dumps(_frame(made, listed, around, made.used), option=orjson.OPT_INDENT_2)
    return _answer(made, body=body)


def streamed(made: Made, around: Surroundings) -> Answer:
    """The answer in pieces, several candidates side by side."""
    rows = [[(each, chunk) for chunk in _chunks(each)] for each in made.candidates]
    rounds = [one for row in zip_longest(*rows) for one in row if one is not None]
    return as_stream([(kind, _candidate(each, parts, reason)) for each, (kind, parts, reason) in rounds], made, around)


def as_stream(told: Sequence[tuple[str, Part]], made: Made, around: Surroundings) -> Answer:
    """A stream of these pieces, one at least; each tells the usage so far, the last one all of it."""
    events: list[StreamEvent] = []
    for place, (kind, piece) in enumerate(told or [(FINISH, {})]):
        last = place >= len(told) - 1
        used = made.used if last else made.used._replace(said=0)
        document = orjson.dumps(_frame(made, [piece] if piece else [], around, used))
        events.append(StreamEvent(kind, _framed(document, place, last, made.as_array)))
    return _answer(made, events=tuple(events))


def _framed(document: bytes, place: int, last: bool, as_array: bool) -> bytes:
    if not as_array:
        return b"data: %b\r\n\r\n" % document
    return (b",\r\n" if place else b"[") + document + (b"\n]\n" if last else b"")


def _answer(made: Made, body: bytes = b"", events: tuple[StreamEvent, ...] | None = None) -> Answer:
    as_events = events is not None and not made.as_array
    return Answer(
        body=body,
        events=events,
        media_type=_STREAM_TYPE if as_events else JSON_TYPE,
        input_tokens=made.used.prompt + made.used.found,
        output_tokens=made.used.said + made.used.thought,
    )


def _chunks(made: Candidate) -> list[Chunk]:
    """The pieces of one candidate: a token of text or a call each, the last one with the reason and the seal."""
    found: list[Chunk] = []
    sealed: list[Part] = [{"text": ""}]
    for part in made.parts:
        if "functionCall" in part:
            found.append((CONTENT, [part], None))
            continue
        rest = {name: value for name, value in part.items() if name == "thought"}
        found += [(CONTENT, [{"text": each, **rest}], None) for each in pieces(part["text"]) if each]
        if "thoughtSignature" in part:
            sealed = [{"text": "", "thoughtSignature": part["thoughtSignature"]}]
    return [*found, (FINISH, sealed, made.reason)]


def _candidate(made: Candidate, parts: list[Part], reason: str | None) -> dict[str, Any]:
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    told: dict[str, Any] = {"content": content}
    told |= {"finishReason": reason, **made.beside} if reason else {}
    return told | {"index": made.number}


def _frame(made: Made, candidates: list[dict[str, Any]], around: Surroundings, used: Used) -> dict[str, Any]:
    return {
        "candidates": candidates,
        "usageMetadata": _usage(used),
        "modelVersion": made.model,
        "responseId": around.unique[-23:],
    }


def _usage(used: Used) -> dict[str, Any]:
    """What was used; as ever on this wire a zero is not told."""
    counts = {
        "promptTokenCount": used.prompt,
        "candidatesTokenCount": used.said,
        "totalTokenCount": used.prompt + used.said + used.thought + used.found,
        "cachedContentTokenCount": used.cached,
        "thoughtsTokenCount": used.thought,
        "toolUsePromptTokenCount": used.found,
    }
    told: dict[str, Any] = {name: count for name, count in counts.items() if count}
    told["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": used.prompt}]
    if used.cached:
        told["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": used.cached}]
    return told | {"serviceTier": "standard"}


def empty_event() -> bytes:
    """A piece without anything new in it."""
    piece = {"candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0}]}
    return b"data: %b\r\n\r\n" % orjson.dumps(piece)
