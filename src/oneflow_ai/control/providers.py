"""The providers: how they are set up, how they stand, what they have done, and which does best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Path
from pydantic import ConfigDict

from oneflow_ai.control.access import Role, needs
from oneflow_ai.control.checking import Checked, Checks
from oneflow_ai.control.ports import ControlPorts, Ports
from oneflow_ai.control.shapes import NAME_CHARACTERS_MOST, Shown
from oneflow_ai.core.call import Task
from oneflow_ai.core.failure import NOT_FOUND, Failure
from oneflow_ai.insight.standing import Observed, Standing, any_targets, best_of, provider_statuses
from oneflow_ai.policy.health import BreakerState, State
from oneflow_ai.settings import ProviderSettings, configured_providers
from oneflow_ai.stores.memory_quota import QuotaState

SCORE_DIGITS = 4
_METRICS: dict[str, Any] = {
    "total_requests": 40,
    "successful_requests": 39,
    "failed_requests": 1,
    "success_rate": "97.5%",
    "average_response_time": "1.25s",
    "total_cost": "$0.0421",
    "last_error": "upstream_timeout: acme did not answer in time",
}
_PROVIDER: dict[str, Any] = {
    "name": "acme",
    "kind": "openai",
    "status": "available",
    "configured": True,
    "simulated": False,
    "base_url": "https://api.acme.example/v1",
    "models": 12,
    "listed_at": "2026-11-26T06:00:00Z",
    "listing_failure": None,
    "limits": {"requests_per_minute": 60, "tokens_per_minute": 0, "concurrency": 0},
    "breakers": [],
    "credentials": [{"credential": "acme", "set_aside": False, "quota": None}],
}


class LimitsShown(Shown):
    """Ceilings for each credential; 0 means none."""

    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int


class BreakerShown(Shown):
    """The breaker of one model at its provider: failures among the last outcomes, seconds until it is tried again."""

    place: str
    state: State
    failures: int
    outcomes: int
    open_seconds_left: float


class QuotaShown(Shown):
    """How a credential stands with the provider's limits; a limit of 0 means none.

    `stopped_seconds` is how long it rests after a refusal; `factor` is the part of its ceilings in force.
    """

    waiting: int
    in_flight: int
    requests_used: int
    requests_limit: int
    tokens_used: int
    tokens_limit: int
    concurrency_limit: int
    stopped_seconds: float
    factor: float


class CredentialShown(Shown):
    """One credential by its name; `set_aside` when the provider refused it; `quota` once it has been used."""

    credential: str
    set_aside: bool
    quota: QuotaShown | None


class ProviderShown(Shown):
    """How one provider is set up and how it stands; `models` is how many models can be called today.

    `listed_at` is when (UTC) its own list of models was had last, `listing_failure` why it could not be had since.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_PROVIDER]})

    name: str
    kind: str
    status: Standing
    configured: bool
    simulated: bool
    base_url: str | None
    models: int
    listed_at: datetime | None
    listing_failure: str | None
    limits: LimitsShown | None
    breakers: list[BreakerShown]
    credentials: list[CredentialShown]


class ProvidersShown(Shown):
    """Every provider, those without a credential too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"providers": [_PROVIDER]}]})

    providers: list[ProviderShown]


class MetricsShown(Shown):
    """What a provider has done since the process began; a call counts once at each provider that it tried."""

    model_config = ConfigDict(json_schema_extra={"examples": [_METRICS]})

    total_requests: int
    successful_requests: int
    failed_requests: int
    success_rate: str
    average_response_time: str
    total_cost: str
    last_error: str | None


class ProviderStatusShown(Shown):
    """How one provider stands, and what it has done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "available", "metrics": _METRICS}]})

    status: Standing
    metrics: MetricsShown


class ProviderDetail(ProviderShown):
    """How one provider is set up, how it stands, and what it has done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_PROVIDER, "metrics": _METRICS}]})

    metrics: MetricsShown


class BestShown(Shown):
    """The provider of a task that does best, its score from 0 to 1, and why; null when none can be used."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"best_provider": "acme", "score": 0.93, "why": "the highest score: acme 0.930, other 0.871"},
                {"best_provider": None, "score": None, "why": "none of this task is configured"},
            ]
        }
    )

    best_provider: str | None
    score: float | None
    why: str


