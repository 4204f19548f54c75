"""How a verb ends badly: one line on standard error for each thing to mend, and the exit status; never a traceback."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterable

import typer

from oneflow_ai.answer import OneFlowError
from oneflow_ai.cli.output import note
from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.masking import masked
from oneflow_ai.stores import StoreRefused

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
TERMINATED = 143
KEYS_VERBS = "oneflow keys"
# What only another command line can mend.
_MISUSES = frozenset(
    kind.code
    for kind in (
        kinds.AMBIGUOUS_MODEL, kinds.INVALID_MESSAGES, kinds.INVALID_NUMBER, kinds.INVALID_TYPE, kinds.INVALID_UNICODE,
        kinds.INVALID_VALUE, kinds.MISSING_REQUIRED_PARAMETER, kinds.MODEL_NOT_FOUND, kinds.MODEL_RETIRED,
        kinds.REQUEST_TOO_LARGE, kinds.UNSUPPORTED_OPERATION, kinds.UNSUPPORTED_PARAMETER,
    )
)  # fmt: skip
_TYPED = re.compile(r"'[^']*'|\([^)]*\)|(?<!\S)-\S+")


class Refused(Exception):
    """What a verb cannot do: the lines that say what to mend, and the exit status."""

    def __init__(self, *lines: str, status: int = FAILED) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.status = status


def misuse(*lines: str) -> Refused:
    """The end of a verb that was called wrongly, or whose configuration is wrong."""
    return Refused(*lines, status=MISUSED)


def guarded(work: Callable[[], object]) -> int:
    """Do the work of one command line; give its exit status, with everything that went wrong told."""
    try:
        status = work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the command's outermost edge: whatever it is becomes a line
        status, lines = _told(error)
        _note_all(lines)
    return status if isinstance(status, int) else 0


def _note_all(lines: Iterable[str]) -> None:
    for line in lines:
        note(line)


def _told(error: Exception) -> tuple[int, Iterable[str]]:
    match error:
        case Refused():
            return error.status, error.lines
        case typer.TyperException():
            return error.exit_code, [_usage(error)]
        case typer.Abort():
            return FAILED, ["oneflow: given up"]
        case OneFlowError():
            # What nobody was asked for, since it was not asked for rightly.
            misused = not error.attempts and error.code in _MISUSES
            return MISUSED if misused else FAILED, [f"oneflow: {error.message} ({error.code})"]
        case Failure():
            return FAILED, [f"oneflow: {error.message} ({error.code})"]
        case StoreRefused():
            return FAILED, [f"oneflow: {error}"]
        case OSError(strerror=str() as words):
            place = f"{error.filename}: " if error.filename is not None else ""
            return FAILED, [f"oneflow: {place}{words}"]
    return _unforeseen(error)


def _usage(error: typer.TyperException) -> str:
    words = " ".join(error.format_message().split()).removesuffix(".")
    words = words.replace("Value error, ", "").replace("Input should be", "should be")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "oneflow"
    if context is not None and command.startswith(KEYS_VERBS):
        # What was typed in a wrong place may be a key.
        own = {word for each in context.command.params for word in (*each.opts, each.metavar)}
        words = _TYPED.sub(lambda found: found[0] if found[0].strip("'") in own else "…", words)
    words = masked(words)
    return f"{command}: {words[:1].lower()}{words[1:]}; see {command} --help"


def _unforeseen(error: Exception) -> tuple[int, Iterable[str]]:
    """A mistake of the configuration that came to light late, or a fault of ours."""
    from oneflow_ai.settings import SettingsError, load

    if isinstance(error, SettingsError):
        return MISUSED, [str(mistake) for mistake in error.mistakes]
    try:
        wanted = load().settings.server.log_level == "debug"
    except SettingsError:
        wanted = False
    if wanted:
        _show_traceback(error)
        return FAILED, []
    words = masked(f"{type(error).__name__}: {error}".partition("\n")[0])
    return FAILED, [f"oneflow: a fault of the program: {words}; ONEFLOW_SERVER__LOG_LEVEL=debug shows where"]


def _show_traceback(error: Exception) -> None:
    """Print where an error arose; what its words may quote is hidden where it looks like a key."""
    for part in traceback.format_exception(error):
        sys.stderr.write(part if part.startswith("  File ") else masked(part))
