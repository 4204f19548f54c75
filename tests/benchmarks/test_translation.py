"""The table of what translation costs: ratios to the same wire of the same dialect."""

from __future__ import annotations

from benchmarks.translation import LOADS, PAIRS, rows


def test_each_pair_stands_beside_its_own_dialects_same_wire() -> None:
    costs = {"chat": 100.0, "messages": 200.0, "responses": 400.0, "generateContent": 800.0}
    found = {load: {pair: costs[pair.dialect] * (1 if pair.same else 2) for pair in PAIRS} for load in LOADS}
    head, *table = rows(found)
    assert head == ["client", "provider", *LOADS]
    for pair, row in zip(PAIRS, table, strict=True):
        cell = f"{costs[pair.dialect]:.0f} µs" if pair.same else "2.00 x"
        assert row == [pair.dialect, pair.words, *[cell] * len(LOADS)]


def test_every_dialect_has_one_same_wire() -> None:
    assert sorted(pair.dialect for pair in PAIRS if pair.same) == ["chat", "generateContent", "messages", "responses"]
