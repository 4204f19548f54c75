"""What the parts of OneFlow may expect of a log, and the log of those who want none."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """Takes one line: what happened, in fixed words, and the particulars by name (those that `fields.FIELDS` lists)."""

    def debug(self, event: str, /, **fields: object) -> object:
        """For whoever looks for a fault."""

    def info(self, event: str, /, **fields: object) -> object:
        """Something changed, as it should."""

    def warning(self, event: str, /, **fields: object) -> object:
        """Something is worse than it should be, and calls are still served."""

    def error(self, event: str, /, **fields: object) -> object:
        """Something failed that an operator must look at."""


class NoLog:
    """A log that keeps nothing, for the library inside other people's programs."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Nothing."""

    def info(self, event: str, /, **fields: object) -> None:
        """Nothing."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Nothing."""

    def error(self, event: str, /, **fields: object) -> None:
        """Nothing."""
