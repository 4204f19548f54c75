"""Which settings a running server cannot take up, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator

from oneflow_ai.settings import Loaded, Settings

AT_A_RESTART = (
    "server.host",
    "server.port",
    "server.workers",
    "server.secret",
    "server.engine",
    "server.head_seconds",
    "server.body_idle_seconds",
    "server.write_seconds",
    "server.drain_seconds",
    "database.url",
    "state.url",
)
"""What stands in `[section]` and is read once, when the server starts; every other setting is taken up by a reload."""


def check_reload(before: Loaded, after: Loaded) -> None:
    """Refuse a configuration that a running server could not take up whole; raises `ValueError` that names why."""
    changed = list(_changed(before.settings, after.settings))
    if changed:
        raise ValueError(f"{', '.join(changed)}: cannot change while the server runs; restart it")


def _changed(before: Settings, after: Settings) -> Iterator[str]:
    for name in AT_A_RESTART:
        section, _, key = name.partition(".")
        if getattr(getattr(before, section), key) != getattr(getattr(after, section), key):
            yield name
