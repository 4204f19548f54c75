"""`oneflow doctor`: a line for each thing that must be right, with how to mend what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from oneflow_ai.cli.failures import FAILED
from oneflow_ai.cli.output import Column, on_terminal, say, say_json, say_table
from oneflow_ai.cli.spread import Common

if TYPE_CHECKING:
    from oneflow_ai.cli.examination import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(options: Common) -> None:
    """Check this machine and its configuration.

    A line for each thing, with how to mend it; the exit status is 1 when one fails.
    """
    from oneflow_ai.cli.examination import examine

    found = examine(options.config)
    failed = sum(one.level == "fail" for one in found)
    warned = sum(one.level == "warn" for one in found)
    if options.as_json:
        checks = [{"check": one.check, "level": one.level, "text": one.text, "mend": one.mend} for one in found]
        say_json({"ok": not failed, "checks": checks})
    else:
        columns = (Column(""), Column("check"), Column("found", fold=True))
        say_table(columns, [(one.level, one.check, _words(one)) for one in found], _STYLES)
        if on_terminal():
            say()
        say(
            f"{len(found)} checks: {failed} failed, {warned} to look at"
            if failed or warned
            else f"{len(found)} checks, all well"
        )
    if failed:
        raise typer.Exit(FAILED)


def _words(finding: Finding) -> str:
    return f"{finding.text}: {finding.mend}" if finding.mend else finding.text
