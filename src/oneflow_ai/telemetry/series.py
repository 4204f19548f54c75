"""The counters behind the metrics: plain numbers, cheap enough to be moved on the event loop for every call."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from oneflow_ai.core.failure import KINDS
from oneflow_ai.core.record import Exchange
from oneflow_ai.core.target import Target

SERIES_MOST = 200
"""Most models with counters of their own; the rest of a provider's share one called `other`."""

PROVIDERS_MOST = 100
SECONDS_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

NONE = "none"
OTHER = "other"
OK = "ok"
SIMULATED = "simulated"

_OUTCOMES = frozenset((*KINDS, OK, SIMULATED))


class Spread:
    """How durations lie among `SECONDS_BOUNDS`: a count for each interval (upper bound included), and their sum."""

    __slots__ = ("counts", "sum_seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS_BOUNDS) + 1)
        self.sum_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(SECONDS_BOUNDS, seconds)] += 1
        self.sum_seconds += seconds


class Series:
    """The counters of one model at one provider. Tokens, cost and durations are of real, successful answers."""

    __slots__ = (
        "cached_tokens",
        "cost_nanos",
        "estimated",
        "first",
        "input_tokens",
        "odd",
        "outcomes",
        "output_tokens",
        "queued_seconds",
        "whole",
    )

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.input_tokens = 0
        self.output_tokens = 0
        self.cached_tokens = 0
        self.cost_nanos = 0
        self.queued_seconds = 0.0
        self.estimated = 0
        self.odd = 0
        self.whole = Spread()
        self.first = Spread()


class Book:
    """All counters: one series for each model at its provider, and the attempts at each provider by outcome.

    Names come from the configuration or from answers that succeeded, never from what a client or a provider made up,
    and are bounded: the rest is counted under `other`.
    """

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = {}
        self.attempts: dict[tuple[str, str], int] = {}
        self.refused: dict[str, int] = {}

    def bind(self, targets: Iterable[Target]) -> None:
        """Give the models of the configuration counters of their own, before the first call."""
        for target in targets:
            self._room_for(target.provider, target.model)

    def add(self, exchange: Exchange) -> None:
        """Count one finished exchange."""
        attempts = exchange.attempts
        for attempt in attempts:
            if not attempt.asked:
                continue
            outcome = attempt.outcome
            key = (attempt.target.provider, outcome if outcome in _OUTCOMES else OTHER)
            if key in self.attempts:
                self.attempts[key] += 1
            else:
                self._first_attempt(key)
        target = exchange.served or (attempts[-1].target if attempts else None)
        outcome = exchange.outcome
        series = None if target is None else self.series.get((target.provider, target.model))
        if series is None:
            series = self._new(target, outcome == OK)
        if target is not None and target.simulated and outcome == OK:
            outcome = SIMULATED
        elif outcome not in _OUTCOMES:
            outcome = OTHER
        series.outcomes[outcome] = series.outcomes.get(outcome, 0) + 1
        series.queued_seconds += exchange.queued_seconds
        if outcome != SIMULATED:
            _add_answer(series, exchange)

    def refuse(self, code: str) -> None:
        """Count a request that was refused before it became a call."""
        name = code if code in _OUTCOMES else OTHER
        self.refused[name] = self.refused.get(name, 0) + 1

    def _new(self, target: Target | None, succeeded: bool) -> Series:
        """The series of a call that has no model's own."""
        if target is None:
            return self._room_for(NONE, NONE)
        return self._room_for(target.provider, target.model if succeeded else OTHER)

    def _room_for(self, provider: str, model: str) -> Series:
        """The series of these names, made if there is room, else the next wider one."""
        found = self.series.get((provider, model))
        if found is None:
            if len(self.series) >= SERIES_MOST and model != OTHER:
                return self._room_for(provider, OTHER)
            if len(self.series) >= SERIES_MOST + PROVIDERS_MOST and provider != OTHER:
                return self._room_for(OTHER, OTHER)
            found = self.series[provider, model] = Series()
        return found

    def _first_attempt(self, key: tuple[str, str]) -> None:
        if len(self.attempts) >= PROVIDERS_MOST * len(_OUTCOMES):
            key = (OTHER, key[1])
        self.attempts[key] = self.attempts.get(key, 0) + 1


def _add_answer(series: Series, exchange: Exchange) -> None:
    usage = exchange.usage
    if usage is not None:
        series.input_tokens += usage.input_tokens
        series.output_tokens += usage.output_tokens
        series.cached_tokens += usage.cached_tokens
        if usage.odd:
            series.odd += 1
        if exchange.estimated:
            series.estimated += 1
    series.cost_nanos += exchange.cost_nanos
    if exchange.outcome == OK:
        began = exchange.call.started_seconds
        series.whole.add(exchange.ended_seconds - began)
        if exchange.first_event_seconds is not None:
            series.first.add(exchange.first_event_seconds - began)
