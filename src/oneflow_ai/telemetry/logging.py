"""The log: one line a happening, JSON or for a terminal's reader, in which a secret cannot be printed.

There is no log of the whole program: `open_log` makes one, and its parts are handed it.
"""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import IO, Any, Literal, cast

import orjson
import structlog

from oneflow_ai.core.ports import Clock
from oneflow_ai.telemetry.fields import clean, clean_text
from oneflow_ai.telemetry.lines import LineWriter
from oneflow_ai.telemetry.log import Log

ALIKE_A_MINUTE_MOST = 30
"""Lines of the same event that are written in a minute; the rest are counted, and the next one tells how many."""

EVENTS_KNOWN_MOST = 1_000
WINDOW_SECONDS = 60.0
LIBRARY_EVENT = "a library says"

Level = Literal["debug", "info", "warning", "error"]
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_Event = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """How lines are written: from which level up, and as JSON, or for people where a `terminal` shows them."""

    level: Level = "info"
    terminal: bool = False
    colors: bool = False


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A log, the lines it writes (for the access log too), and how many of its lines were suppressed."""

    log: Log
    lines: LineWriter
    _limit: RateLimit
    _step: _Look

    def adopt(self, look: Look) -> None:
        """Write the next lines in another way."""
        self._step.adopt(look)

    def dropped(self) -> int:
        """Lines that were not written: too many alike, or nobody read them."""
        return self._limit.suppressed + self.lines.dropped

    def close(self) -> None:
        """Write what waits."""
        self.lines.close()


def open_log(stream: IO[bytes], clock: Clock, look: Look | None = None) -> OpenLog:
    """A log that writes to a binary stream, from the level `info` up and as JSON unless told otherwise."""
    lines = LineWriter(stream)
    limit = RateLimit(clock)
    step = _Look(look or Look())
    log = structlog.wrap_logger(
        _Lines(lines),
        processors=[step.choose, structlog.processors.add_log_level, limit, _Clean(clock), step.render],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        cache_logger_on_first_use=True,
    )
    return OpenLog(cast(Log, log), lines, limit, step)


class _Look:
    """The first step, which drops what is below the level, and the last, which makes the line; both may be changed."""

    def __init__(self, look: Look) -> None:
        self.adopt(look)

    def adopt(self, look: Look) -> None:
        self._least = _LEVELS[look.level]
        self._render = (
            structlog.dev.ConsoleRenderer(colors=look.colors, timestamp_key="at") if look.terminal else _as_json
        )

    def choose(self, logger: object, method: str, event: _Event) -> _Event:
        if _LEVELS[method] < self._least:
            raise structlog.DropEvent
        return event

    def render(self, logger: object, method: str, event: _Event) -> bytes | str:
        return self._render(logger, method, event)


class RateLimit:
    """A step that drops a line when its event was written often enough this minute."""

    def __init__(self, clock: Clock, most: int = ALIKE_A_MINUTE_MOST) -> None:
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self.suppressed = 0

    def __call__(self, logger: object, method: str, event: _Event) -> _Event:
        """The line as it is, or with the number of those suppressed before it; raises `DropEvent`."""
        now = self._clock.monotonic()
        window = self._window((str(event.get("event")), str(event.get("library"))), now)
        if now - window.began_seconds >= WINDOW_SECONDS:
            if window.suppressed:
                event["suppressed"] = window.suppressed
            window.began_seconds, window.written, window.suppressed = now, 0, 0
        if window.written >= self._most:
            window.suppressed += 1
            self.suppressed += 1
            raise structlog.DropEvent
        window.written += 1
        return event

    def _window(self, key: tuple[str, str], now: float) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(now)
            if len(self._windows) > EVENTS_KNOWN_MOST:
                self._windows.popitem(last=False)
        return window


@dataclass(slots=True)
class _Window:
    began_seconds: float
    written: int = 0
    suppressed: int = 0


class _Clean:
    """The step that leaves only what may be written, in a fixed order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, logger: object, method: str, event: _Event) -> _Event:
        problem = event.pop("exc_info", None)
        if problem is True:
            problem = sys.exc_info()[1]
        if isinstance(problem, BaseException):
            event["error"] = problem
        head = {
            "at": self._clock.utc().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": event.pop("level"),
            "event": clean_text(str(event.pop("event"))),
        }
        return head | clean(event)


def _as_json(logger: object, method: str, event: _Event) -> bytes:
    return orjson.dumps(dict(event))


class _Lines:
    """What structlog calls with the finished line."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines

    def msg(self, line: bytes | str) -> None:
        self._lines.write(line.encode(errors="replace") if isinstance(line, str) else line)

    debug = info = warning = error = msg


class LibraryHandler(logging.Handler):
    """Takes what libraries log by the standard way: the first line of the template, never the values put into it."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as a line of the log."""
        text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        fields: dict[str, object] = {"library": record.name, "reason": text.partition("\n")[0]}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = record.exc_info[1]
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        write(LIBRARY_EVENT, **fields)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Nothing: the standard way prints the record with all its values."""


def listen_to_libraries(log: Log) -> Callable[[], None]:
    """Send the warnings and errors of all libraries to the log; give the function that undoes it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [LibraryHandler(log)]
    root.setLevel(logging.WARNING)

    def undo() -> None:
        root.handlers[:] = before
        root.setLevel(level)

    return undo
