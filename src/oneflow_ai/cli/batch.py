"""`oneflow batch`: a file of prompts answered, many at a time within the limits, and gone on with after a stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from oneflow_ai.cli.failures import misuse
from oneflow_ai.cli.spread import ChatOptions

CONCURRENCY = 32
CONCURRENCY_MOST = 1_000
FAILURES_IN_A_ROW_MOST = 20


@dataclass(frozen=True, slots=True)
class BatchOptions(ChatOptions):
    """What `batch` takes beside the file."""

    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.jsonl", help="File of answers; what is in it is kept.")
    ] = None
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="For lines without one: a route or a model.")
    ] = "text"
    concurrency: Annotated[
        int,
        typer.Option(min=1, max=CONCURRENCY_MOST, metavar="N", help="Most calls at a time; limits are kept besides."),
    ] = CONCURRENCY
    stop_after: Annotated[
        int, typer.Option(min=0, metavar="N", help="Stop when so many calls in a row have failed; 0: never.")
    ] = FAILURES_IN_A_ROW_MOST


def batch(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="The prompts, one on each line.")],
    options: BatchOptions,
) -> None:
    """Answer a file of prompts, and go on where an earlier run stopped.

    A line is a text or {"prompt", "id", "model", "system", "options"}; lines of OpenAI's batch API are taken too.
    """
    output = options.output
    if output is None:
        raise misuse("oneflow batch: -o OUT.jsonl is missing: the file for the answers")
    if not file.is_file():
        raise misuse(f"oneflow batch: there is no file {file}")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise misuse(f"oneflow batch: -o {output} is no file that can be written: its folder must exist")
    if output.exists() and output.samefile(file):
        raise misuse("oneflow batch: -o is the file of the prompts: name another")
    from oneflow_ai.cli.batching import run_batch

    run_batch(file, output, options)
