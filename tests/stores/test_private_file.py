"""A private file is replaced whole, stays its owner's alone, and is changed by one process at a time."""

import stat
import threading
from pathlib import Path

import pytest

from oneflow_ai.stores import private_file


def test_what_is_replaced_is_private_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "home" / "keys"
    for content in (b"one", b"two" * 100_000):
        private_file.replace(path, content)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    private_file.replace(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_file_that_cannot_be_replaced_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_bytes(b"")
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's business
        private_file.replace(tmp_path / "folder", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_who_changes_files_of_a_folder_waits_for_the_turn(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_bytes(b"0")

    def add() -> None:
        for _ in range(20):
            with private_file.turn(tmp_path):
                private_file.replace(path, str(int(path.read_bytes()) + 1).encode())

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == b"80"
