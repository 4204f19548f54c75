"""Seals of reasoning that another wire made: wrapped for a client that only gives them back, unwrapped when it does."""

from __future__ import annotations

_MARK = "of:"


def wrapped(wire: str, seal: str) -> str:
    """A seal with the name of the wire that made it, in the place where a client keeps its own wire's."""
    return f"{_MARK}{wire}:{seal}"


def unwrapped(text: str) -> tuple[str, str]:
    """The wire that made a seal, empty for a client's own, and the seal."""
    if not text.startswith(_MARK):
        return "", text
    wire, colon, seal = text[len(_MARK) :].partition(":")
    return (wire, seal) if colon and wire.isidentifier() else ("", text)


def is_wrapped(value: object) -> bool:
    """Whether a value is the seal of another wire."""
    return isinstance(value, str) and unwrapped(value)[0] != ""
