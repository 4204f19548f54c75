"""Keeps the dashboard of `oneflow top` up to date: looks every so often, and minds the keys meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from oneflow_ai.answer import OneFlowError
from oneflow_ai.cli.configured import load_settings
from oneflow_ai.cli.dashboard import Board, Look, about_server, rows_of
from oneflow_ai.cli.failures import Refused
from oneflow_ai.cli.output import PIPE_COLUMNS, on_terminal, say_json
from oneflow_ai.cli.remote import Remote, remote_of
from oneflow_ai.cli.standing import STATUS_DAYS, statuses
from oneflow_ai.settings import Loaded

if TYPE_CHECKING:
    from oneflow_ai.cli.top import TopOptions

KEYS_MOST = 64
Watch = Callable[[], Awaitable[Look]]


def watch(options: TopOptions) -> None:
    """Show the dashboard until a key ends it, or once; raises `Refused` where the first look fails."""
    loaded = load_settings(options.config)
    remote = remote_of(options.server, loaded)

    async def look() -> Look:
        return await _of_server(remote) if remote is not None else await _of_history(loaded)

    if options.as_json or options.once or not on_terminal():
        board = Board()
        board.take(asyncio.run(look()))
        _print_once(board, options)
        return
    asyncio.run(_watched(look, options.interval))


async def _of_server(remote: Remote) -> Look:
    found, told = await asyncio.gather(remote.get("/api/providers/status"), remote.get("/api/status"))
    return Look(rows_of(found), about_server(remote.url, told), monotonic())


async def _of_history(loaded: Loaded) -> Look:
    about = f"the history of calls, {STATUS_DAYS} days; --server asks a running server"
    return Look(rows_of(await statuses(loaded)), about, monotonic())


def _print_once(board: Board, options: TopOptions) -> None:
    assert board.look is not None
    if options.as_json:
        say_json({"about": board.look.about, "providers": [asdict(row) for row in board.look.rows]})
        return
    console = Console() if on_terminal() else Console(width=PIPE_COLUMNS, no_color=True, force_terminal=False)
    console.print(board.screen(live=False), crop=False, soft_wrap=True)


async def _watched(look: Watch, interval_seconds: float) -> None:
    board, pressed = Board(), asyncio.Event()
    board.take(await look())
    keys: list[str] = []

    def press(some: str) -> None:
        keys.extend(some)
        pressed.set()

    console = Console()
    with _keys(press), Live(board.screen(live=True), console=console, screen=True, auto_refresh=False) as live:
        due = monotonic() + interval_seconds
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(due - monotonic(), 0.0)):
                    await pressed.wait()
            pressed.clear()
            taken, keys[:] = list(keys), []
            if not all(board.press(key) for key in taken):
                return
            if monotonic() >= due:
                due = monotonic() + interval_seconds
                if not board.paused:
                    await _look(board, look)
            live.update(board.screen(live=True), refresh=True)


async def _look(board: Board, look: Watch) -> None:
    """Take a new look; a server that is gone for a while is told, and the figures stay."""
    try:
        board.take(await look())
    except Refused as refused:
        board.trouble = refused.lines[0]
    except OneFlowError as error:
        board.trouble = f"{error.message} ({error.code})"


@contextmanager
def _keys(press: Callable[[str], None]) -> Iterator[None]:
    """Give each key as it is pressed, without a line's end; where there is no such terminal, none."""
    if not sys.stdin.isatty() or sys.platform == "win32":
        yield
        return
    import termios
    import tty

    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, lambda: press(os.read(descriptor, KEYS_MOST).decode("utf-8", "ignore")))
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
