"""The providers' own lists of models: asked for in the background, kept in a file, told when they could not be had."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from oneflow_ai.core.listing import Listing
from oneflow_ai.core.ports import Clock, Upstream
from oneflow_ai.core.target import Snapshot
from oneflow_ai.flow.listing import ask_models
from oneflow_ai.insight.standing import any_targets
from oneflow_ai.providers.table import TABLE
from oneflow_ai.telemetry.fields import clean_text
from oneflow_ai.telemetry.log import Log

FILE = "models.json"
FILE_BYTES_MOST = 64 << 20


def read_lists(home: Path) -> Mapping[str, Listing]:
    """The lists as they were kept last, by provider; none where there is no such file, or one that cannot be read."""
    try:
        with (home / FILE).open("rb") as file:
            return msgspec.json.decode(file.read(FILE_BYTES_MOST), type=dict[str, Listing])
    except (OSError, ValueError):
        # They are had anew from the providers, and nothing depends on them until then.
        return {}


class ModelLists:
    """The last list of each provider; `failures` tells why a provider's newest could not be had."""

    def __init__(self, home: Path, log: Log) -> None:
        self._home = home
        self._log = log
        self.known: Mapping[str, Listing] = {}
        self.failures: dict[str, str] = {}

    def restore(self) -> None:
        """Take up what was kept last."""
        self.known = read_lists(self._home)

    async def refresh(self, snapshot: Snapshot, upstream: Upstream, clock: Clock) -> bool:
        """Ask every provider that has a credential and a list, one after the other; tell whether anything changed.

        A provider that fails keeps its last list. What is no longer configured is forgotten.
        """
        before, failing = self.known, dict(self.failures)
        found = {name: listing for name, listing in before.items() if name in snapshot.providers}
        for name, provider in snapshot.providers.items():
            targets = [one for one in any_targets(provider) if not one.simulated] if provider.configured else []
            if not targets or not TABLE[provider.kind].lists:
                continue
            for target in targets:
                answer = await ask_models(target, upstream, clock)
                if answer.failure is None:
                    found[name] = Listing(target.base_url, clock.utc(), answer.models)
                    failing.pop(name, None)
                    break
                failing[name] = clean_text(f"{answer.failure.code}: {answer.failure.message}")
        for name in failing.keys() - self.failures.keys():
            self._log.warning("a provider's list of models cannot be had", provider=name, reason=failing[name])
        self.known, self.failures = found, {name: why for name, why in failing.items() if name in snapshot.providers}
        await asyncio.to_thread(self._keep)
        return _told(before) != _told(found)

    def _keep(self) -> None:
        draft = self._home / f"{FILE}.{os.getpid()}.new"
        try:
            draft.write_bytes(msgspec.json.encode(self.known))
            draft.replace(self._home / FILE)
        except OSError as error:
            self._log.warning("the providers' lists of models cannot be kept", error=error)


def _told(lists: Mapping[str, Listing]) -> Mapping[str, object]:
    """What the lists say, whenever they said it."""
    return {name: (listing.base_url, listing.models) for name, listing in lists.items()}
