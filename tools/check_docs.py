"""Reads every Markdown page: each link must lead somewhere, each block of code parse, each page of docs be listed.

Run as `python -m tools.check_docs`.
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.tracked import ROOT, report, tracked_files

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<mark>`{3,}|~{3,})(?P<language>[\w+-]*)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")
_CODE_SPAN = re.compile(r"`[^`]*`")
_HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the line where it opens, its language, its text."""

    line: int
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page taken apart: its fenced blocks, and its other lines with their numbers."""

    blocks: tuple[Block, ...]
    prose: tuple[tuple[int, str], ...]

    def anchors(self) -> set[str]:
        """Gives the names that its headings can be linked by: lower case, spaces as hyphens, repeats numbered."""
        names: set[str] = set()
        for _, line in self.prose:
            if heading := _HEADING.match(line):
                plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["title"]).lower()
                name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
                repeats = (f"{name}-{number}" for number in range(1, len(names) + 1))
                names.add(name if name not in names else next(each for each in repeats if each not in names))
        return names


def take_apart(text: str) -> Page:
    """Gives the page of a Markdown text; a fence that never closes runs to the end."""
    blocks: list[Block] = []
    prose: list[tuple[int, str]] = []
    opened: tuple[int, re.Match[str]] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, inside = (number, fence), []
        elif opened is None:
            prose.append((number, line))
        elif fence and fence["mark"].startswith(opened[1]["mark"]) and not fence["language"]:
            blocks.append(Block(opened[0], opened[1]["language"], "\n".join(inside) + "\n"))
            opened = None
        else:
            inside.append(line.removeprefix(opened[1]["indent"]))
    if opened is not None:
        blocks.append(Block(opened[0], opened[1]["language"], "\n".join(inside) + "\n"))
    return Page(tuple(blocks), tuple(prose))


def _parse_python(text: str) -> None:
    compile(text, "block", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def _parse_shell(text: str) -> None:
    checked = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    if checked.returncode:
        raise ValueError(checked.stderr.strip())


PARSERS: Mapping[str, Callable[[str], object]] = {
    "python": _parse_python,
    "toml": tomllib.loads,
    "json": json.loads,
    "sh": _parse_shell,
}


def code_faults(page: Page) -> Iterator[str]:
    """Yields `line: why` for each block whose language is known and that does not parse, or that names no language."""
    for block in page.blocks:
        if not block.language:
            yield f"{block.line}: a block without a language (`text` will do)"
        elif parse := PARSERS.get(block.language):
            try:
                parse(block.text)
            except (SyntaxError, ValueError) as error:
                yield f"{block.line}: {block.language} does not parse: {error}"


def link_faults(path: Path, page: Page, root: Path = ROOT) -> Iterator[str]:
    """Yields `line: why` for each relative link that leads to no file under `root`, or to no heading of a page."""
    for number, line in page.prose:
        for link in _LINK.finditer(_CODE_SPAN.sub("", line)):
            target = link["target"] or link["image"]
            if _ELSEWHERE.match(target):
                continue
            name, _, anchor = target.partition("#")
            goal = (root / path).parent / name if name else root / path
            if not goal.exists():
                yield f"{number}: {target} leads nowhere"
            elif anchor and anchor not in take_apart(goal.read_text(encoding="utf-8")).anchors():
                yield f"{number}: {target} names no heading"


def unlisted(index: str, pages: Iterable[str]) -> Iterator[str]:
    """Yields each page that the index does not link to, both as paths from the index's folder."""
    listed = {(link["target"] or "").partition("#")[0] for link in _LINK.finditer(index)}
    yield from (page for page in pages if page not in listed)


def main() -> int:
    """Reads every tracked Markdown page; gives the exit status."""
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    under = [
        path.relative_to("docs").as_posix() for path in tracked_files("docs/*.md") if path != Path("docs/README.md")
    ]
    complaints = [f"docs/README.md: does not list {page}" for page in unlisted(index, under)]
    for path in tracked_files("*.md"):
        page = take_apart((ROOT / path).read_text(encoding="utf-8"))
        complaints += [f"{path}:{fault}" for fault in (*code_faults(page), *link_faults(path, page))]
    return report(complaints)


if __name__ == "__main__":
    sys.exit(main())
