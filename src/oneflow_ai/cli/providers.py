"""`oneflow providers`: how they are set up, how they stand, which does best, and whether they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneflow_ai.cli.failures import FAILED, Refused
from oneflow_ai.cli.output import Column, for_terminal, note, say, say_json, say_table
from oneflow_ai.cli.spread import Reaching
from oneflow_ai.core.call import Task

if TYPE_CHECKING:
    from oneflow_ai.cli.remote import Remote
    from oneflow_ai.settings import Loaded

ADDRESS_CHARACTERS_WHOLE = 40
"""Addresses up to this length are kept whole on a narrow terminal, where limits are folded instead."""

_STYLES = {
    "available": "green",
    "ok": "green",
    "degraded": "yellow",
    "simulated": "yellow",
    "unavailable": "bold red",
    "failed": "bold red",
    "unconfigured": "dim",
    "no limit": "dim",
}
_LIMIT_UNITS = (
    ("requests_per_minute", "requests/min"),
    ("tokens_per_minute", "tokens/min"),
    ("concurrency", "at once"),
)


def list_all(context: typer.Context, options: Reaching) -> None:
    """Show how the providers are set up.

    Without a verb: each provider's kind, state, address and limits.
    """
    if context.invoked_subcommand is not None:
        return
    rows = _rows(*_reached(options))
    if options.as_json:
        say_json(rows)
        return
    columns = (
        Column("provider"),
        Column("kind"),
        Column("state"),
        Column("address", fold=any(len(row["base_url"] or "") > ADDRESS_CHARACTERS_WHOLE for row in rows)),
        Column("limits", fold=True),
    )
    say_table(columns, [_cells(row) for row in rows], _STYLES)


def status(options: Reaching) -> None:
    """Show how each provider stands and what it has done.

    A server (--server) tells what it sees now; without one the figures come from the history of calls.
    """
    loaded, remote = _reached(options)
    if remote is not None:
        found = asyncio.run(remote.get("/api/providers/status"))
    else:
        from oneflow_ai.cli.standing import statuses

        found = asyncio.run(statuses(loaded))
    if options.as_json:
        say_json(found)
        return
    titles = ("provider", "status", "requests", "failed", "success", "time", "cost")
    columns = [Column(title, right=title not in ("provider", "status")) for title in titles]
    say_table(columns, [_status_cells(name, each) for name, each in found.items()], _STYLES)
    for name, each in found.items():
        if each["metrics"]["last_error"]:
            say(for_terminal(f"last error of {name}: {each['metrics']['last_error']}"))
    if remote is None:
        note("from the history of calls; --server asks a running server how they stand now")


def best(
    task: Annotated[Task, typer.Argument(metavar="TASK", help="text, image, speech, transcription, embedding …")],
    options: Reaching,
) -> None:
    """Tell which provider does best at a task now.

    What counts is the share of successes and the speed of late: in a server, or by the history of calls.
    """
    loaded, remote = _reached(options)
    if remote is not None:
        found = asyncio.run(remote.get(f"/api/providers/best/{task.value}"))
    else:
        from oneflow_ai.cli.standing import best_provider

        found = asyncio.run(best_provider(loaded, task))
    if options.as_json:
        say_json(found)
    elif found["best_provider"] is not None:
        say(f"{found['best_provider']}  ({found['why']})")
    if found["best_provider"] is None:
        raise Refused(
            *([] if options.as_json else [f"oneflow providers best: no provider for {task.value}: {found['why']}"])
        )


def check(
    options: Reaching,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="This provider only.")] = None,
) -> None:
    """Ask each provider for its list of models, with every key.

    The question is free; a server (--server) asks from where it stands, each provider once a minute at most. The exit
    status is 1 when one of them fails.
    """
    loaded, remote = _reached(options)
    if remote is not None:
        from oneflow_ai.cli.remote_checks import remote_checks

        rows = asyncio.run(remote_checks(remote, name))
    else:
        from oneflow_ai.cli.standing import checks

        rows = asyncio.run(checks(loaded, name))
    if options.as_json:
        say_json(rows)
    else:
        columns = (
            Column("key of"),
            Column("state"),
            Column("models", right=True),
            Column("time", right=True),
            Column("answer", fold=True),
        )
        say_table(columns, [_check_cells(row) for row in rows], _STYLES)
    if any(row["ok"] is False for row in rows):
        raise typer.Exit(FAILED)


def _reached(options: Reaching) -> tuple[Loaded, Remote | None]:
    from oneflow_ai.cli.configured import load_settings
    from oneflow_ai.cli.remote import remote_of

    loaded = load_settings(options.config)
    return loaded, remote_of(options.server, loaded)


def _rows(loaded: Loaded, remote: Remote | None) -> Sequence[Mapping[str, Any]]:
    """How the providers are set up, by that server or by this machine."""
    if remote is not None:
        rows: Sequence[Mapping[str, Any]] = asyncio.run(remote.get("/api/providers"))["providers"]
        return rows
    from oneflow_ai.cli.standing import provider_rows

    return provider_rows(loaded)


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    limits = row["limits"] or {}
    words = ", ".join(f"{limits[name]:,} {unit}" for name, unit in _LIMIT_UNITS if limits.get(name))
    state = "simulated" if row["simulated"] else row["status"]
    return row["name"], row["kind"], state, row["base_url"] or "", words or "no limit"


def _status_cells(name: str, found: Mapping[str, Any]) -> Sequence[str]:
    metrics = found["metrics"]
    return (
        name,
        found["status"],
        f"{metrics['total_requests']:,}",
        f"{metrics['failed_requests']:,}",
        metrics["success_rate"] if metrics["total_requests"] else "",
        metrics["average_response_time"] if metrics["successful_requests"] else "",
        metrics["total_cost"] if metrics["total_requests"] else "",
    )


def _check_cells(row: Mapping[str, Any]) -> Sequence[str]:
    state = {True: "simulated" if row["simulated"] else "ok", False: "failed", None: "not checked"}[row["ok"]]
    models = "" if row["models"] is None else f"{row['models']:,}"
    # A server of another version does not tell what is left.
    words = (row.get("account") or "") if row["ok"] else row["message"]
    return row["credential"], state, models, f"{row['seconds']:.2f}s", words
