"""What loading gives: the settings, where each came from, and all that is needed to follow their references."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.settings.mistakes import Mistake, SettingPath
from oneflow_ai.settings.tables import Settings


class Kind(Protocol):
    """What settings must know of a sort of provider; a row of the provider table is one."""

    @property
    def base_url(self) -> str | None:
        """Its own address; None where the operator must give one."""

    @property
    def environment(self) -> str | None:
        """The variable that its key is looked for in."""

    @property
    def key_required(self) -> bool:
        """Whether it answers nobody without a key."""

    @property
    def key_mistake(self) -> Callable[[str], str]:
        """Tells what is wrong with a key, without a word of it; empty for what may be one."""


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """The sort of provider that everybody has without configuring it."""

    base_url: str | None
    environment: str | None
    key_required: bool = True
    key_mistake: Callable[[str], str] = lambda key: ""


# Addresses as in the providers' API references, 2026-11-23.
DEFAULT_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "openai": OwnPlace("https://api.openai.com/v1", "OPENAI_API_KEY"),
        "anthropic": OwnPlace("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
        "stability": OwnPlace("https://api.stability.ai", "STABILITY_API_KEY"),
        "elevenlabs": OwnPlace("https://api.elevenlabs.io", "ELEVENLABS_API_KEY"),
    }
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was checked.

    `home` is where the gateway keeps its files, `file` the configuration file or None, `directory` the working
    directory. `sources` says of each setting's dotted name where its value came from: `default`, `oneflow.toml:12` or a
    variable; `place_of` gives the nearest such place for any path, be it a table or an element of a list. `kinds` are
    the sorts of provider, when they were given to `load`. `vault` are the keys that the database keeps, by provider,
    opened; while it is `sealed`, nobody knows what is in it. Keys whose time is over at the moment `at` are not used.
    `environment` and keys never print. `written` are the providers that have a table in the file: variables have no
    order of their own.
    """

    settings: Settings
    home: Path
    file: Path | None
    sources: Mapping[str, str] = field(repr=False)
    directory: Path
    environment: Mapping[str, str] = field(repr=False)
    place_of: Callable[[SettingPath], str] = field(repr=False, compare=False)
    kinds: Mapping[str, Kind] | None = field(default=None, repr=False)
    warnings: tuple[Mistake, ...] = ()
    vault: Mapping[str, tuple[KeptKey, ...]] = field(default_factory=dict, repr=False)
    at: datetime = field(default_factory=_now, compare=False)
    written: frozenset[str] = frozenset()
    sealed: bool = True

    def kind(self, name: str) -> Kind | None:
        """Gives what is known of a sort of provider."""
        return (self.kinds or {}).get(name) or DEFAULT_KINDS.get(name)
