"""Gets the answer that `oneflow ask` prints, and prints it with who gave it and what it cost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from oneflow_ai.answer import Answer, MediaAnswer
from oneflow_ai.cli.configured import load_settings
from oneflow_ai.cli.output import as_json, for_terminal, note, note_faint, say, say_piece
from oneflow_ai.cli.remote import Remote, remote_of
from oneflow_ai.cli.remote_media import transcribe
from oneflow_ai.cli.stopping import run
from oneflow_ai.core.events import Usage
from oneflow_ai.settings import Loaded

if TYPE_CHECKING:
    from oneflow_ai.cli.ask import AskOptions

SIMULATED = "simulated: the built-in simulator answered, no model did"

OnPiece = Callable[[str], None]


def answer(prompt: str, options: AskOptions) -> None:
    """Ask, and print the answer; raises `Refused` and `OneFlowError`."""
    loaded = load_settings(options.config)
    remote = remote_of(options.server, loaded)
    printer = _Printer() if options.stream else None
    try:
        given = run(_asked(loaded, remote, prompt, options, printer))
    except BaseException:
        if printer is not None:
            printer.end()
        raise
    if options.as_json:
        _put(options, as_json(given.as_dict()))
    elif printer is not None:
        printer.end()
    else:
        _put(options, given.text)
    _footer(given, options)


async def _asked(
    loaded: Loaded, remote: Remote | None, prompt: str, options: AskOptions, on_piece: OnPiece | None
) -> Answer:
    written = options.task == "transcription"
    if remote is not None:
        if written:
            return await transcribe(remote, Path(prompt), options.place, options.asked())
        return await remote.ask(prompt, options.place, options.asked(), on_piece)
    # Loaded only now: the engine takes much longer to import than a request to a server.
    from oneflow_ai.client import AsyncOneFlow

    async with AsyncOneFlow(settings=loaded) as flow:
        if written:
            return await flow.transcribe(prompt, options.place, **options.asked())
        return await flow.text(prompt, options.place, on_piece=on_piece, **options.asked())


class _Printer:
    """Prints pieces as they come, and ends the last line."""

    def __init__(self) -> None:
        self._last = "\n"

    def __call__(self, piece: str) -> None:
        say_piece(for_terminal(piece))
        self._last = piece or self._last

    def end(self) -> None:
        """Ends the line that the last piece left open. Harmless if repeated."""
        if not self._last.endswith("\n"):
            say()
            self._last = "\n"


def _put(options: AskOptions, text: str) -> None:
    file = options.output
    if file is None:
        say(for_terminal(text))
        return
    file.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8", errors="replace")
    note_faint(f"written to {file}")


def _footer(given: Answer, options: AskOptions) -> None:
    if given.finish_reason == "length":
        note("cut: the answer reached its longest length; --max-tokens sets it")
    footer(given, options)


def footer(given: Answer | MediaAnswer, options: AskOptions) -> None:
    """Tell who answered, for what; that nobody did, if it was simulated."""
    if given.simulated:
        note(SIMULATED)
    if not options.as_json and sys.stderr.isatty():
        cost = f"${given.cost_usd:.6f}".rstrip("0").rstrip(".") if given.cost_usd else "$0"
        note_faint(f"{given.provider}/{given.model} · {used(given.usage)} · {cost} · {given.seconds:.1f} s")


def used(usage: Usage) -> str:
    """What an answer used, in words: tokens, and what else there was."""
    seconds = usage.audio_milliseconds / 1000
    counts = (
        (usage.characters, f"{usage.characters} characters"),
        (usage.images, "1 picture" if usage.images == 1 else f"{usage.images} pictures"),
        (seconds, f"{seconds:.1f} s of sound"),
    )
    others = [words for count, words in counts if count]
    if others and not (usage.input_tokens or usage.output_tokens):
        return ", ".join(others)
    return ", ".join((f"{usage.input_tokens} tokens in, {usage.output_tokens} out", *others))
