"""Lines reach their stream in order; a reader that stalls or goes away costs lines, never time."""

import io
import os
import threading
import time

import pytest

from oneflow_ai.telemetry.lines import LINE_BYTES_MOST, LineWriter


def test_lines_are_written_in_order_from_any_thread() -> None:
    stream = io.BytesIO()
    lines = LineWriter(stream)

    def write(name: bytes) -> None:
        for n in range(500):
            lines.write(b"%s %d" % (name, n))

    threads = [threading.Thread(target=write, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.close()
    written = stream.getvalue().splitlines()
    for name in (b"a", b"b", b"c"):
        assert [line for line in written if line.startswith(name)] == [b"%s %d" % (name, n) for n in range(500)]
    assert lines.dropped == 0


def test_a_line_is_cut_where_it_is_too_long() -> None:
    stream = io.BytesIO()
    lines = LineWriter(stream)
    lines.write(b"x" * 1_000_000)
    lines.close()
    assert stream.getvalue() == b"x" * LINE_BYTES_MOST + b"\n"


def test_a_reader_that_stalls_costs_lines_and_no_time() -> None:
    read_end, write_end = os.pipe()
    stream = os.fdopen(write_end, "wb", buffering=0)
    lines = LineWriter(stream, lines_most=100)
    began = time.monotonic()
    for _ in range(5_000):
        lines.write(b"x" * 4_000)
    lines.close(within_seconds=0.05)
    assert time.monotonic() - began < 5
    assert lines.dropped > 0
    os.close(read_end)
    lines.close()
    stream.close()


@pytest.mark.parametrize("closed_by", ["reader", "writer"])
def test_a_stream_that_is_gone_is_given_up(closed_by: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    stream = os.fdopen(write_end, "wb", buffering=0)
    if closed_by == "writer":
        stream.close()
    lines = LineWriter(stream)
    lines.write(b"one")
    lines.close()
    lines.write(b"two")
    assert lines.dropped == 2
    stream.close()


def test_closing_twice_or_unused_is_harmless() -> None:
    lines = LineWriter(io.BytesIO())
    lines.close()
    lines.close()
