"""The page of promises names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/promises.md"
ROW = re.compile(r"^\| (P\d+) \| [^|]+ \| [^|]*\d[^|]* \| (\*long\* )?`(tests/[\w/.]+)::(\w+)` \|$", re.MULTILINE)


def test_every_promise_names_a_test_that_is_there_and_runs_when_it_says() -> None:
    text = PAGE.read_text()
    rows = ROW.findall(text)
    assert len(rows) == sum(line.startswith("| P") for line in text.splitlines()) > 10
    for _, long, file, name in rows:
        source = (ROOT / file).read_text()
        assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{file}::{name}"
        assert bool(long) == ("mark.prove" in source.partition(f"def {name}(")[0][-400:] or "/prove/" in file), name
