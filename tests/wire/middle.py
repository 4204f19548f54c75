"""Decoding to the middle form in tests: any decoder, its bytes cut as wanted, what it gives made comparable."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from oneflow_ai.core.events import Decoder, Delta, End, Event, Usage, Vector
from tests.wire.decoding import pieces, shown_failure, single_bytes


def events_of(decoder: Decoder, chunks: Sequence[bytes]) -> list[Event]:
    """What a decoder gives for these chunks; it asserts that the sequence ends once, with its end."""
    events: list[Event] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
    events += decoder.close()
    assert [event for event in events if isinstance(event, End)] == events[-1:]
    return events


def decoded(decoder: Decoder, chunks: Sequence[bytes]) -> dict[str, Any]:
    """What a decoder makes of these chunks, as plain values."""
    events = events_of(decoder, chunks)
    usages = [event for event in events if isinstance(event, Usage)]
    assert len(usages) <= 1
    end = events[-1]
    assert isinstance(end, End)
    return {
        "deltas": [event for event in events if isinstance(event, Delta)],
        "vectors": [event for event in events if isinstance(event, Vector)],
        "usage": usages[0] if usages else None,
        "end": {
            "reason": end.reason,
            "model": end.model,
            "stop_sequence": end.stop_sequence,
            "answer_id": end.answer_id,
            "failure": None if end.failure is None else shown_failure(end.failure),
        },
    }


def every_cut(make: Callable[[], Decoder], body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """What fresh decoders make of a body: whole, byte by byte, and cut in two at each place."""
    yield "whole", decoded(make(), [body])
    yield "byte by byte", decoded(make(), single_bytes(body))
    for cut in range(1, len(body)):
        yield f"cut at {cut}", decoded(make(), pieces(body, [cut]))
