"""The cells of the benchmark: what is asked, over how many connections; and how long each is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.questions import STREAM_CHUNKS, Question

NO_COUNT = 1_000_000_000
_SHORT_BYTES = 1_000
_LONG_BYTES = 100_000
_GAP_MILLISECONDS = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of load, in words and in figures."""

    words: str
    question: Question
    connections: int


CELLS: Mapping[str, Cell] = {
    "c1": Cell("1 KB prompt, 1 connection", Question(_SHORT_BYTES), 1),
    "c64": Cell("1 KB prompt, 64 connections", Question(_SHORT_BYTES), 64),
    "c256": Cell("1 KB prompt, 256 connections", Question(_SHORT_BYTES), 256),
    "big16": Cell("100 KB prompt, 16 connections", Question(_LONG_BYTES), 16),
    "burst64": Cell(f"stream of {STREAM_CHUNKS}, at once, 64 connections", Question(_SHORT_BYTES, stream=True), 64),
    "paced64": Cell(
        f"stream of {STREAM_CHUNKS}, {_GAP_MILLISECONDS} ms apart, 64 connections",
        Question(_SHORT_BYTES, stream=True, gap_milliseconds=_GAP_MILLISECONDS),
        64,
    ),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured.

    Each cell runs `warm_seconds` before its `seconds` count, or until `requests_most` were asked in all; `rest_seconds`
    pass between two gateways, so that what the first still writes is not the second's. Memory is read `idle_seconds`
    after the start.
    """

    rounds: int = 5
    warm_seconds: float = 1.0
    seconds: float = 4.0
    requests_most: int = NO_COUNT
    rest_seconds: float = 1.0
    idle_seconds: float = 10.0
    import_runs: int = 5


QUICK = Scale(rounds=1, warm_seconds=0.4, seconds=1.5, rest_seconds=0.6, idle_seconds=2.0, import_runs=3)
FULL = Scale()
