"""`oneflow compare`: one prompt, several models, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from oneflow_ai.cli.failures import misuse
from oneflow_ai.cli.spread import ChatOptions

MODELS_MOST = 8
REPEATS_MOST = 1_000


@dataclass(frozen=True, slots=True)
class CompareOptions(ChatOptions):
    """What `compare` takes beside the prompt."""

    models: Annotated[
        str | None, typer.Option("--models", "-m", metavar="A,B", help="Two to eight routes or models, with commas.")
    ] = None
    repeat: Annotated[
        int, typer.Option(min=1, max=REPEATS_MOST, metavar="N", help="Ask each so often; from 2 on with intervals.")
    ] = 1


def compare(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask; - reads it from standard input.")],
    options: CompareOptions,
) -> None:
    """Ask several models the same: answers, times, tokens and costs side by side."""
    names = [name.strip() for name in (options.models or "").split(",") if name.strip()]
    if len(names) != len(set(names)) or not 2 <= len(names) <= MODELS_MOST:
        raise misuse(f"oneflow compare: --models takes two to {MODELS_MOST} different models, with commas between them")
    from oneflow_ai.cli.ask import prompt_of
    from oneflow_ai.cli.comparing import run_compare

    run_compare(prompt_of(prompt, "compare"), names, options)
