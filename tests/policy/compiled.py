"""Snapshots of a few providers, for the tests of what is compiled."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache

from oneflow_ai.catalog import Catalog, load_catalog
from oneflow_ai.core.call import Task
from oneflow_ai.core.target import RetryPolicy, Secret, Snapshot, Target
from oneflow_ai.policy.compile import compile_snapshot
from oneflow_ai.policy.route import model_targets
from oneflow_ai.policy.rows import ProviderRow, RouteRow, RouteTarget, Rows
from oneflow_ai.providers.table import TABLE, Row

TODAY = date(2026, 11, 24)
DAY_BEFORE_THE_END = date(2026, 12, 10)
DAY_OF_THE_END = date(2026, 12, 11)  # of gpt-5, in favour of gpt-6.1-sol


@cache
def catalog() -> Catalog:
    return load_catalog()


def row(name: str, kind: str = "", keys: str = "key", **changes: object) -> ProviderRow:
    kind = kind or name
    made = ProviderRow(name, kind, f"http://{name}.example/v1", name, tuple(Secret(key) for key in keys.split()))
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields of a row, whatever they are


def route(wanted: str | RouteTarget = "", task: Task = Task.TEXT, name: str = "text") -> RouteRow:
    """A route to these targets, a space between their names."""
    targets = map(RouteTarget, wanted.split()) if isinstance(wanted, str) else [wanted]
    return RouteRow(name, task, tuple(targets))


def compiled(*providers: ProviderRow, sorts: Mapping[str, Row] = TABLE, **changes: object) -> Snapshot:
    """The snapshot of these providers; `changes` are fields of `Rows`."""
    rows = Rows(providers, [], {}, RetryPolicy(), {}, follow_successors=False, version="1", on=TODAY)
    return compile_snapshot(replace(rows, **changes), sorts, catalog())  # type: ignore[arg-type]  # as above


def the(snapshot: Snapshot, name: str) -> Target:
    [found] = model_targets(snapshot, name)
    return found


def routed(snapshot: Snapshot, name: str = "text") -> list[str]:
    return [target.place for target in snapshot.routes[name].targets]
