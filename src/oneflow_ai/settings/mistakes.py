"""What is wrong with a configuration, in words a person can act on; never with the value that was written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

SettingPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_CLOSE_ENOUGH = 0.6


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend: `where` it stands (`oneflow.toml:12` or a variable), which setting, what to do.

    A `warning` is told but does not keep the configuration from being used.
    """

    where: str
    name: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.name, self.message) if part)


class SettingsError(ValueError):
    """A configuration that cannot be used, with every mistake in it."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def dotted(path: Iterable[str | int]) -> str:
    """Gives a setting's path as one name: `routes.text.targets[0].weight`, with quotes where TOML needs them."""
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += ("." if name else "") + (part if _BARE_KEY.fullmatch(part) else f'"{part}"')
    return name


def closest(word: str, known: Iterable[str]) -> str | None:
    """Gives the known word that was probably meant, or None."""
    return next(iter(get_close_matches(word.lower(), list(known), n=1, cutoff=_CLOSE_ENOUGH)), None)
