"""A planted secret that shows is found, wherever it does; one that is where it belongs is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.canaries import MARK, leaks_in_files, planted, unleaked
from tests.needs import ROOT

LEAKING = {
    "print": "print(SECRET)",
    "stderr": "print(SECRET, file=sys.stderr)",
    "log": "logging.getLogger('oneflow').debug('key %s', SECRET)",
    "process": "subprocess.run(['/bin/echo', SECRET], check=True)",
    "environment": "print(os.environ)",
    "file": "(tmp_path / 'oneflow.db').write_bytes(SECRET.encode())",
    "folder": "(tmp_path / 'a').mkdir(); (tmp_path / 'a' / 'log').write_text(SECRET)",
}
TIGHT = {
    "nothing": "assert SECRET",
    "keys file": "(tmp_path / '.api_keys.json').write_text(SECRET)",
    "other words": "print('cnry')",
}
HEAD = """
import logging, os, subprocess, sys
import pytest
from tests.canaries import planted
SECRET = planted("test")
"""


def run(folder: Path, body: str, place: str = "call") -> tuple[int, str]:
    """Runs one test with this body in a pytest of its own, with the plug-in."""
    in_fixture = place == "teardown"
    (folder / "test_it.py").write_text(
        f"{HEAD}\n@pytest.fixture(autouse=True)\ndef around(tmp_path):\n    yield\n"
        f"    {body if in_fixture else 'pass'}\n"
        f"\ndef test_it(tmp_path):\n    {'pass' if in_fixture else body}\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\nlog_level = DEBUG\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.canaries", "-p", "no:cacheprovider", "test_it.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not looked through itself: what leaks in it is meant to."""
    return tmp_path_factory.mktemp("leaking")


@pytest.mark.parametrize("way", LEAKING)
def test_a_leak_fails_its_test(folder: Path, way: str) -> None:
    status, told = run(folder, LEAKING[way])
    assert status == 1, told
    assert "a planted secret shows:" in told


def test_a_leak_while_fixtures_end_fails_the_test_too(folder: Path) -> None:
    status, told = run(folder, LEAKING["print"], "teardown")
    assert (status, "a planted secret shows:" in told) == (1, True)


@pytest.mark.parametrize("way", TIGHT)
def test_where_nothing_leaks_nothing_fails(folder: Path, way: str) -> None:
    assert run(folder, TIGHT[way])[0] == 0


def test_what_is_answered_is_looked_through() -> None:
    unleaked("fine", b"fine", {"header": "fine"})
    for told in (planted("a"), planted("a").encode(), {"x": planted("a")}, {planted("a"): "x"}):
        with pytest.raises(AssertionError, match="a planted secret"):
            unleaked("fine", told)


def test_the_words_of_a_leak_do_not_repeat_it(folder: Path) -> None:
    (folder / "log").write_text(f"before {planted('a')}")
    (told,) = leaks_in_files(folder)
    assert "before" in told
    assert MARK not in told
