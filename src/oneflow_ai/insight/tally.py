"""What each provider has done since the process began, counted from finished exchanges; no clock, no store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from oneflow_ai.core.failure import (
    DRAINING,
    INSUFFICIENT_QUOTA,
    INTERNAL_ERROR,
    KINDS,
    OVERLOADED,
    in_own_words,
)
from oneflow_ai.core.money import usd_float
from oneflow_ai.core.record import Attempt, Exchange

PROVIDERS_MOST = 1_024
ERROR_CHARACTERS_MOST = 300


class ProviderMetrics(TypedDict):
    """The seven figures of one provider, as people are shown them: money `$0.0000`, share `100.0%`, time `0.00s`."""

    total_requests: int
    successful_requests: int
    failed_requests: int
    success_rate: str
    average_response_time: str
    total_cost: str
    last_error: str | None


@dataclass(slots=True)
class Counts:
    """One provider's counts. `seconds` is the sum over successes; `last_error` holds no secret and no prompt."""

    successes: int = 0
    failures: int = 0
    seconds: float = 0.0
    cost_nanos: int = 0
    last_error: str | None = None

    def shown(self) -> ProviderMetrics:
        """The counts as people are shown them."""
        requests = self.successes + self.failures
        return ProviderMetrics(
            total_requests=requests,
            successful_requests=self.successes,
            failed_requests=self.failures,
            success_rate=percent_text(self.successes, requests),
            average_response_time=seconds_text(self.seconds / self.successes if self.successes else 0.0),
            total_cost=money_text(self.cost_nanos),
            last_error=self.last_error,
        )


# A client's mistakes are found before anything is sent.
_NOT_THE_PROVIDERS = frozenset(
    kind.code
    for kind in KINDS.values()
    if kind.cause == "client" or kind in (DRAINING, INSUFFICIENT_QUOTA, INTERNAL_ERROR, OVERLOADED)
)


class ProviderTally:
    """Counts calls by provider; a watcher of finished exchanges.

    A call counts once at each provider that it tried: as a success where it was answered, else as a failure. What its
    client or the gateway itself brought about counts nowhere. Simulated answers count only where `simulated` is True:
    in demo mode. At most `PROVIDERS_MOST` providers are remembered; the one without a call for the longest is forgotten
    first.
    """

    def __init__(self, *, simulated: bool) -> None:
        self._simulated = simulated
        self._counts: OrderedDict[str, Counts] = OrderedDict()
        self._latest: tuple[str | None, Counts] = (None, Counts())

    def observe(self, exchange: Exchange) -> None:
        """Count one finished exchange."""
        attempts = exchange.attempts
        for attempt in attempts if len(attempts) == 1 else _last(attempts):
            target, outcome = attempt.target, attempt.outcome
            if outcome in _NOT_THE_PROVIDERS or (target.simulated and not self._simulated):
                continue
            latest, counts = self._latest
            if target.provider != latest:
                counts = self._room_for(target.provider)
            if outcome == "ok":
                counts.successes += 1
                counts.seconds += attempt.ended_seconds - attempt.started_seconds
            else:
                counts.failures += 1
                counts.last_error = _told(attempt)
        served = exchange.served
        if served is not None and exchange.cost_nanos and (self._simulated or not served.simulated):
            latest, counts = self._latest
            if served.provider != latest:
                counts = self._room_for(served.provider)
            counts.cost_nanos += exchange.cost_nanos

    def of(self, provider: str) -> Counts:
        """The counts of one provider; all zero for one that was never tried."""
        return self._counts.get(provider) or Counts()

    def _room_for(self, provider: str) -> Counts:
        found = self._counts.get(provider)
        if found is None:
            found = self._counts[provider] = Counts()
            if len(self._counts) > PROVIDERS_MOST:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(provider)
        self._latest = (provider, found)
        return found


def money_text(nanos: int) -> str:
    """Nano-USD as people are shown money: `$0.0012`."""
    return f"${usd_float(nanos):.4f}"


def percent_text(part: int, whole: int) -> str:
    """A share as people are shown it: `97.5%`; `100.0%` of nothing."""
    return f"{100.0 * part / whole if whole else 100.0:.1f}%"


def seconds_text(seconds: float) -> str:
    """A duration as people are shown it: `1.25s`."""
    return f"{seconds:.2f}s"


def _last(attempts: Iterable[Attempt]) -> Iterable[Attempt]:
    """The last attempt at each provider."""
    return {attempt.target.provider: attempt for attempt in attempts}.values()


def _told(attempt: Attempt) -> str:
    """A failure in words that may be shown: what a provider made up is left out, but for its status."""
    code = attempt.outcome
    if attempt.message and in_own_words(code):
        return f"{code}: {attempt.message}"[:ERROR_CHARACTERS_MOST]
    return code if code in KINDS else f"refused with status {attempt.status}"
