"""Decoding in tests: bytes cut as wanted, events made comparable."""

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from oneflow_ai.core.events import Decoder, Delta, End, Event, Raw, Usage, Vector
from oneflow_ai.core.failure import Failure
from oneflow_ai.providers.openai_stream import text_decoder

RANDOM_CUTS = 200
SMALL_BYTES = 1_500


def pieces(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The body cut at these offsets."""
    places = [0, *sorted(cuts), len(body)]
    return [body[start:end] for start, end in pairwise(places)]


def single_bytes(body: bytes) -> list[bytes]:
    """The body byte by byte."""
    return [body[place : place + 1] for place in range(len(body))]


def cuts_of(body: bytes, name: str) -> list[list[bytes]]:
    """Ways to cut a body: byte by byte, about each event's end, at random, and at every place if it is small."""
    boundaries = [place + 2 for place in range(len(body)) if body.startswith(b"\n\n", place)]
    near = {place + shift for place in boundaries for shift in range(-2, 3)}
    seeded = random.Random(name)
    near |= {seeded.randrange(len(body)) for _ in range(RANDOM_CUTS)}
    if len(body) <= SMALL_BYTES:
        near |= set(range(len(body)))
    ways = [pieces(body, [cut]) for cut in sorted(near) if 0 < cut < len(body)]
    return [single_bytes(body), pieces(body, boundaries[:-1]), *ways]


def events_of(decoder: Decoder, chunks: Iterable[bytes]) -> list[Event]:
    """What a decoder gives for these chunks; it asserts that the sequence ends once, with its end."""
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
    events += decoder.close()
    assert [event for event in events if isinstance(event, End)] == events[-1:]
    return events


def gathered(decoder: Decoder, chunks: Iterable[bytes], *further: str) -> dict[str, Any]:
    """What a decoder makes of these chunks, as plain values; `further` fields of the end are shown too."""
    events = events_of(decoder, chunks)
    parts = [event for event in events if isinstance(event, Raw)]
    usages = [event for event in events if isinstance(event, Usage)]
    assert len(usages) <= 1
    end = events[-1]
    assert isinstance(end, End)
    return {
        "raw": b"".join(part.content for part in parts),
        "content_events": sum(part.content_events for part in parts),
        "deltas": [event for event in events if isinstance(event, Delta)],
        "vectors": [event for event in events if isinstance(event, Vector)],
        "usage": usages[0] if usages else None,
        "end": {
            "reason": end.reason,
            "model": end.model,
            "failure": None if end.failure is None else shown_failure(end.failure),
            **({} if end.reasons is None else {"reasons": {str(index): why for index, why in end.reasons.items()}}),
            **{name: getattr(end, name) for name in further},
        },
    }


def decoded(chunks: Sequence[bytes], *, stream: bool, raw: bool, include_usage: bool = False) -> dict[str, Any]:
    """What the decoder of OpenAI's wire makes of these chunks."""
    return gathered(text_decoder(stream=stream, raw=raw, include_usage=include_usage), chunks, "chunk")


def shown_failure(failure: Failure) -> dict[str, Any]:
    """What a client would be told of a failure."""
    return {"code": failure.code, "status": failure.status, "message": failure.message}
