"""Which Python a new .venv is made of: the newest, but no slow one beside a fast one, and the one that is named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(commands: str) -> str:
    """What the shell prints that has read the functions."""
    script = f". tools/python.sh; {commands}"
    return subprocess.run(["/bin/sh", "-euc", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("found", "best"),
    [
        ("3011 60 /usr/bin/python3", "/usr/bin/python3"),
        ("3011 60 /a\n3013 58 /b\n3012 50 /c", "/b"),
        ("3013 80 /slow\n3011 60 /fast", "/fast"),
        ("3011 60 /first\n3011 55 /second", "/first"),
        ("3012 60 /with a blank/python", "/with a blank/python"),
        ("3010 10 /old\n2007 1 /older", ""),
        ("", ""),
    ],
)
def test_the_newest_is_taken_unless_another_is_faster_by_a_fifth(found: str, best: str) -> None:
    assert run(f"printf '{found}\n' | best_python").strip("\n") == best


def test_those_of_this_machine_are_found_and_one_is_taken() -> None:
    found = [line.split(" ", 2) for line in run("pythons").splitlines()]
    assert all(int(version) >= 3000 and int(took) > 0 and Path(path).exists() for version, took, path in found)
    best = run("pythons | best_python").strip()
    assert best in {path for _, _, path in found}
