"""`oneflow ask`: one answer of text, from the engine in this process or from a running server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from oneflow_ai.cli.failures import misuse
from oneflow_ai.cli.spread import Reaching

PROMPT_CHARACTERS_MOST = 16 * 1024 * 1024
TASKS = ("text",)


@dataclass(frozen=True, slots=True)
class AskOptions(Reaching):
    """What `ask` takes beside the prompt."""

    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="A route, PROVIDER/MODEL or a model id.")
    ] = "text"
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="Instructions that stand before the prompt.")] = (
        None
    )
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it comes.")] = False
    task: Annotated[str, typer.Option(metavar="TASK", help="What is wanted; text is served.")] = "text"
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the answer into this file.")
    ] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, metavar="N", help="Longest answer, in tokens.")] = None
    temperature: Annotated[float | None, typer.Option(min=0, max=2, metavar="X", help="From 0 to 2.")] = None

    def chat(self) -> dict[str, object]:
        """The options that go with the prompt."""
        asked = {"system": self.system, "max_tokens": self.max_tokens, "temperature": self.temperature}
        return {name: value for name, value in asked.items() if value is not None}


def ask(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask; - reads it from standard input.")],
    options: AskOptions,
) -> None:
    """Ask a model for text."""
    _check(options)
    text = prompt_of(prompt, "ask")
    from oneflow_ai.cli.asking import answer

    answer(text, options)


def prompt_of(written: str, verb: str) -> str:
    """The prompt of a verb's command line, read from standard input where it is a dash; raises `Refused`."""
    text = _read(verb) if written == "-" else written
    if not text.strip():
        raise misuse(f"oneflow {verb}: the prompt is empty")
    return text


def _check(options: AskOptions) -> None:
    if options.task not in TASKS:
        raise misuse(f"oneflow ask: --task {options.task} is not served; served is {', '.join(TASKS)}")
    if options.stream and (options.as_json or options.output):
        other = "--json" if options.as_json else "-o"
        raise misuse(f"oneflow ask: --stream prints as it comes; leave out --stream or {other}")
    file = options.output
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        raise misuse(f"oneflow ask: -o {file} is no file that can be written: its folder must exist")


def _read(verb: str) -> str:
    try:
        text = sys.stdin.read(PROMPT_CHARACTERS_MOST + 1)
    except UnicodeDecodeError:
        raise misuse(f"oneflow {verb}: standard input is not UTF-8 text") from None
    if len(text) > PROMPT_CHARACTERS_MOST:
        raise misuse(f"oneflow {verb}: standard input is longer than {PROMPT_CHARACTERS_MOST} characters")
    return text
