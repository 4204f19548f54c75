"""The metrics of one process in Prometheus's text format, made from plain counters when they are asked for."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Literal, TypeAlias

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from oneflow_ai.core.money import usd_float
from oneflow_ai.core.target import Target
from oneflow_ai.telemetry.series import SECONDS_BOUNDS, Book, Series, Spread

WATCHED_VALUES_MOST = 1_000
CONTENT_TYPE = CONTENT_TYPE_LATEST

Reading: TypeAlias = Callable[[], float | Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric read from its owner when it is asked for: its kind, what it means, and its label if it has one."""

    kind: Literal["counter", "gauge"]
    meaning: str
    label: str = ""


WATCHED: Mapping[str, Watched] = {
    "oneflow_in_flight": Watched("gauge", "Calls being served now."),
    "oneflow_queue_waiting": Watched("gauge", "Calls waiting for a turn at a provider's limit.", "credential"),
    "oneflow_breaker_state": Watched("gauge", "Breaker of a place: 0 closed, 1 half open, 2 open.", "place"),
    "oneflow_history_waiting": Watched("gauge", "Finished calls not yet written to the history."),
    "oneflow_history_dropped_total": Watched("counter", "Finished calls that the history lost."),
    "oneflow_log_lines_dropped_total": Watched("counter", "Log lines dropped: too many alike, or nobody reads them."),
    "oneflow_refused_share": Watched("gauge", "Share of new calls turned away as the gateway is too busy, 0 to 1."),
    "oneflow_event_loop_lag_seconds": Watched("gauge", "Longest delay of the event loop in the last 15 seconds."),
}

_PLACE = ("provider", "model")
_COUNTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "oneflow_requests_total": ("Calls by outcome: ok, simulated or a failure code.", (*_PLACE, "outcome")),
    "oneflow_attempts_total": ("Attempts at providers by outcome.", ("provider", "outcome")),
    "oneflow_refused_total": ("Requests refused before they became calls.", ("code",)),
    "oneflow_tokens_total": ("Tokens, as the provider counts them.", (*_PLACE, "direction")),
    "oneflow_cached_tokens_total": ("Input tokens that the provider read from its cache.", _PLACE),
    "oneflow_cost_usd_total": ("Cost in US dollars.", _PLACE),
    "oneflow_usage_estimated_total": ("Answers whose usage is not the provider's whole word.", _PLACE),
    "oneflow_usage_odd_total": ("Answers whose provider reported a usage that cannot be.", _PLACE),
    "oneflow_queued_seconds_total": ("Seconds that calls waited for a turn at a provider's limit.", _PLACE),
}
_SPREAD: Mapping[str, str] = {
    "oneflow_request_seconds": "Seconds from the request's arrival to the end of its answer, successes only.",
    "oneflow_first_event_seconds": "Seconds from the request's arrival to the first content, successes only.",
}
_BUILD = "oneflow_build_info"

NAMES = (*_COUNTED, *_SPREAD, *WATCHED, _BUILD)
"""Every metric of OneFlow's own, by its full name."""


class Metrics:
    """The metrics of one process.

    `observe` counts one finished exchange; `watch` ties a metric to whoever knows its value.
    """

    content_type = CONTENT_TYPE

    def __init__(self, version: str) -> None:
        self.book = Book()
        self.observe = self.book.add
        self._readings: dict[str, Reading] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Shown(self.book, self._readings, version))
        ProcessCollector(registry=self._registry)

    def refused(self, code: str) -> None:
        """Count a request that was refused, by its failure code, before it became a call."""
        self.book.refuse(code)

    def bind(self, targets: Iterable[Target]) -> None:
        """Give each model of the configuration its own counters; call it for every snapshot."""
        self.book.bind(targets)

    def watch(self, name: str, reading: Reading) -> None:
        """Tie a metric of `WATCHED` to a function: of a number, or of numbers by label. Raises `KeyError`."""
        if name not in WATCHED:
            raise KeyError(f"{name} is not a metric to watch")
        self._readings[name] = reading

    def render(self) -> bytes:
        """Every metric as text. It may run in another thread than the one that counts."""
        return generate_latest(self._registry)


class _Shown(Collector):
    def __init__(self, book: Book, readings: Mapping[str, Reading], version: str) -> None:
        self._book = book
        self._readings = readings
        self._version = version

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._counted()
        series = list(self._book.series.items())
        yield _spread("oneflow_request_seconds", [(names, each.whole) for names, each in series])
        yield _spread("oneflow_first_event_seconds", [(names, each.first) for names, each in series])
        for name, reading in list(self._readings.items()):
            yield _watched(name, reading())
        build = GaugeMetricFamily(_BUILD, "The version that runs.", labels=("version", "python"))
        build.add_metric((self._version, platform.python_version()), 1)
        yield build

    def _counted(self) -> Iterator[Metric]:
        book = self._book
        numbers: dict[str, list[tuple[tuple[str, ...], float]]] = {name: [] for name in _COUNTED}
        for names, series in list(book.series.items()):
            for name, labels, number in _of_series(series):
                numbers[name].append(((*names, *labels), number))
        numbers["oneflow_attempts_total"] = list(book.attempts.items())
        numbers["oneflow_refused_total"] = [((code,), number) for code, number in list(book.refused.items())]
        for name, (meaning, labels) in _COUNTED.items():
            family = CounterMetricFamily(name, meaning, labels=labels)
            for values, number in numbers[name]:
                family.add_metric(values, number)
            yield family


def _of_series(series: Series) -> Iterator[tuple[str, tuple[str, ...], float]]:
    for outcome, number in list(series.outcomes.items()):
        yield "oneflow_requests_total", (outcome,), number
    yield "oneflow_tokens_total", ("input",), series.input_tokens
    yield "oneflow_tokens_total", ("output",), series.output_tokens
    yield "oneflow_cached_tokens_total", (), series.cached_tokens
    yield "oneflow_cost_usd_total", (), usd_float(series.cost_nanos)
    yield "oneflow_queued_seconds_total", (), series.queued_seconds
    yield "oneflow_usage_estimated_total", (), series.estimated
    yield "oneflow_usage_odd_total", (), series.odd


def _spread(name: str, spreads: list[tuple[tuple[str, str], Spread]]) -> Metric:
    family = HistogramMetricFamily(name, _SPREAD[name], labels=_PLACE)
    bounds = [*map(str, SECONDS_BOUNDS), "+Inf"]
    for names, spread in spreads:
        counts = accumulate(spread.counts)
        family.add_metric(names, list(zip(bounds, counts, strict=True)), spread.sum_seconds)
    return family


def _watched(name: str, found: float | Mapping[str, float]) -> Metric:
    watched = WATCHED[name]
    labels = (watched.label,) if watched.label else ()
    make = CounterMetricFamily if watched.kind == "counter" else GaugeMetricFamily
    family = make(name, watched.meaning, labels=labels)
    if isinstance(found, Mapping):
        for label, value in islice(list(found.items()), WATCHED_VALUES_MOST):
            family.add_metric((label,), value)
    else:
        family.add_metric((), found)
    return family
