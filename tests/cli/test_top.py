"""`oneflow top`: what the providers do, as it happens."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from rich.console import Console

from oneflow_ai.cli.dashboard import COLUMNS, Board, Look, Row, about_server, rows_of
from oneflow_ai.simulator import ThreadedSimulator
from tests.cli.place import SECONDS_MOST, Place, ended, lines, serving

ONE = Row("one", "available", 10, 1, 0.9, 0.5, 0.25, "upstream_timeout: no answer\nin 30 s")
TWO = Row("two", "unavailable", 4, 0, 1.0, 2.0, 1.5, "")
NEVER = Row("new", "unconfigured", 0, 0, None, 0.0, 0.0, "")
LOOK = Look((ONE, TWO, NEVER), "here", 100.0)


def shown(board: Board, *, columns: int = 100, live: bool = False) -> list[str]:
    console = Console(width=columns, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(board.screen(live=live))
    return [line.rstrip() for line in capture.get().splitlines()]


def names(board: Board) -> list[str]:
    return [line.split()[0] for line in shown(board) if line.split()[:1] and line.split()[0] in ("one", "two", "new")]


def test_totals_figures_and_last_errors_are_shown() -> None:
    board = Board()
    board.take(LOOK)
    text = shown(board)
    assert text[:2] == ["here", "14 requests · 92.9% success · $1.7500"]
    (row,) = (line for line in text if line.startswith("one "))
    assert row.split() == ["one", "available", "10", "1", "90.0%", "0.50", "s", "$0.2500"]
    (row,) = (line for line in text if line.startswith("new"))
    assert row.split() == ["new", "unconfigured", "0", "0", "-", "-", "$0.0000"]
    assert text[-2:] == ["last errors", "one: upstream_timeout: no answer in 30 s"]


def test_two_looks_tell_how_fast_requests_come() -> None:
    board = Board()
    board.take(LOOK)
    assert board.rate is None
    board.take(replace(LOOK, rows=(replace(ONE, requests=30), TWO), at_seconds=104.0))
    assert board.rate == pytest.approx(5.0)
    board.take(replace(LOOK, rows=(NEVER,), at_seconds=105.0))
    assert board.rate is None


def test_keys_sort_reverse_pause_and_end() -> None:
    board = Board()
    board.take(LOOK)
    assert names(board)[:3] == ["one", "two", "new"]
    orders = {}
    for _ in COLUMNS:
        assert board.press("s")
        orders[COLUMNS[board.sort][0]] = names(board)[:3]
    assert orders["cost"] == ["two", "one", "new"]
    assert orders["time"] == ["two", "one", "new"]
    assert orders["provider"] == ["new", "one", "two"]
    assert board.press("r")
    assert names(board)[:3] == ["new", "two", "one"]
    assert board.press("p")
    assert shown(board, live=True)[-1].startswith("PAUSED")
    assert board.press(" ")
    assert shown(board, live=True)[-1].startswith("q quit")
    assert not any(board.press(key) for key in "qQ\x03\x04")


def test_a_narrow_screen_and_a_name_with_steering_characters_do_no_harm() -> None:
    board = Board()
    board.take(Look((replace(ONE, name="a\x1b[2J", last_error="x" * 500),), "here", 0.0))
    text = shown(board, columns=40)
    assert all(len(line) <= 40 for line in text)
    assert "\x1b[2J" not in "\n".join(text)


def test_a_server_that_is_gone_is_told_and_the_figures_stay() -> None:
    board = Board()
    board.take(LOOK)
    board.trouble = "no server answers"
    assert "no server answers" in shown(board)
    assert "here" in shown(board)
    board.take(LOOK)
    assert "no server answers" not in shown(board)


def test_without_a_terminal_it_prints_once(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    assert place.run("ask", "Hi").exit_code == 0
    (row,) = (one for one in place.json("top")["providers"] if one["name"] == "sim")
    assert (row["requests"], row["failed"], row["success"], row["status"]) == (1, 0, 1.0, "available")
    text = lines(place.run("top").stdout)
    assert text[0].startswith("the history of calls")
    assert any(line.startswith("sim ") for line in text)


def test_a_server_tells_its_own_figures(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    with serving(place) as announced:
        place.run("ask", "Hi", "--server", announced["url"])
        told = place.json("top", "--server", announced["url"])
    assert re.fullmatch(rf"OneFlow \S+ · {announced['url']} · normal · up [\d.]+ s · 0 in flight", told["about"])
    (row,) = (one for one in told["providers"] if one["name"] == "sim")
    assert (row["requests"], row["success"]) == (1, 1.0)
    gone = place.run("top", "--server", announced["url"])
    assert gone.exit_code == 1
    assert "no server answers" in gone.stderr


def test_figures_written_for_people_are_read_back() -> None:
    metrics = {
        "total_requests": 8, "failed_requests": 2, "success_rate": "75.0%", "average_response_time": "0.25s",
        "total_cost": "$1234.5000", "last_error": None,
    }  # fmt: skip
    (row,) = rows_of({"sim": {"status": "degraded", "metrics": metrics}})
    assert row == Row("sim", "degraded", 8, 2, 0.75, 0.25, 1234.5, "")
    told = {"version": "1.2.3", "mode": "demo", "uptime_seconds": 3_725.0, "calls_in_flight": 2}
    assert about_server("http://h", told) == "OneFlow 1.2.3 · http://h · demo · up 1:02:05 · 2 in flight"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_on_a_terminal_it_lives_until_a_key_ends_it(place: Place, provider: ThreadedSimulator) -> None:
    place.simulated(provider.base_url)
    with _terminal(place, "top", "--interval", "0.2") as (process, far):
        _read_until(far, b"q quit")
        os.write(far, b"p")
        _read_until(far, b"PAUSED")
        os.write(far, b"q")
        _read_until(far, b"\x1b[?1049l")
        assert process.wait(SECONDS_MOST) == 0


@contextmanager
def _terminal(place: Place, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    far, near = pty.openpty()
    variables = place.environment | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    command = [sys.executable, "-m", "oneflow_ai", *arguments]
    try:
        process = subprocess.Popen(
            command, cwd=place.directory, env=variables, text=True, stdin=near, stdout=near, stderr=near
        )
        with ended(process):
            os.close(near)
            near = -1
            yield process, far
    finally:
        os.close(far)
        if near >= 0:
            os.close(near)


def _read_until(descriptor: int, words: bytes) -> None:
    ends, seen = time.monotonic() + SECONDS_MOST, b""
    while words not in seen:
        assert time.monotonic() < ends, seen
        seen += os.read(descriptor, 65_536)