class CheckShown(Shown):
    """Whether a provider answers each of its credentials, asked by its free list of models."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "acme",
                    "ok": False,
                    "simulated": False,
                    "credentials": [
                        {
                            "credential": "acme",
                            "ok": False,
                            "status": 401,
                            "code": "provider_auth_failed",
                            "message": "the provider refused the gateway's credential",
                            "models": None,
                            "account": None,
                            "seconds": 0.21,
                        }
                    ],
                }
            ]
        }
    )

    provider: str
    ok: bool
    simulated: bool
    credentials: list[Checked]


Named = Annotated[str, Path(alias="name", max_length=NAME_CHARACTERS_MOST, description="The provider's name.")]


@needs(Role.VIEWER)
async def providers(ports: Ports) -> ProvidersShown:
    """Every provider: how it is set up and how it stands."""
    observed = ports.observed()
    breakers = observed.breakers()
    return ProvidersShown(
        providers=[
            _shown(ports, observed, name, settings, breakers.get(name, ()))
            for name, settings in configured_providers(ports.running.loaded).items()
        ]
    )


@needs(Role.VIEWER)
async def statuses(ports: Ports) -> dict[str, ProviderStatusShown]:
    """How every provider stands and what it has done, by name."""
    running = ports.running
    found = provider_statuses(configured_providers(running.loaded), ports.observed(), running.tally)
    return {name: ProviderStatusShown.model_validate(status) for name, status in found.items()}


@needs(Role.VIEWER)
async def best(ports: Ports, task: Task) -> BestShown:
    """The provider that does best at a task, among those of the task's route."""
    running = ports.running
    found = best_of(running.desk.snapshot.routes[task.value], running.books.scores, ports.observed())
    score = None if found.score is None else round(found.score, SCORE_DIGITS)
    return BestShown(best_provider=found.provider, score=score, why=found.why)


@needs(Role.VIEWER)
async def provider(ports: Ports, name: Named) -> ProviderDetail:
    """One provider: how it is set up, how it stands, what it has done."""
    observed = ports.observed()
    shown = _shown(ports, observed, name, _known(ports, name), observed.breakers().get(name, ()))
    metrics = MetricsShown.model_validate(ports.running.tally.of(name).shown())
    return ProviderDetail(**dict(shown), metrics=metrics)


@needs(Role.ADMINISTRATOR)
async def check(ports: Ports, checks: Checks, name: Named) -> CheckShown:
    """Ask the provider for its list of models, which is free, with each credential; at most once a minute."""
    _known(ports, name)
    snapshot = ports.running.desk.snapshot
    credentials = await checks.run(name, snapshot, ports.running)
    simulated = any(target.simulated for target in any_targets(snapshot.providers[name]))
    ok = all(each.ok for each in credentials)
    return CheckShown(provider=name, ok=ok, simulated=simulated, credentials=list(credentials))


def add_routes(router: APIRouter) -> None:
    """Add these endpoints; the fixed names come before the one that stands for any."""
    router.get("/api/providers", tags=["providers"])(providers)
    router.get("/api/providers/status", tags=["providers"])(statuses)
    router.get("/api/providers/best/{task}", tags=["providers"])(best)
    router.get("/api/providers/{name}", tags=["providers"])(provider)
    router.post("/api/providers/{name}/check", tags=["providers"])(check)


def breaker_shown(breaker: BreakerState) -> BreakerShown:
    """A breaker as it is shown."""
    return BreakerShown(
        place=breaker.place,
        state=breaker.state,
        failures=breaker.failures,
        outcomes=breaker.outcomes,
        open_seconds_left=round(breaker.open_seconds_left, 3),
    )


def _known(ports: ControlPorts, name: str) -> ProviderSettings:
    settings = configured_providers(ports.running.loaded).get(name)
    if settings is None:
        raise Failure(NOT_FOUND, "there is no provider of this name", param="name")
    return settings


def _shown(
    ports: ControlPorts,
    observed: Observed,
    name: str,
    settings: ProviderSettings,
    breakers: Sequence[BreakerState],
) -> ProviderShown:
    found, lists = observed.snapshot.providers.get(name), ports.running.lists
    listing = lists.known.get(name)
    targets = any_targets(found) if found is not None and found.configured else ()
    limits = targets[0].limits if targets else None
    return ProviderShown(
        name=name,
        kind=settings.kind,
        status=observed.standing(name, breakers),
        configured=bool(targets),
        simulated=any(target.simulated for target in targets),
        base_url=_address(settings.base_url),
        models=len(found.listed) if found is not None else 0,
        listed_at=listing.at if listing is not None and targets else None,
        listing_failure=lists.failures.get(name),
        limits=None
        if limits is None
        else LimitsShown(
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            concurrency=limits.concurrency,
        ),
        breakers=[breaker_shown(each) for each in breakers],
        credentials=[
            CredentialShown(
                credential=each.credential.id,
                set_aside=observed.health.quarantined(each.credential, observed.now_seconds),
                quota=_quota(ports.running.quota.state(each.credential.id)),
            )
            for each in targets
        ],
    )


def _quota(state: QuotaState | None) -> QuotaShown | None:
    return None if state is None else QuotaShown(**asdict(state))


def _address(url: str | None) -> str | None:
    """An address without a user's name, password or query, should it ever carry one."""
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
