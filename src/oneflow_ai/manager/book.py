"""`Database`: a program's own record of its requests, in a file of its own, so that no call is counted twice."""

from __future__ import annotations

import weakref
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, TypedDict

import orjson
from sqlalchemy import ColumnElement, Integer, RowMapping, func, insert, select

from oneflow_ai.client import THREAD
from oneflow_ai.core.money import NANOS_PER_USD, Dollars, decimal_usd, usd_float
from oneflow_ai.settings import home_of
from oneflow_ai.stores import sqlite
from oneflow_ai.stores.history_metadata import whole_metadata
from oneflow_ai.stores.moments import as_microseconds, as_moment
from oneflow_ai.stores.tables import requests

FILE = "requests.db"
NAME_CHARACTERS_MOST = 256
TEXT_CHARACTERS_MOST = 100_000
"""A longer prompt or response is kept up to there; the bytes of a picture are no text to be read again."""

PAGE_ROWS_MOST = 10_000
_PREFIX = "sqlite:///"
_SUCCESS = "success"
_DIALECT = "program"


class Recorded(TypedDict):
    """One request as a program recorded it; `cost` is US dollars, `created_at` a moment as ISO 8601 has it."""

    id: str
    user_id: str
    provider: str | None
    model: str | None
    prompt: str | None
    response: str | None
    cost: float
    status: str
    metadata: dict[str, Any]
    created_at: str


class ProviderStats(TypedDict):
    """Sums over one provider's recorded requests; `success_rate` is from 0 to 1, `total_cost` US dollars."""

    total_requests: int
    successful_requests: int
    failed_requests: int
    success_rate: float
    total_cost: float


