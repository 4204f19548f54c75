"""The history: what is kept of a call and what is not, pages that repeat and miss nothing, sums, and forgetting."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from oneflow_ai.core.call import Account
from oneflow_ai.core.events import Usage
from oneflow_ai.core.failure import KINDS
from oneflow_ai.core.record import Exchange
from oneflow_ai.stores.history import Cursor, Filters, History, Page, Totals, Tried, old_query, page_query
from oneflow_ai.stores.history_row import PROMPT_BYTES_MOST, ROW_BYTES
from oneflow_ai.stores.moments import as_microseconds, as_moment
from oneflow_ai.stores.sqlite import Database
from tests.stores.exchanges import NOON, PROMPT, PROVIDER_SECRET, failure, success, target

EVERYTHING = Filters()


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


async def keep(history: History, exchanges: Sequence[Exchange]) -> int:
    return await history.write_batch([history.row(exchange) for exchange in exchanges])


async def ids(history: History, filters: Filters) -> list[str]:
    return [record.id for record in (await history.page(filters, limit=500)).records]


async def test_a_call_comes_back_as_it_was(history: History) -> None:
    await keep(history, [success(7, user="ann", tags=("red", "blue"), stream=True)])
    record = await history.get("req-7")
    assert record is not None
    assert (record.at, record.key_id, record.end_user) == (NOON + timedelta(seconds=7), "key_1", "ann")
    assert (record.tags, record.dialect, record.operation, record.asked) == (("red", "blue"), "openai", "chat", "text")
    assert (record.provider, record.model, record.model_actual) == ("acme", "acme-large", "acme-large-2026-11")
    assert (record.status, record.outcome, record.message) == (200, "ok", None)
    assert record.attempts == (Tried("acme/acme-large", "acme#1", "ok", 200, 0.5),)
    assert (record.input_tokens, record.output_tokens, record.cached_tokens) == (10, 20, 4)
    assert (record.cost_nanos, record.price_version, record.usage_source) == (1_000, "2026-11-23", "provider")
    assert (record.estimated, record.simulated, record.stream) == (False, False, True)
    assert (record.seconds, record.first_event_seconds) == pytest.approx((0.5, 0.2))
    assert record.prompt is None
    assert await history.get("req-8") is None


async def test_what_a_call_used_beside_tokens_comes_back(history: History) -> None:
    usage = Usage(characters=1, images=2, audio_milliseconds=3, web_searches=4)
    await keep(history, [replace(success(1), usage=usage), failure(2)])
    used, unknown = await history.get("req-1"), await history.get("req-2")
    assert used is not None and unknown is not None
    assert (used.characters, used.images, used.audio_milliseconds, used.web_searches) == (1, 2, 3, 4)
    assert (unknown.characters, unknown.images, unknown.audio_milliseconds, unknown.web_searches) == (None,) * 4


async def test_a_call_is_found_by_its_client_s_own_id_too(history: History) -> None:
    """Ids of clients may repeat, and may be one of ours: ours goes first, of theirs the latest."""
    calls = [success(1, client_id="mine"), success(2, client_id="mine"), success(3), success(4, client_id="req-3")]
    await keep(history, calls)
    found = [await history.get(name) for name in ("mine", "req-1", "req-3")]
    assert [record.id for record in found if record is not None] == ["req-2", "req-1", "req-3"]
    assert [record.client_id for record in found if record is not None] == ["mine", "mine", None]


async def test_a_call_that_reached_no_provider_is_kept_too(history: History) -> None:
    await keep(history, [replace(failure(1, "model_not_found", 404), attempts=[])])
    record = await history.get("req-1")
    assert record is not None
    assert (record.provider, record.attempt_count, record.input_tokens, record.usage_source) == (None, 0, None, None)


async def test_no_secret_and_no_prompt_is_in_the_files_unless_prompts_are_kept(
    history: History, database: Database
) -> None:
    told = f"Invalid content: {PROMPT!r}"
    await keep(
        history, [success(1), failure(2, "upstream_rejected", 400, told), failure(3, "invalid_value", 400, told)]
    )

    def files() -> bytes:
        return b"".join(each.read_bytes() for each in database.path.parent.iterdir())

    assert b"req-3" in files()
    assert PROMPT.encode() not in files()
    await keep(History(database, keep_prompts=True), [success(4)])
    assert PROMPT.encode() in files()
    assert PROVIDER_SECRET.encode() not in files()
    kept = await history.get("req-4")
    assert kept is not None
    assert PROMPT in (kept.prompt or "")
    assert (await history.page(EVERYTHING)).records[0].prompt is None


@pytest.mark.parametrize("code", KINDS)
async def test_only_oneflows_own_words_are_kept_of_a_failure(history: History, code: str) -> None:
    kind = KINDS[code]
    await keep(history, [failure(1, code, kind.status, "words")])
    record = await history.get("req-1")
    assert record is not None
    assert record.message == ("words" if kind.own_words else None)


async def test_what_a_client_or_provider_makes_long_is_cut(database: Database) -> None:
    long = success(1, user="u" * 10_000, model="m" * 10_000, tags=("t" * 10_000,) * 1_000)
    many = replace(long, attempts=long.attempts * 10_000)
    body: dict[str, Any] = {"messages": "é" * 200_000}
    prompt = replace(many, call=replace(many.call, body=body))
    history, keeping = History(database), History(database, keep_prompts=True)
    assert sum(len(str(value)) for value in history.row(many)) < 10_000
    assert history.size_bytes(history.row(many)) == ROW_BYTES
    row = keeping.row(prompt)
    assert ROW_BYTES < keeping.size_bytes(row) <= ROW_BYTES + PROMPT_BYTES_MOST
    assert await keeping.write_batch([row]) == 0


async def test_a_prompt_that_is_no_json_text_is_left_out(database: Database) -> None:
    history = History(database, keep_prompts=True)
    assert await keep(history, [success(1, body={"n": 2**70}), success(2, body={"half": "\ud800"})]) == 0
    kept = [await history.get("req-1"), await history.get("req-2")]
    assert [record and record.prompt for record in kept] == [None, None]


async def test_a_batch_written_twice_is_kept_once(history: History) -> None:
    batch = [success(number) for number in range(10)]
    assert await keep(history, batch) == await keep(history, [*batch, success(10)]) == 0
    assert (await history.totals(EVERYTHING)).requests == 11


async def test_a_row_that_cannot_be_stored_as_it_is_is_mended(history: History) -> None:
    """Nobody keeps a call out of the history by what is sent with it."""
    half = "half a pair \ud800"
    named = success(3, user=half, tags=(half,), model=half)
    attempts = [replace(named.attempts[0], outcome=half)]
    bad = [replace(success(2), usage=Usage(input_tokens=2**70)), replace(named, attempts=attempts, model_actual=half)]
    assert await keep(history, [success(1), *bad, success(4)]) == 0
    huge, odd = await history.get("req-2"), await history.get("req-3")
    assert huge is not None
    assert odd is not None
    assert huge.input_tokens == 2**63 - 1
    assert {odd.end_user, odd.asked, odd.model_actual, *odd.tags, odd.attempts[0].outcome} == {"half a pair ?"}
    assert await ids(history, EVERYTHING) == ["req-4", "req-3", "req-2", "req-1"]


async def test_a_row_that_cannot_be_stored_at_all_is_lost_alone(history: History) -> None:
    rows = [history.row(success(number)) for number in range(3)]
    assert await history.write_batch([rows[0], rows[1][:-1], rows[2]]) == 1
    assert await ids(history, EVERYTHING) == ["req-2", "req-0"]


@settings(max_examples=40)
@given(st.data())
def test_pages_give_what_was_there_once_and_nothing_twice_whatever_is_written_meanwhile(data: st.DataObject) -> None:
    times = st.lists(st.integers(0, 12), max_size=25)
    before = data.draw(times)
    limit = data.draw(st.integers(1, 10))
    meanwhile = st.lists(st.integers(0, 12), max_size=4)

    async def run(folder: str) -> None:
        database = await Database.open(Path(folder) / "oneflow.db")
        history, count = History(database), 0

        async def write(seconds: list[int]) -> None:
            nonlocal count
            received = [NOON + timedelta(seconds=each) for each in seconds]
            await keep(history, [success(count + n, received=at) for n, at in enumerate(received)])
            count += len(seconds)

        await write(before)
        wanted = set(await ids(history, EVERYTHING))
        seen: list[tuple[datetime, str]] = []
        page = Page((), None)
        while True:
            page = await history.page(EVERYTHING, page.next, limit)
            assert len(page.records) <= limit
            seen += [(record.at, record.id) for record in page.records]
            if page.next is None:
                break
            await write(data.draw(meanwhile))
        await database.close()
        names = [name for _, name in seen]
        assert len(names) == len(set(names))
        assert wanted <= set(names)
        assert [at for at, _ in seen] == sorted((at for at, _ in seen), reverse=True)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), {"ok-1", "ok-2", "sim", "late"}),
        (Filters(key_id="key_2"), {"ok-2"}),
        (Filters(provider="acme"), {"ok-1", "late", "sim"}),
        (Filters(provider="acme", model="acme-small"), {"sim"}),
        (Filters(outcome="ok"), {"ok-1", "ok-2", "sim"}),
        (Filters(outcome="upstream_timeout"), {"late"}),
        (Filters(since=NOON + timedelta(seconds=2)), {"ok-2", "sim", "late"}),
        (Filters(until=NOON + timedelta(seconds=2)), {"ok-1"}),
        (Filters(provider="' OR 1=1 --"), set()),
    ],
)
async def test_filters_leave_what_they_say(history: History, filters: Filters, found: set[str]) -> None:
    await keep(
        history,
        [
            success(1, id="ok-1"),
            success(2, target("other", "other-1"), id="ok-2", account=Account("key_2")),
            success(3, target("acme", "acme-small", simulated=True), id="sim"),
            replace(failure(4), call=success(4, id="late").call),
        ],
    )
    assert set(await ids(history, filters)) == found


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (Filters(), "ix_requests_at"),
        (Filters(since=NOON, until=NOON), "ix_requests_at"),
        (Filters(key_id="k"), "ix_requests_at"),
        (Filters(provider="p"), "ix_requests_at"),
        (Filters(model="m"), "ix_requests_at"),
        (Filters(outcome="internal_error"), "ix_requests_outcome"),
    ],
)
@pytest.mark.parametrize("before", [None, Cursor(10, 20)])
async def test_a_page_is_read_in_order_from_an_index(
    database: Database, filters: Filters, index: str, before: Cursor | None
) -> None:
    found = await plan(database, page_query(filters, before, 50))
    assert f"USING INDEX {index} " in found + " "
    assert "TEMP B-TREE" not in found


async def test_what_is_old_is_found_in_an_index_alone(database: Database) -> None:
    assert await plan(database, old_query(10)) == "SEARCH requests USING COVERING INDEX ix_requests_at (at<?)"


async def plan(database: Database, query: Select[Any]) -> str:
    """How SQLite goes about a statement."""
    words = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    rows = await database.read(lambda connection: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}").all())
    return " ".join(str(row[-1]) for row in rows)


async def test_sums_leave_simulated_answers_out_of_success_and_spend(history: History) -> None:
    exchanges = [success(1), success(2), success(3, target("other")), success(4, target(simulated=True)), failure(5)]
    await keep(history, exchanges)
    assert await history.totals(EVERYTHING) == Totals(
        requests=5, successes=3, simulated=1, cost_nanos=3_000, input_tokens=40, output_tokens=80
    )
    acme, other = await history.provider_totals(EVERYTHING)
    assert (acme.provider, acme.totals.requests, acme.totals.successes, acme.totals.cost_nanos) == ("acme", 4, 2, 2_000)
    assert (other.provider, other.totals.requests) == ("other", 1)
    assert other.mean_seconds == pytest.approx(0.5)


async def test_sums_of_nothing_are_nothing(history: History) -> None:
    assert await history.totals(EVERYTHING) == Totals(0, 0, 0, 0, 0, 0)
    assert await history.provider_totals(EVERYTHING) == []


async def test_what_is_older_is_forgotten_however_much_it_is(history: History) -> None:
    await keep(history, [success(number) for number in range(1_200)])
    assert await history.forget_before(NOON + timedelta(seconds=1_100)) == 1_100
    assert (await history.totals(EVERYTHING)).requests == 100
    assert await history.forget_before(NOON) == 0


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_a_page_of_no_sensible_size_is_refused(history: History, limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        await history.page(EVERYTHING, limit=limit)


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_cursor_survives_its_text_form(at: int, sequence: int) -> None:
    cursor = Cursor(at, sequence)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "-", "1", "1-", "-1", "a-b", "1-2-3", "١-٢", "1" * 50 + "-1", "1- 2"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        Cursor.parse(text)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants them bare
def test_a_moment_is_kept_exactly(moment: datetime) -> None:
    assert as_moment(as_microseconds(moment)) == moment
