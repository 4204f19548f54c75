"""The process's memory, and what it may use."""

from __future__ import annotations

from pathlib import Path

from oneflow_ai.telemetry.memory import memory_most_bytes, resident_bytes


def test_what_is_held_shows() -> None:
    before = resident_bytes()
    held = bytearray(64 << 20)
    held[:: 1 << 12] = b"x" * (len(held) >> 12)
    assert 32 << 20 < resident_bytes() - before < 128 << 20


def test_a_containers_limit_counts_where_it_is_less(tmp_path: Path) -> None:
    less, more, none, nought = (tmp_path / name for name in ("less", "more", "none", "nought"))
    less.write_text("134217728\n")
    more.write_text(f"{1 << 62}\n")
    none.write_text("max\n")
    nought.write_text("0\n")
    machine = memory_most_bytes(())
    assert machine > 1 << 28
    assert memory_most_bytes((none, tmp_path / "missing", more, nought)) == machine
    assert memory_most_bytes((none, less)) == 1 << 27
