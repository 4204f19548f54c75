"""Looks in every tracked text file for what has no place there: leftovers, paths of one machine, package registries.

Run as `python -m tools.check_tree`.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.tracked import numbered_lines, report, tracked_files

# Written so that no pattern finds itself.
UNWANTED = {
    "unfinished": re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b"),
    "a path of one machine": re.compile(r"(?<![\w.}])(?:/(?:home|Users|root|work|tmp)/|[A-Z]:\\\\?Users\\)[\w.]"),
    "a package registry": re.compile(
        r"(?:py[p]i\.org|python[h]osted\.org|registry\.n[p]mjs|deb\.[d]ebian\.org|(?<!emit-)index-[u]rl|find-[l]inks)"
    ),
}


def complaints(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yields `path:line: what: text` for each unwanted thing in the numbered lines."""
    for number, line in lines:
        for what, pattern in UNWANTED.items():
            if found := pattern.search(line):
                yield f"{path}:{number}: {what}: {found.group()}"


def main() -> int:
    """Reads every tracked file; gives the exit status."""
    return report([complaint for path in tracked_files() for complaint in complaints(path, numbered_lines(path))])


if __name__ == "__main__":
    sys.exit(main())
