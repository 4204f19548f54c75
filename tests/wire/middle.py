"""Decoding to the middle form in tests: any decoder, its bytes cut as wanted, what it gives made comparable."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from oneflow_ai.core.events import Decoder
from tests.wire.decoding import gathered, pieces, single_bytes


def decoded(decoder: Decoder, chunks: Sequence[bytes]) -> dict[str, Any]:
    """What a decoder makes of these chunks, as plain values."""
    return gathered(decoder, chunks, "stop_sequence", "answer_id")


def every_cut(make: Callable[[], Decoder], body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """What fresh decoders make of a body: whole, byte by byte, and cut in two at each place."""
    yield "whole", decoded(make(), [body])
    yield "byte by byte", decoded(make(), single_bytes(body))
    for cut in range(1, len(body)):
        yield f"cut at {cut}", decoded(make(), pieces(body, [cut]))
