"""The history of requests: written in batches, read a page at a time, counted, and forgotten when it is old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    bindparam,
    case,
    delete,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlalchemy.exc import DBAPIError, OperationalError

from oneflow_ai.core.record import Exchange
from oneflow_ai.stores.history_row import COLUMNS, Row, mended, row_bytes, row_of
from oneflow_ai.stores.moments import as_microseconds, as_moment
from oneflow_ai.stores.sqlite import Database
from oneflow_ai.stores.tables import requests

PAGE_ROWS_MOST = 500
FORGET_ROWS_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """Which requests; what is None does not narrow. `since` is included, `until` is not; both are aware."""

    key_id: str | None = None
    provider: str | None = None
    model: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows of the history, for the page that follows; its text form is `AT-SEQ`."""

    at_microseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.at_microseconds}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """A cursor from its text form; raises `ValueError`."""
        at, _, sequence = text.partition("-")
        if not (at.isdecimal() and sequence.isdecimal() and text.isascii() and len(text) <= 40):
            raise ValueError(f"{text[:40]!r} is not a place in the history")
        return cls(int(at), int(sequence))


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: the model at its provider, the credential's name, how it ended, the HTTP status, and how long."""

    place: str
    credential: str
    outcome: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """One request of the history. `metadata` is only ever there for a single record, `prompt` too, and if kept."""

    id: str
    at: datetime
    key_id: str
    end_user: str | None
    tags: tuple[str, ...]
    dialect: str
    operation: str
    asked: str
    provider: str | None
    model: str | None
    model_actual: str | None
    status: int
    outcome: str
    message: str | None
    attempt_count: int
    attempts: tuple[Tried, ...]
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    characters: int | None
    images: int | None
    audio_milliseconds: int | None
    web_searches: int | None
    usage_source: str | None
    cost_nanos: int
    price_version: str | None
    estimated: bool
    simulated: bool
    stream: bool
    seconds: float
    first_event_seconds: float | None
    queued_seconds: float
    prompt: str | None = None
    client_id: str | None = None
    metadata: Mapping[str, str | float] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, the newest first, and where the next page begins; None after the last."""

    records: tuple[Record, ...]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over requests. Simulated answers count among `requests` and `simulated`, never as success or as spend."""

    requests: int
    successes: int
    simulated: int
    cost_nanos: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ProviderTotals:
    """Sums over one provider's requests; `mean_seconds` is of its successes, None without any."""

    provider: str
    totals: Totals
    mean_seconds: float | None


class History:
    """The history in one database. `keep_prompts` keeps what was asked, up to 64 KiB a request; it may be changed."""

    def __init__(self, database: Database, *, keep_prompts: bool = False) -> None:
        self._database = database
        self.keep_prompts = keep_prompts
        self._insert = _insert_sql()

    def row(self, exchange: Exchange) -> Row:
        """What will be kept of an exchange: a small tuple, free of the exchange."""
        return row_of(exchange, keep_prompt=self.keep_prompts)

    size_bytes = staticmethod(row_bytes)

    async def write_batch(self, rows: Sequence[Row]) -> int:
        """Keep rows, in one transaction; a row whose id is there already is passed over, so a batch may be repeated.

        A row that cannot be stored as it is (a number beyond 64 bits, half a surrogate pair) is mended. Gives how many
        were lost even so. Raises `Failure` (`storage_unavailable`): then none was kept.
        """
        return await self._database.write(lambda connection: self._write(connection, rows))

    def _write(self, connection: Connection, rows: Sequence[Row]) -> int:
        if self._stored(connection, rows):
            return 0
        # Those before the bad one are in the transaction already, and are passed over.
        return sum(not (self._stored(connection, [row]) or self._stored(connection, [mended(row)])) for row in rows)

    def _stored(self, connection: Connection, rows: Sequence[Row]) -> bool:
        try:
            connection.exec_driver_sql(self._insert, list(rows))
        except OperationalError:
            raise
        except (DBAPIError, UnicodeError, OverflowError):
            return False
        return True

    async def page(self, filters: Filters, before: Cursor | None = None, limit: int = 50) -> Page:
        """Up to `limit` records, the newest first, from `before` on; attempts yes, prompts no.

        Whatever is written between two pages, following `next` gives no record twice, and each that was there at the
        first page once. Raises `ValueError` for a limit that is not 1 to 500.
        """
        if not 1 <= limit <= PAGE_ROWS_MOST:
            raise ValueError(f"a page has 1 to {PAGE_ROWS_MOST} records")
        query = page_query(filters, before, limit + 1)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        records = tuple(_record(row) for row in rows[:limit])
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(records, None if last is None else Cursor(last["at"], last["seq"]))

    async def get(self, request_id: str) -> Record | None:
        """One record, with its prompt where it was kept: by our own id, else the latest by the id its client gave."""
        own = select(requests).where(requests.c.id == request_id)
        given = select(requests).where(requests.c.client_id == request_id).order_by(requests.c.seq.desc()).limit(1)

        def look(connection: Connection) -> RowMapping | None:
            found = connection.execute(own).mappings().one_or_none()
            return found if found is not None else connection.execute(given).mappings().one_or_none()

        row = await self._database.read(look)
        return None if row is None else _record(row)

    async def totals(self, filters: Filters) -> Totals:
        """Sums over the requests that the filters leave; looks at each of them."""
        query = select(*_sums()).where(*_conditions(filters))
        row = await self._database.read(lambda connection: connection.execute(query).mappings().one())
        return _totals(row)

    async def provider_totals(self, filters: Filters) -> list[ProviderTotals]:
        """Sums for each provider, by name; requests that reached none are left out."""
        provider = requests.c.provider
        mean = func.avg(case((_success(), requests.c.seconds))).label("mean_seconds")
        query = select(provider, mean, *_sums()).where(provider.is_not(None), *_conditions(filters))
        query = query.group_by(provider).order_by(provider)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [ProviderTotals(row["provider"], _totals(row), row["mean_seconds"]) for row in rows]

    async def forget_before(self, moment: datetime) -> int:
        """Delete what was received before an aware moment; give how many rows. Other writers get turns in between."""
        statement = delete(requests).where(requests.c.seq.in_(old_query(as_microseconds(moment))))
        forgotten = 0
        while True:
            count = await self._database.write(lambda connection: connection.execute(statement).rowcount)
            forgotten += count
            if count < FORGET_ROWS_TOGETHER:
                return forgotten


