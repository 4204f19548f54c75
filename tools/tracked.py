"""The files of the repository that git tracks or would, so that checks never read what a build or a run left behind."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tracked_files(*patterns: str) -> list[Path]:
    """Gives the files that match the git patterns, or all, relative to the root and in order."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields the lines of a text file with their numbers from 1; nothing for a file that is not UTF-8 text."""
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from enumerate(text.splitlines(), start=1)


def report(complaints: list[str]) -> int:
    """Prints each complaint; gives the exit status: 1 when there is any."""
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0
