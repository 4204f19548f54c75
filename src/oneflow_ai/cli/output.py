"""What verbs print: text and tables on standard output, notes on standard error, JSON when it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

PIPE_COLUMNS = 100_000
"""The width of a table that no terminal shows: nothing in it is ever broken or cut."""

_JSON_INDENT = 2
_PICTURED = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"} | dict.fromkeys(
    range(127, 160), "�"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: numbers stand to the right, and what may be long is folded where the screen is narrow."""

    title: str
    right: bool = False
    fold: bool = False


def say(text: str = "") -> None:
    """Print text and a line's end."""
    typer.echo(text)


def say_piece(text: str) -> None:
    """Print a piece of text, at once."""
    typer.echo(text, nl=False)


def as_json(value: Any) -> str:
    """A value as JSON, for programs and for people."""
    return json.dumps(value, indent=_JSON_INDENT, ensure_ascii=False)


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say(as_json(value))


def note(text: str) -> None:
    """Print one line on standard error."""
    typer.echo(pictured(" ".join(text.splitlines())), err=True)


def note_faint(text: str) -> None:
    """Print one line on standard error that nobody needs to read; faint on a terminal."""
    from rich.console import Console

    Console(stderr=True).print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def on_terminal() -> bool:
    """Whether a person sees what is printed."""
    return sys.stdout.isatty()


def for_terminal(text: str) -> str:
    """Text of a stranger as it may be printed: on a terminal nothing in it can steer the terminal."""
    return pictured(text) if on_terminal() else text


def pictured(text: str) -> str:
    """Text whose control characters are pictures of them, but for tabs and line ends."""
    return text.translate(_PICTURED)


def say_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], styles: Mapping[str, str] | None = None
) -> None:
    """Print a table; `styles` colours the cells that hold these words. Without a terminal: plain and never folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(pictured(cell), (styles or {}).get(cell, "")) for cell in row))
    console = Console() if on_terminal() else Console(width=PIPE_COLUMNS, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    say("\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n")))
