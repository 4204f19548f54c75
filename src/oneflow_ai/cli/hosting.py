"""Runs the server for `oneflow serve`: its log, its process file, and what it tells when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from oneflow_ai.app.clock import SystemClock
from oneflow_ai.app.serving import Again, Started, serve
from oneflow_ai.cli.configured import Wrong, late_mistake, load_settings, vault_keys
from oneflow_ai.cli.failures import Refused
from oneflow_ai.cli.output import note, on_terminal, say
from oneflow_ai.cli.pid_file import PidFile, Serving
from oneflow_ai.cli.welcome import welcome, welcome_line
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import Loaded, load
from oneflow_ai.telemetry.logging import Look, OpenLog, listen_to_libraries, open_log

if TYPE_CHECKING:
    from oneflow_ai.cli.serve import ServeOptions

_ADDRESS_WORDS = {
    errno.EADDRINUSE: "{place} is in use: stop what listens there, or choose another with --port",
    errno.EADDRNOTAVAIL: "{place} is no address of this machine: choose another with --host",
    errno.EACCES: "{place} needs more rights than you have: choose a port from 1024 on with --port",
}


def host(options: ServeOptions) -> None:
    """Serve until told to stop; raises `Refused`."""
    loaded = load_settings(options.config, options.overrides())
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    read = partial(load, options.config, kinds=TABLE, variables=options.overrides(), vault=vault_keys)
    _Host(loaded, read, options).run()


class _Host:
    """One run of the server."""

    def __init__(self, loaded: Loaded, read: Callable[[], Loaded], options: ServeOptions) -> None:
        self._loaded = loaded
        self._read = read
        self._options = options
        self._pid_file = PidFile(loaded.home)
        self._ready = False
        self._seen = on_terminal()

    def run(self) -> None:
        log = _opened(self._loaded)
        undo = listen_to_libraries(log.log)
        try:
            _run(self._serve(log))
        except OSError as error:
            raise self._told(error) from None
        except ValueError as error:
            if self._ready or type(error) is not ValueError:
                raise
            raise Wrong([late_mistake(self._loaded, error)]) from None
        finally:
            self._pid_file.release()
            undo()
            log.close()

    async def _serve(self, log: OpenLog) -> None:
        await serve(
            self._loaded,
            demo_asked=self._options.demo,
            again=Again(self._read_again, lambda loaded: log.adopt(look_of(loaded))),
            log=log,
            announce=partial(self._announce, log),
        )

    def _read_again(self) -> Loaded:
        """The configuration for SIGHUP; a terminal sends that signal too, when it is closed: then the server ends."""
        if self._seen and not on_terminal():
            os.kill(os.getpid(), signal.SIGTERM)
            return self._loaded
        return self._read()

    def _announce(self, log: OpenLog, started: Started) -> None:
        self._ready = True
        config = None if self._loaded.file is None else str(self._loaded.file)
        if not self._pid_file.take(Serving(os.getpid(), started.url, config)):
            log.log.warning("another server uses the same home: `oneflow config reload` reaches that one")
        if self._options.as_json:
            say(welcome_line(started, self._loaded))
        else:
            say(welcome(started, self._loaded, shutil.get_terminal_size().columns if on_terminal() else None))

    def _told(self, error: OSError) -> Exception:
        if self._ready:
            return error
        server = self._loaded.settings.server
        words = _ADDRESS_WORDS.get(error.errno or 0)
        if words is not None and error.filename is None:
            return Refused("oneflow: " + words.format(place=f"{server.host}:{server.port}"))
        if error.filename is None:
            return Refused(f"oneflow: cannot listen on {server.host}:{server.port}: {error.strerror or error}")
        return error


def _opened(loaded: Loaded) -> OpenLog:
    return open_log(sys.stderr.buffer, SystemClock(), look_of(loaded))


def look_of(loaded: Loaded) -> Look:
    """How the log of a server with this configuration is written; `auto` asks whether a terminal reads it."""
    settings = loaded.settings
    seen = sys.stderr.isatty()
    terminal = settings.log.format == "text" or (settings.log.format == "auto" and seen)
    colors = seen and not loaded.environment.get("NO_COLOR")
    return Look(settings.server.log_level, terminal=terminal, colors=colors)


def _run(work: object) -> None:
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)  # type: ignore[arg-type] # a coroutine
