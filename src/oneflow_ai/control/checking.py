"""Checks a provider's address and credentials by its free list of models: at most once a minute, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Request

from oneflow_ai.control.ports import Running
from oneflow_ai.control.shapes import Shown
from oneflow_ai.core.failure import (
    INVALID_VALUE,
    PROVIDER_NOT_CONFIGURED,
    RATE_LIMIT_EXCEEDED,
    Failure,
)
from oneflow_ai.core.target import Snapshot, Target
from oneflow_ai.flow.listing import ask_standing
from oneflow_ai.insight.standing import any_targets
from oneflow_ai.policy.waits import apart
from oneflow_ai.telemetry.fields import clean_text

CHECK_EVERY_SECONDS = 60.0


class Checked(Shown):
    """What came of asking with one credential: the HTTP status, and the failure's code and words unless it is `ok`.

    `account` is what is left of it, where the provider tells that.
    """

    credential: str
    ok: bool
    status: int | None
    code: str | None
    message: str | None
    models: int | None
    account: str | None
    seconds: float


class ProviderChecks:
    """Checks providers, and remembers when each was checked last."""

    def __init__(self) -> None:
        self._checked_seconds: dict[str, float] = {}

    async def run(self, name: str, snapshot: Snapshot, running: Running) -> Sequence[Checked]:
        """Ask with each credential; raises `Failure` for a provider that cannot be asked, or was asked a moment ago."""
        targets = _targets(name, snapshot)
        now = running.clock.monotonic()
        # Only names of the configuration come here; those that left it are forgotten.
        self._checked_seconds = {key: at for key, at in self._checked_seconds.items() if key in snapshot.providers}
        wait = self._checked_seconds.get(name, -CHECK_EVERY_SECONDS) + CHECK_EVERY_SECONDS - now
        if wait > 0:
            words = "a provider is checked once a minute at most"
            raise Failure(RATE_LIMIT_EXCEEDED, words, retry_after_seconds=apart(wait, running.chance.random()))
        self._checked_seconds[name] = now
        return await asyncio.gather(*(_check(target, running) for target in targets))


async def _checks(request: Request) -> ProviderChecks:
    checks = request.app.state.checks
    assert isinstance(checks, ProviderChecks)
    return checks


Checks = Annotated[ProviderChecks, Depends(_checks)]
"""What an endpoint declares to be given the checks."""


def _targets(name: str, snapshot: Snapshot) -> Sequence[Target]:
    provider = snapshot.providers[name]
    if not provider.configured:
        raise Failure(PROVIDER_NOT_CONFIGURED, f"provider {name} has no credential")
    targets = any_targets(provider)
    # Where the version goes into the query, models are deployments, and the list lies elsewhere.
    if any("api_version" in one.options and not one.base_url.endswith("/v1") for one in targets):
        raise Failure(INVALID_VALUE, "this kind of provider has no free call to check it by", param="name")
    return targets


async def _check(target: Target, running: Running) -> Checked:
    answer = await ask_standing(target, running.upstream, running.clock)
    failure = answer.failure
    return Checked(
        credential=target.credential.id,
        ok=failure is None,
        status=answer.status,
        code=None if failure is None else failure.kind.code,
        message=None if failure is None else clean_text(failure.message),
        models=answer.count,
        account=answer.account,
        seconds=round(answer.seconds, 3),
    )
