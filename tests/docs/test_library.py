"""The pages of the library and of the first edition's names: each of their programs runs as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.place import SECONDS_MOST
from tools.check_docs import take_apart

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
# What each page's programs print, in their order: a word of it.
PRINTED = {
    "library.md": ["haiku about AI", "Count to five", "model_not_found 404"],
    "first-edition.md": ["haiku about AI", "haiku about AI"],
}


def programs() -> list[tuple[str, int, str]]:
    """The page, the line and the text of each program."""
    found = []
    for page in PRINTED:
        blocks = take_apart((FOLDER / page).read_text(encoding="utf-8")).blocks
        found += [(page, block.line, block.text) for block in blocks if block.language == "python"]
    return found


def test_there_is_a_word_for_every_program() -> None:
    counts = {page: sum(found == page for found, _, _ in programs()) for page in PRINTED}
    assert counts == {page: len(words) for page, words in PRINTED.items()}


@pytest.mark.parametrize(("page", "line", "text"), programs(), ids=lambda value: str(value).partition("\n")[0][:20])
def test_a_documented_program_runs(page: str, line: int, text: str, tmp_path: Path) -> None:
    number = [at for found, at, _ in programs() if found == page].index(line)
    if "await " in text:
        text = f"import asyncio\nasync def main():\n{textwrap.indent(text, '    ')}\nasyncio.run(main())\n"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ONEFLOW_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MOST,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert PRINTED[page][number] in done.stdout
