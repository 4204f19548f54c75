"""Answers in Gemini's dialect: streams of events, whole answers, counts of tokens, and embeddings."""

from __future__ import annotations

from typing import Any

import orjson

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import Delta, End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.target import Target
from oneflow_ai.dialects.gemini_error import failure_body
from oneflow_ai.dialects.gemini_writer import CandidateWriter, Gathered, content, ended, reason_of, usage_object
from oneflow_ai.dialects.seam import seam

# An answer that ends for one of these, and says nothing, was refused as the prompt was read.
_BLOCKED = ("content_filter", "refusal")


class StreamEncoder:
    """Writes one stream: the provider's own bytes where it speaks this wire, else an event for what each delta brings.

    The last event has reasons and usage.
    """

    __slots__ = ("_call", "_frame", "_writers")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._frame = _frame(call, target.model)
        self._writers: dict[int, CandidateWriter] = {}

    def feed(self, event: Event) -> bytes:
        """Give the bytes that this event brings."""
        if type(event) is Raw:
            return event.content
        if type(event) is not Delta:
            return b""
        writer = self._writers.get(event.index)
        if writer is None:
            writer = self._writers[event.index] = CandidateWriter(_name(self._call, event.index))
        if event.kind == "continued":
            # Without content: it tells which model goes on.
            told = [{"content": content([]), "index": event.index}]
            return _event({"candidates": told, **self._frame, "oneflow": seam(event)})
        parts, beside = writer.write(event)
        if not parts and not beside:
            return b""
        said = {"content": content(parts)} if parts else {}
        return _event({"candidates": [{**said, "index": event.index, **beside}], **self._frame})

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The last event: the calls that waited, why each candidate ended, and what the answer used and cost."""
        cost = {"cost": usd_float(cost_nanos)}
        if end.chunk is not None:
            told = end.chunk.get("usageMetadata")
            known = told if isinstance(told, dict) and usage.source == "provider" else usage_object(usage)
            return _event({**end.chunk, "usageMetadata": {**known, **cost}})
        used = {"usageMetadata": {**usage_object(usage), **cost}, **self._frame}
        writers = self._writers
        if not writers and _is_blocked(end):
            return _event({**_refused(), **used})
        told = [
            {
                "content": content(writers[index].end() if index in writers else []),
                "finishReason": reason_of(end, index),
                "index": index,
            }
            for index in ended(end, writers)
        ]
        return _event({"candidates": told, **used})

    def failure(self, failure: Failure) -> bytes:
        """The event that ends a stream that broke: no candidate has ended."""
        return b"data: %b\r\n\r\n" % failure_body(failure, self._call.client_id or self._call.id)


class WholeEncoder:
    """Writes one whole answer: the provider's own bytes where it speaks this wire, else one made at its end."""

    __slots__ = ("_call", "_found", "_raw", "_target")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._found: dict[int, Gathered] = {}
        self._raw = False

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on; keep all else."""
        if type(event) is Raw:
            self._raw = True
            return event.content
        if type(event) is Delta:
            self._found.setdefault(event.index, Gathered(_name(self._call, event.index))).add(event)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The whole answer, unless it has gone out as it came; what it cost is told in a header."""
        del cost_nanos
        if self._raw:
            return b""
        told = {"usageMetadata": usage_object(usage), **_frame(self._call, end.model or self._target.model)}
        found = self._found
        if not found and _is_blocked(end):
            return orjson.dumps({**_refused(), **told})
        candidates = [
            (found.get(index) or Gathered("")).candidate(index, reason_of(end, index)) for index in ended(end, found)
        ]
        return orjson.dumps({"candidates": candidates, **told})

    def failure(self, failure: Failure) -> bytes:
        """The body of an error."""
        return failure_body(failure, self._call.client_id or self._call.id)


class CountEncoder:
    """Writes a count of tokens: the bytes of a provider of this wire as they are, else the number."""

    __slots__ = ("_raw",)

    def __init__(self) -> None:
        self._raw = False

    def feed(self, event: Event) -> bytes:
        """Pass the provider's bytes on."""
        if type(event) is not Raw:
            return b""
        self._raw = True
        return event.content

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """The count, where the provider speaks another wire."""
        del end, cost_nanos
        return b"" if self._raw else orjson.dumps({"totalTokens": usage.input_tokens})

    def failure(self, failure: Failure) -> bytes:
        """The body of an error."""
        return failure_body(failure)


class VectorEncoder:
    """Writes embeddings: those of a batch, or the only one."""

    __slots__ = ("_alone", "_vectors")

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._vectors: list[Vector] = []

    def feed(self, event: Event) -> bytes:
        """Keep vectors until the end."""
        if type(event) is Vector:
            self._vectors.append(event)
        return b""

    def end(self, end: End, usage: Usage, cost_nanos: int) -> bytes:
        """All vectors in the order of their contents; what they cost is told in a header."""
        del end, cost_nanos
        ordered = sorted(self._vectors, key=lambda vector: vector.index)
        values = [{"values": list(vector.values)} for vector in ordered]
        told: dict[str, Any] = {"embedding": values[0]} if self._alone and values else {"embeddings": values}
        return orjson.dumps({**told, "usageMetadata": {"promptTokenCount": usage.input_tokens}})

    def failure(self, failure: Failure) -> bytes:
        """The body of an error."""
        return failure_body(failure)


def _event(event: dict[str, Any]) -> bytes:
    return b"data: %b\r\n\r\n" % orjson.dumps(event)


def _name(call: Call, index: int) -> str:
    return f"call_{call.id.removeprefix('req_')}_{index}"


def _frame(call: Call, model: str) -> dict[str, Any]:
    return {"modelVersion": model, "responseId": call.id.removeprefix("req_")}


def _is_blocked(end: End) -> bool:
    """Whether an answer that says nothing was refused, in all that was asked for."""
    return all(reason in _BLOCKED for reason in (end.reasons or {0: end.reason}).values())


def _refused() -> dict[str, Any]:
    return {"promptFeedback": {"blockReason": "SAFETY"}}
