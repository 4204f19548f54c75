"""Takes a provider's key without showing it: hidden on a terminal, else a line of standard input; never an argument."""

from __future__ import annotations

import getpass
import sys

from oneflow_ai.cli.failures import misuse
from oneflow_ai.core.target import Secret

LINE_CHARACTERS_MOST = 8_192


def hidden_line(prompt: str) -> str | None:
    """What was typed, without the spaces around it; None when the input has ended. Raises `Refused` for no text."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(prompt).strip()
        except EOFError:
            return None
    try:
        line = rest = sys.stdin.readline(LINE_CHARACTERS_MOST)
        while rest and not rest.endswith("\n"):
            # What is longer than any key is no part of the next one.
            rest = sys.stdin.readline(LINE_CHARACTERS_MOST)
    except UnicodeDecodeError:
        raise misuse("oneflow keys: what came on standard input is no text") from None
    return line.strip() if line else None


def hidden_key(prompt: str) -> Secret | None:
    """The key that was typed; None for an empty line and for the input's end. Raises `Refused` for no text."""
    line = hidden_line(prompt)
    return Secret(line) if line else None