class Database:
    """Requests as a program records them. `url` is `sqlite:///FILE`; left out, `requests.db` in `$ONEFLOW_HOME`.

    What is recorded is its own: the gateway keeps every call in its history besides. It may be used from any thread.
    Raises `ValueError` for another kind of address, and `StoreRefused` for a file that cannot be used.
    """

    def __init__(self, url: str | None = None) -> None:
        path = _path(url)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        THREAD.borrow()
        try:
            self._database = THREAD.run(sqlite.Database.open(path))
        except BaseException:
            THREAD.give_back()
            raise
        self._end = weakref.finalize(self, THREAD.leave, self._database.close)
        # What was recorded is in the file already.
        self._end.atexit = False

    def create_request(  # noqa: PLR0913 - as the first edition published it
        self,
        user_id: Any,
        provider: str | None = None,
        model: str | None = None,
        prompt: Any = None,
        response: str | None = None,
        cost: Dollars = 0.0,
        status: str = _SUCCESS,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Record one request, once it is on the disk; gives its id.

        `metadata` is kept whole, as JSON, but for what looks like a key. Raises `ValueError` for a `cost` that is no
        amount and for `metadata` that is no JSON or too much, and `Failure` where the database does not answer.
        """
        made = f"rec_{token_hex(12)}"
        kept = orjson.dumps({"prompt": _text(prompt), "response": _text(response)}).decode()
        row = {
            "id": made,
            "at": as_microseconds(datetime.now(UTC)),
            "key_id": _DIALECT,
            "end_user": _name(user_id),
            "dialect": _DIALECT,
            "operation": _DIALECT,
            "asked": _name(model),
            "provider": _name(provider) or None,
            "model": _name(model) or None,
            "status": 200 if status == _SUCCESS else 500,
            "outcome": "ok" if status == _SUCCESS else _name(status),
            "attempt_count": 1,
            "cost_nanos": _nanos(cost),
            "seconds": 0.0,
            "queued_seconds": 0.0,
            "prompt": kept,
            "metadata": whole_metadata(metadata) or None,
        }
        self._run(self._database.write(lambda connection: connection.execute(insert(requests), row), durable=True))
        return made

    def get_requests(self, user_id: Any = None, provider: str | None = None, limit: int = 100) -> list[Recorded]:
        """The latest requests, the newest first, of a user or of a provider if one is named; 10,000 at most."""
        if type(limit) is not int or not 1 <= limit <= PAGE_ROWS_MOST:
            raise ValueError(f"limit is from 1 to {PAGE_ROWS_MOST}")
        query = select(requests).where(*_chosen(user_id, provider))
        query = query.order_by(requests.c.at.desc(), requests.c.seq.desc()).limit(limit)
        return [_recorded(row) for row in self._read(lambda connection: connection.execute(query).mappings().all())]

    def get_total_cost(self, user_id: Any = None, provider: str | None = None) -> float:
        """What the requests cost together, in US dollars, of a user or at a provider if one is named."""
        query = select(func.coalesce(func.sum(requests.c.cost_nanos), 0)).where(*_chosen(user_id, provider))
        return usd_float(self._read(lambda connection: int(connection.execute(query).scalar_one())))

    def get_provider_stats(self, user_id: Any = None) -> dict[str, ProviderStats]:
        """Sums for each provider, by its name, of a user if one is named."""
        succeeded = func.sum((requests.c.outcome == "ok").cast(Integer))
        sums = (func.count(), succeeded, func.sum(requests.c.cost_nanos))
        named = (*_chosen(user_id, None), requests.c.provider.is_not(None))
        query = select(requests.c.provider, *sums).where(*named).group_by(requests.c.provider)
        query = query.order_by(requests.c.provider)
        rows = self._read(lambda connection: connection.execute(query).all())
        return {
            provider: ProviderStats(
                total_requests=count,
                successful_requests=successes,
                failed_requests=count - successes,
                success_rate=successes / count,
                total_cost=usd_float(cost_nanos),
            )
            for provider, count, successes, cost_nanos in rows
        }

    def close(self) -> None:
        """Close the file. Harmless if repeated."""
        if self._end.detach() is not None:
            try:
                THREAD.run(self._database.close())
            finally:
                THREAD.give_back()

    def _read(self, work: Any) -> Any:
        return self._run(self._database.read(work))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if not self._end.alive:
            work.close()
            raise ValueError("this Database was closed: open another")
        return THREAD.run(work)


def _path(url: str | None) -> Path:
    if url is None:
        return home_of() / FILE
    if not url.startswith(_PREFIX) or url == _PREFIX or ":memory:" in url:
        raise ValueError(f"a database is {_PREFIX}FILE; this version keeps requests in SQLite files only")
    return home_of() / url.removeprefix(_PREFIX)


def _chosen(user_id: Any, provider: str | None) -> Sequence[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = [requests.c.dialect == _DIALECT]
    if user_id is not None:
        chosen.append(requests.c.end_user == _name(user_id))
    if provider is not None:
        chosen.append(requests.c.provider == _name(provider))
    return chosen


def _recorded(row: RowMapping) -> Recorded:
    said = orjson.loads(row["prompt"] or b"{}")
    return Recorded(
        id=row["id"],
        user_id=row["end_user"] or "",
        provider=row["provider"],
        model=row["model"],
        prompt=said.get("prompt"),
        response=said.get("response"),
        cost=usd_float(row["cost_nanos"]),
        status=_SUCCESS if row["outcome"] == "ok" else row["outcome"],
        metadata=dict(row["metadata"] or {}),
        created_at=as_moment(row["at"]).isoformat(),
    )


def _name(value: Any) -> str:
    return "" if value is None else _whole(str(value)[:NAME_CHARACTERS_MOST])


def _text(value: Any) -> str | None:
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        # What JSON has no form for, such as a list within itself.
        text = repr(value)
    return _whole(text[:TEXT_CHARACTERS_MOST])


def _whole(text: str) -> str:
    """Without half surrogate pairs, which no database takes."""
    return text.encode(errors="replace").decode()


def _nanos(cost: Dollars) -> int:
    nanos = round(decimal_usd(cost) * NANOS_PER_USD)
    if not 0 <= nanos < 1 << 62:
        raise ValueError(f"{cost!r} is not what a request costs")
    return nanos
