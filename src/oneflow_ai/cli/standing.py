"""Providers as this machine knows them without a server: from the configuration, the history, and by asking them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from oneflow_ai.app.runtime import Runtime
from oneflow_ai.cli.configured import Compiled, compiled
from oneflow_ai.cli.failures import Refused, misuse
from oneflow_ai.cli.remote_checks import unchecked
from oneflow_ai.control.checking import ProviderChecks
from oneflow_ai.core.call import Task
from oneflow_ai.core.failure import CLIENT_CLOSED, INVALID_VALUE, Failure
from oneflow_ai.insight.standing import Observed, any_targets, best_of
from oneflow_ai.insight.tally import money_text, percent_text, seconds_text
from oneflow_ai.policy.health import HealthBook
from oneflow_ai.policy.score import ScoreBook
from oneflow_ai.settings import Loaded, configured_providers, database_path
from oneflow_ai.stores.history import Cursor, Filters, History, ProviderTotals, Record
from oneflow_ai.stores.sqlite import Database

STATUS_DAYS = 30
"""How far back the figures of `status` go."""

SCORE_HOURS = 6
"""How far back `best` looks: twelve half-lives, beyond which a call counts for nothing."""

SCORE_CALLS_MOST = 10_000
SCORE_DIGITS = 4
_PAGE_ROWS = 500


def provider_rows(loaded: Loaded) -> list[dict[str, Any]]:
    """Every provider as it is set up, in the shape of `GET /api/providers`."""
    found = compiled(loaded)
    observed = _observed(found, 0.0)
    rows = []
    for name, settings in configured_providers(loaded).items():
        provider = found.snapshot.providers.get(name)
        targets = any_targets(provider) if provider is not None else ()
        limits = targets[0].limits if targets else None
        rows.append(
            {
                "name": name,
                "kind": settings.kind,
                "status": observed.standing(name, ()),
                "configured": provider is not None and provider.configured,
                "simulated": any(target.simulated for target in targets),
                "base_url": settings.base_url,
                "models": len(provider.listed) if provider is not None else 0,
                "limits": None
                if limits is None
                else {
                    name: getattr(limits, name) for name in ("requests_per_minute", "tokens_per_minute", "concurrency")
                },
            }
        )
    return rows


async def statuses(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """How every provider stands and what it did, by the history, in the shape of `GET /api/providers/status`."""
    observed = _observed(compiled(loaded), 0.0)
    figures: dict[str, dict[str, Any]] = {}
    async with _history(loaded) as history:
        if history is not None:
            figures = await _figures(history, datetime.now(UTC) - timedelta(days=STATUS_DAYS))
    return {
        name: {"status": observed.standing(name, ()), "metrics": figures.get(name) or _metrics(None, 0, None)}
        for name in configured_providers(loaded)
    }


async def best_provider(loaded: Loaded, task: Task) -> dict[str, Any]:
    """Which provider of a task's route does best by the history, in the shape of `GET /api/providers/best/{task}`."""
    found = compiled(loaded)
    now = datetime.now(UTC)
    scores = ScoreBook()
    async with _history(loaded) as history:
        for record in await _recent(history, now) if history is not None else ():
            if not record.simulated or found.demo:
                for tried in record.attempts:
                    scores.add(tried.place, tried.outcome == "ok", tried.seconds, record.at.timestamp())
    best = best_of(found.snapshot.routes[task.value], scores, _observed(found, now.timestamp()))
    score = None if best.score is None else round(best.score, SCORE_DIGITS)
    return {"best_provider": best.provider, "score": score, "why": best.why}


async def checks(loaded: Loaded, name: str | None) -> list[dict[str, Any]]:
    """What each provider, or the named one, answers to its free call, a row for each key; raises `Refused`."""
    known = configured_providers(loaded)
    if name is not None and name not in known:
        raise misuse(f"oneflow providers check: there is no provider {name}; known are {', '.join(known)}")
    async with Runtime(loaded, in_process=True) as runtime:
        snapshot = runtime.desk.snapshot
        names = [name] if name is not None else [one.name for one in snapshot.providers.values() if one.configured]
        if not names:
            raise Refused("oneflow providers check: no provider has a key; `oneflow doctor` tells how to give it one")
        checking = ProviderChecks()
        answers = await asyncio.gather(*(checking.run(one, snapshot, runtime) for one in names), return_exceptions=True)
        rows = []
        for one, answer in zip(names, answers, strict=True):
            if isinstance(answer, Failure):
                # It is no fault of a provider that its kind has no free call.
                failed = answer.kind is not INVALID_VALUE
                rows.append(unchecked(one, answer.code, answer.message, failed=failed))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                simulated = any(target.simulated for target in any_targets(snapshot.providers[one]))
                rows += [{"provider": one, "simulated": simulated, **each.model_dump()} for each in answer]
        return rows


def _observed(found: Compiled, now_seconds: float) -> Observed:
    # Breakers live in a server: without one, whatever is configured counts as available.
    return Observed(found.snapshot, HealthBook(), now_seconds)


@asynccontextmanager
async def _history(loaded: Loaded) -> AsyncIterator[History | None]:
    """The history of this home; None where nothing has been called yet."""
    path = database_path(loaded)
    if not path.exists():
        yield None
        return
    database = await Database.open(path)
    try:
        yield History(database)
    finally:
        await database.close()


async def _figures(history: History, since: datetime) -> dict[str, dict[str, Any]]:
    given_up = {
        one.provider: one.totals.requests - one.totals.simulated
        for one in await history.provider_totals(Filters(since=since, outcome=CLIENT_CLOSED.code))
    }
    figures = {}
    for totals in await history.provider_totals(Filters(since=since)):
        page = await history.page(Filters(provider=totals.provider, since=since), limit=_PAGE_ROWS)
        errors = (_error(record) for record in page.records if not record.simulated)
        last_error = next((error for error in errors if error is not None), None)
        figures[totals.provider] = _metrics(totals, given_up.get(totals.provider, 0), last_error)
    return figures


def _error(record: Record) -> str | None:
    """How a call failed, in the words that were kept; None for a success and for a client that went away."""
    if record.outcome in ("ok", CLIENT_CLOSED.code):
        return None
    return f"{record.outcome}: {record.message}" if record.message else record.outcome


def _metrics(found: ProviderTotals | None, given_up: int, last_error: str | None) -> dict[str, Any]:
    """The seven figures of a provider: calls that were simulated, or given up by their client, count nowhere."""
    totals = found.totals if found is not None else None
    real = totals.requests - totals.simulated - given_up if totals is not None else 0
    successes = totals.successes if totals is not None else 0
    return {
        "total_requests": real,
        "successful_requests": successes,
        "failed_requests": real - successes,
        "success_rate": percent_text(successes, real),
        "average_response_time": seconds_text((found.mean_seconds if found is not None else None) or 0.0),
        "total_cost": money_text(totals.cost_nanos if totals is not None else 0),
        "last_error": last_error,
    }


async def _recent(history: History, now: datetime) -> Sequence[Record]:
    """The latest calls, the oldest first."""
    filters = Filters(since=now - timedelta(hours=SCORE_HOURS))
    records: list[Record] = []
    before: Cursor | None = None
    while len(records) < SCORE_CALLS_MOST:
        page = await history.page(filters, before, _PAGE_ROWS)
        records += page.records
        before = page.next
        if before is None:
            break
    return records[::-1]
