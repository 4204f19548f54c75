"""`oneflow top`: what the providers do, as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from oneflow_ai.cli.spread import Reaching


@dataclass(frozen=True, slots=True)
class TopOptions(Reaching):
    """What `top` takes."""

    interval: Annotated[float, typer.Option(min=0.2, max=3_600, metavar="SECONDS", help="How often it looks.")] = 1.0
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False


def top(options: TopOptions) -> None:
    """Watch the providers: requests, successes, times and costs.

    A server (--server) tells what it sees now; without one the figures come from the history of calls. Keys: q ends it,
    p pauses, s sorts by the next column, r turns the order round. With --json, or where no terminal is, it prints once.
    """
    from oneflow_ai.cli.watching import watch

    watch(options)