# What a page leaves out.
_LARGE = ("prompt", "metadata")


def page_query(filters: Filters, before: Cursor | None, limit: int) -> Select[Any]:
    """The statement that reads a page."""
    columns = [column for column in requests.c if column.name not in _LARGE]
    place = tuple_(requests.c.at, requests.c.seq)
    query = select(*columns).where(*_conditions(filters))
    if before is not None:
        query = query.where(place < (before.at_microseconds, before.sequence))
    return query.order_by(requests.c.at.desc(), requests.c.seq.desc()).limit(limit)


def old_query(at_microseconds: int) -> Select[tuple[int]]:
    """The statement that finds the oldest rows from before a moment, as many as are deleted together."""
    columns = requests.c
    return select(columns.seq).where(columns.at < at_microseconds).order_by(columns.at).limit(FORGET_ROWS_TOGETHER)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    columns = requests.c
    chosen = [
        columns[name] == value
        for name in ("key_id", "provider", "model", "outcome")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.outcome not in (None, "ok"):
        # Said as the index says it, or SQLite cannot know that the index will do.
        chosen.append(columns.outcome != text("'ok'"))
    if filters.since is not None:
        chosen.append(columns.at >= as_microseconds(filters.since))
    if filters.until is not None:
        chosen.append(columns.at < as_microseconds(filters.until))
    return chosen


def _success() -> ColumnElement[bool]:
    return (requests.c.outcome == "ok") & requests.c.simulated.is_(False)


def _sums() -> list[ColumnElement[int]]:
    columns = requests.c
    real = columns.simulated.is_(False)
    return [
        func.count().label("requests"),
        _sum(_success().cast(Integer), "successes"),
        _sum(columns.simulated.cast(Integer), "simulated"),
        _sum(case((real, columns.cost_nanos), else_=0), "cost_nanos"),
        _sum(columns.input_tokens, "input_tokens"),
        _sum(columns.output_tokens, "output_tokens"),
    ]


def _sum(what: ColumnElement[int], name: str) -> ColumnElement[int]:
    return func.coalesce(func.sum(what), 0).label(name)


def _totals(row: RowMapping) -> Totals:
    return Totals(**{name: int(row[name]) for name in Totals.__slots__})


def _record(row: RowMapping) -> Record:
    values = {name: value for name, value in row.items() if name != "seq"}
    values["at"] = as_moment(row["at"])
    values["tags"] = tuple(row["tags"] or ())
    values["attempts"] = tuple(Tried(*attempt) for attempt in row["attempts"] or ())
    return Record(**values)


def _insert_sql() -> str:
    """One statement with a place for each of `COLUMNS`, in that order, for rows that go to the driver as they are.

    An empty text for a column that may be NULL is written as NULL.
    """
    statement = insert(requests).values({name: _place(name) for name in COLUMNS})
    statement = statement.on_conflict_do_nothing(index_elements=[requests.c.id])
    compiled = statement.compile(dialect=dialect(paramstyle="qmark"))
    assert compiled.positiontup == list(COLUMNS), "a row's values would go to the wrong columns"
    return str(compiled)


def _place(name: str) -> ColumnElement[Any]:
    place: ColumnElement[Any] = bindparam(name)
    return func.nullif(place, text("''")) if requests.c[name].nullable else place
