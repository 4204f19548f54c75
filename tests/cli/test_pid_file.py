"""`server.pid`: one holder at a time, and nobody believes what a dead one left."""

from __future__ import annotations

import json
import os
import threading
from multiprocessing import get_context
from pathlib import Path

import pytest

from oneflow_ai.cli.pid_file import FILE_NAME, PidFile, Serving

ONE = Serving(os.getpid(), "http://127.0.0.1:8000", "/etc/oneflow.toml")
OTHER = Serving(os.getpid(), "http://127.0.0.1:9000", None)


def test_the_holder_is_told_until_it_lets_go(tmp_path: Path) -> None:
    held, other = PidFile(tmp_path), PidFile(tmp_path)
    assert other.holder() is None
    assert held.take(ONE)
    assert other.holder() == ONE
    assert held.path.stat().st_mode & 0o777 == 0o600
    held.release()
    held.release()
    assert other.holder() is None
    assert not held.path.exists()


def test_a_second_one_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    held, other = PidFile(tmp_path), PidFile(tmp_path)
    assert held.take(ONE)
    assert not other.take(OTHER)
    other.release()
    assert other.holder() == ONE
    held.release()
    assert other.take(OTHER)
    assert held.holder() == OTHER
    other.release()


@pytest.mark.parametrize(
    "left", ["", "{", "[]", '{"pid": 1}', json.dumps({"pid": 1, "url": "http://x", "config": None})]
)
def test_what_a_dead_server_left_names_nobody_and_stops_nobody(tmp_path: Path, left: str) -> None:
    """A process number may belong to anybody by now; only the lock tells that its server lives."""
    (tmp_path / FILE_NAME).write_text(left)
    file = PidFile(tmp_path)
    assert file.holder() is None
    assert file.take(ONE)
    assert PidFile(tmp_path).holder() == ONE
    file.release()


def _die_holding(home: Path) -> None:
    assert PidFile(home).take(ONE)
    os._exit(0)


def test_the_lock_ends_with_the_process(tmp_path: Path) -> None:
    process = get_context("spawn").Process(target=_die_holding, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert (tmp_path / FILE_NAME).exists()
    assert PidFile(tmp_path).holder() is None


def test_readers_do_not_keep_a_server_from_its_file(tmp_path: Path) -> None:
    """Readers lock for an instant; who takes the file tries again before giving up."""
    (tmp_path / FILE_NAME).write_text("")
    over = threading.Event()

    def read_all_the_time() -> None:
        while not over.is_set():
            PidFile(tmp_path).holder()

    reader = threading.Thread(target=read_all_the_time)
    reader.start()
    taken = []
    for _ in range(50):
        file = PidFile(tmp_path)
        taken.append(file.take(ONE))
        file.release()
    over.set()
    reader.join()
    assert all(taken)
