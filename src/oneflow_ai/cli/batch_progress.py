"""How far a batch is: a bar on a terminal, a line now and then where none sees it; both on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from oneflow_ai.cli.output import note

NOTE_SECONDS = 30.0


class Progress(Protocol):
    """Is told of each prompt that is done."""

    def advance(self, cost_usd: float, *, failed: bool) -> None:
        """One more."""


class Counted:
    """What is done so far: the figures that both forms show. `now_seconds` is a monotonic clock."""

    def __init__(self, total: int, done: int, cost_usd: float, now_seconds: Callable[[], float] = monotonic) -> None:
        self.total, self.done, self.cost_usd, self.failed = total, done, cost_usd, 0
        self._first, self._now, self._began = done, now_seconds, now_seconds()

    def count(self, cost_usd: float, *, failed: bool) -> None:
        """One more."""
        self.done += 1
        self.cost_usd += cost_usd
        self.failed += failed

    def figures(self) -> str:
        """Rate, cost, failures and the time that is left, by the rate so far."""
        elapsed = self._now() - self._began
        rate = (self.done - self._first) / elapsed if elapsed > 0 else 0.0
        parts = [f"{rate:,.1f}/s", money(self.cost_usd)]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if rate:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        return " · ".join(parts)


class _Noted:
    """For a log: a line every half minute."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._noted = monotonic()

    def advance(self, cost_usd: float, *, failed: bool) -> None:
        self._counted.count(cost_usd, failed=failed)
        if monotonic() - self._noted >= NOTE_SECONDS:
            self._noted = monotonic()
            note(f"{self._counted.done:,} of {self._counted.total:,} · {self._counted.figures()}")


@contextmanager
def progress(total: int, done: int, cost_usd: float) -> Iterator[Progress]:
    """Show progress from `done` of `total` on, which cost so much so far."""
    counted = Counted(total, done, cost_usd)
    if not sys.stderr.isatty():
        yield _Noted(counted)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[figures]}", markup=False))
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, completed=done, figures="")

        class Shown:
            """Moves the bar."""

            def advance(self, cost_usd: float, *, failed: bool) -> None:
                counted.count(cost_usd, failed=failed)
                bar.update(task, advance=1, figures=counted.figures())

        yield Shown()


def money(usd: float) -> str:
    """An amount as people read it: cents and more digits where there is little."""
    return f"${usd:,.2f}" if usd >= 100 else f"${usd:.4f}"


def duration(seconds: float) -> str:
    """A time as people read it: `0.4 s`, `12 s`, `3:20`, `2:03:20`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
