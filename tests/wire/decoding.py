"""Decoding in tests: bytes cut as wanted, events made comparable."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from oneflow_ai.core.events import Delta, End, Event, Raw, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.providers.openai_stream import text_decoder


def pieces(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The body cut at these offsets."""
    places = [0, *sorted(cuts), len(body)]
    return [body[start:end] for start, end in pairwise(places)]


def single_bytes(body: bytes) -> list[bytes]:
    """The body byte by byte."""
    return [body[place : place + 1] for place in range(len(body))]


def decoded(chunks: Sequence[bytes], *, stream: bool, raw: bool, include_usage: bool = False) -> dict[str, Any]:
    """What a decoder makes of these chunks; it asserts that the sequence ends once, with its end."""
    decoder = text_decoder(stream=stream, raw=raw, include_usage=include_usage)
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
    events += decoder.close()
    parts = [event for event in events if isinstance(event, Raw)]
    usages = [event for event in events if isinstance(event, Usage)]
    ends = [event for event in events if isinstance(event, End)]
    assert ends == events[-1:]
    assert len(usages) <= 1
    return {
        "raw": b"".join(part.content for part in parts),
        "content_events": sum(part.content_events for part in parts),
        "deltas": [event for event in events if isinstance(event, Delta)],
        "usage": usages[0] if usages else None,
        "end": shown_end(ends[0]),
    }


def shown_end(end: End) -> dict[str, Any]:
    """An end as plain values."""
    return {
        "reason": end.reason,
        "model": end.model,
        "closing": end.chunk,
        "failure": None if end.failure is None else shown_failure(end.failure),
    }


def shown_failure(failure: Failure) -> dict[str, Any]:
    """What a client would be told of a failure."""
    return {"code": failure.code, "status": failure.status, "message": failure.message}
