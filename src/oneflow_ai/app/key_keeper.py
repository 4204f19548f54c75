"""Keeps a server's providers' keys as they are meant to be: takes up changes, lets old ones end, tells of their age."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from oneflow_ai.app.keys import opened_keys
from oneflow_ai.app.provider_keys import aged, forget_ended
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.kept_key import KeptKey
from oneflow_ai.core.ports import Clock
from oneflow_ai.policy.rotation import Age, age_days
from oneflow_ai.settings import Loaded
from oneflow_ai.stores import StoreRefused
from oneflow_ai.stores.vault import Vault, Version
from oneflow_ai.telemetry.log import Log

KEYS_CHECK_SECONDS = 0.5


class Served(Protocol):
    """What serves with the keys."""

    @property
    def loaded(self) -> Loaded:
        """The configuration in force, with the keys that are in use."""

    @property
    def keys_end(self) -> datetime | None:
        """When the next of these keys ends."""

    @property
    def clock(self) -> Clock:
        """Time."""

    def take_up_keys(self, vault: Mapping[str, tuple[KeptKey, ...]]) -> None:
        """Serve with the keys that are in use by now, these of the vault among them; raises `ValueError`."""


class KeyKeeper:
    """Looks at the vault and the clock every `KEYS_CHECK_SECONDS`; `turn` is held while keys change hands.

    A change of a file of keys is taken up with the configuration; only the end of a key is seen here.
    """

    def __init__(self, served: Served, vault: Vault, log: Log, turn: asyncio.Lock) -> None:
        self._served = served
        self._vault = vault
        self._log = log
        self._turn = turn
        self._version: Version | None = None
        self._told_on: date | None = None

    async def run(self) -> None:
        """Look again and again; a look that fails changes nothing, and is told once."""
        failing = False
        while True:
            try:
                await self.look()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever one look meets, the keys known stay and it is looked again
                if not failing:
                    self._log.warning(
                        "the providers' keys cannot be read anew; those known stay in force", **_why(error)
                    )
                failing = True
            await self._served.clock.sleep(KEYS_CHECK_SECONDS)

    async def look(self) -> None:
        """One look; raises what keeps it from being taken up."""
        version = await self._vault.version()
        now = self._served.clock.utc()
        end = self._served.keys_end
        ended = end is not None and end <= now
        known = self._version
        changed = version != known if known is not None else bool(version or self._served.loaded.vault)
        if ended or changed:
            await self._take_up(now, ended=ended)
        self._version = version
        if self._told_on != now.date():
            self._told_on = now.date()
            self._tell_age(now)

    async def _take_up(self, now: datetime, *, ended: bool) -> None:
        async with self._turn:
            keys = opened_keys(await self._vault.open())
            self._served.take_up_keys(keys)
        if ended:
            await forget_ended(self._served.loaded, self._vault, now)
            self._log.info("a provider's old key has ended")

    def _tell_age(self, now: datetime) -> None:
        for name, age, key in aged(replace(self._served.loaded, at=now)):
            tell = self._log.warning if age is Age.OVERDUE else self._log.info
            tell(
                "a provider's key is old, in days: `oneflow keys rotate` replaces it",
                provider=name,
                count=age_days(key, now),
            )


def _why(error: Exception) -> dict[str, object]:
    match error:
        case Failure():
            return {"reason": error.message}
        case ValueError() | StoreRefused():
            return {"reason": "; ".join(str(error).splitlines())}
    return {"error": error}
