"""`oneflow config`: the configuration checked, shown, described, and read anew by a running server."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.output import Column, on_terminal, say, say_json, say_table
from oneflow_ai.cli.pid_file import PidFile, Serving
from oneflow_ai.cli.spread import Common

if TYPE_CHECKING:
    from oneflow_ai.settings import Mistake, Row


def check(options: Common) -> None:
    """Tell every mistake in the configuration.

    Each is a line with its place, and the exit status is then 2.
    """
    from oneflow_ai.cli.configured import Wrong, check_engine, compiled, load_settings

    try:
        loaded = load_settings(options.config)
        compiled(loaded)
        check_engine(loaded)
    except Wrong as wrong:
        if not options.as_json:
            raise
        say_json({"ok": False, "file": None, "mistakes": _as_json(wrong.mistakes), "warnings": []})
        raise Refused(status=wrong.status) from None
    if options.as_json:
        file = str(loaded.file) if loaded.file else None
        say_json({"ok": True, "file": file, "mistakes": [], "warnings": _as_json(loaded.warnings)})
        return
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    say(f"{loaded.file}: no mistakes" if loaded.file else "no configuration file: the defaults and variables are sound")


def show(
    options: Common,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Only settings with this in their name.")] = None,
) -> None:
    """Print every setting, with where it comes from; no secret."""
    from oneflow_ai.cli.configured import load_settings
    from oneflow_ai.settings import show as rows_of

    loaded = load_settings(options.config)
    known = rows_of(loaded)
    rows = [row for row in known if (text or "").lower() in row.name.lower()]
    if text is not None and not rows:
        raise misuse(f"oneflow config show: no setting has {text!r} in its name{_hint(text, known)}")
    if options.as_json:
        settings = [{"name": row.name, "value": row.value, "source": row.source} for row in rows]
        say_json({"file": str(loaded.file) if loaded.file else None, "home": str(loaded.home), "settings": settings})
        return
    if on_terminal():
        say(f"file: {loaded.file or 'none'}\nhome: {loaded.home}\n")
    columns = (Column("setting"), Column("from"), Column("value", fold=True))
    say_table(columns, [(row.name, row.source, _written(row.value)) for row in rows], {"default": "dim"})


def schema(options: Common) -> None:
    """Print the JSON Schema of oneflow.toml, for editors."""
    del options
    from oneflow_ai.settings import json_schema

    say_json(json_schema())


def reload(options: Common) -> None:
    """Have the server of this home read its configuration anew.

    The file that the server was started with is checked first: with a mistake in it the server is not asked, and
    keeps what it has.
    """
    from oneflow_ai.settings import home_of

    home = home_of()
    serving = PidFile(home).holder()
    if serving is None:
        raise Refused(f"oneflow config reload: no server runs with the home {home}: `oneflow serve` starts one")
    file = None if serving.config is None else Path(serving.config)
    if options.config is not None:
        _check_named(options.config, file, serving)
    if file is not None:
        _check_file(file)
    _signal(serving)
    if options.as_json:
        say_json({"asked": True, "pid": serving.pid, "url": serving.url, "config": serving.config})
    else:
        what = "to look for its configuration anew" if file is None else f"to read {file} anew"
        say(f"asked the server at {serving.url} (process {serving.pid}) {what}")
        say("its log says whether it is in force")


def _hint(text: str, known: Iterable[Row]) -> str:
    from oneflow_ai.settings.mistakes import closest

    names = [row.name for row in known]
    meant = closest(text, dict.fromkeys([*names, *(part for name in names for part in name.split("."))]))
    return f": did you mean {meant}?" if meant else "; `oneflow config show` prints all"


def _check_named(named: Path, file: Path | None, serving: Serving) -> None:
    """Refuse a file that the server would not read: it reads the one that it was started with."""
    wanted = Path.cwd() / named
    if file is None or os.path.realpath(wanted) != os.path.realpath(file):
        words = f"the server at {serving.url} reads {file or 'no configuration file'}, not {wanted}"
        raise misuse(f"oneflow config reload: {words}: leave --config out, or start it anew with that file")


def _check_file(file: Path) -> None:
    """Raise `Wrong` for a file with mistakes, each with its folder where that is not the current one."""
    from oneflow_ai.cli.configured import Wrong, compiled, load_settings

    try:
        compiled(load_settings(file))
    except Wrong as wrong:
        if file.parent == Path.cwd():
            raise
        raise Wrong(replace(one, where=_placed(one.where, file)) for one in wrong.mistakes) from None


def _placed(where: str, file: Path) -> str:
    return str(file.parent / where) if where.partition(":")[0] == file.name else where


def _signal(serving: Serving) -> None:
    try:
        os.kill(serving.pid, signal.SIGHUP)
    except ProcessLookupError:
        raise Refused("oneflow config reload: the server has just ended") from None
    except PermissionError:
        raise Refused(f"oneflow config reload: process {serving.pid} belongs to another user") from None


def _as_json(mistakes: Iterable[Mistake]) -> list[dict[str, str]]:
    return [{"where": one.where, "name": one.name, "message": one.message} for one in mistakes]


def _written(value: object) -> str:
    """A value as it would stand in the file."""
    return "" if value is None else json.dumps(value, ensure_ascii=False)
