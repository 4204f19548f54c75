"""Calls that are turned away one after the other on one connection: told as the first is, each by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oneflow_ai.edge.turnstile import ID_PLACE
from tests.app.edge.front import Front, fronting
from tests.app.edge.heads import post
from tests.app.edge.wire import Answer, connected

CALLS = 60
STARTS = {
    "chat": b"POST /v1/chat/completions HTTP/1.1",
    "messages": b"POST /v1/messages HTTP/1.1",
    "speech": b"POST /v1/text-to-speech/nova HTTP/1.1",
    "picture": b"POST /v2beta/stable-image/generate/core HTTP/1.1",
    "plain": b"POST /api/request HTTP/1.1",
}


def overload(found: Front) -> None:
    """From now on all calls are turned away."""
    for step in range(30):
        found.overload.note_lag(2.0 * step, 0.5)
    assert found.overload.most < 1


async def one_by_one(found: Front, content: bytes) -> list[Answer]:
    """The refusals of calls that come on a connection each."""
    answers = []
    for _ in range(8):
        async with connected(found.port) as wire:
            wire.send(content)
            answers.append(await wire.answer())
    return [answer for answer in answers if answer.status == 503]


async def in_a_row(found: Front, content: bytes) -> list[Answer]:
    """The refusals of calls that come on one connection."""
    answers = []
    async with connected(found.port) as wire:
        for _ in range(CALLS):
            wire.send(content)
            answers.append(await wire.answer())
    return [answer for answer in answers if answer.status == 503]


def shape(answer: Answer) -> tuple[object, ...]:
    """All that is the same in each of them."""
    told = [(name, value) for name, value in answer.headers if not re.search("id$|^retry-after|^date$", name)]
    names = [name for name, _ in answer.headers]
    return answer.status, told, names, re.sub(rb"req_[0-9a-f]{24}", b"", answer.body)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
async def test_each_is_told_as_the_first_with_an_id_and_a_wait_of_its_own(tmp_path: Path, start: bytes) -> None:
    async with fronting(tmp_path) as found:
        overload(found)
        usual, rows = await one_by_one(found, post(start=start)), await in_a_row(found, post(start=start))
        assert len(rows) > CALLS / 2
        assert {repr(shape(answer)) for answer in (*usual, *rows)} == {repr(shape(usual[0]))}
        ids = [answer.header("x-request-id") for answer in (*usual, *rows)]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch("req_[0-9a-f]{24}", each or "") for each in ids)
        waits = [int(answer.header("retry-after-ms") or 0) for answer in rows]
        assert all(1_000 <= wait <= 5_000 for wait in waits)
        assert len(set(waits)) > 15
        for answer in rows:
            seconds, milliseconds = answer.header("retry-after"), answer.header("retry-after-ms")
            assert int(seconds or 0) == -(-int(milliseconds or 0) // 1000)
        # Whoever told its request by an id of its own is told of it by that.
        named = await in_a_row(found, post(b"x-request-id: mine", start=start))
        assert {answer.header("x-request-id") for answer in named} == {"mine"}


async def test_the_place_of_an_id_is_as_long_as_an_id(tmp_path: Path) -> None:
    async with fronting(tmp_path) as found:
        overload(found)
        (answer, *_) = await one_by_one(found, post())
        assert len(answer.header("x-request-id") or "") == len(ID_PLACE)


async def test_what_is_turned_away_is_counted_and_reaches_nobody(tmp_path: Path) -> None:
    async with fronting(tmp_path) as found:
        overload(found)
        before = found.runtime.metrics.book.refused.get("overloaded", 0)
        refusals = await in_a_row(found, post())
        counted = found.runtime.metrics.book.refused["overloaded"] - before
        assert counted == len(refusals)
        assert found.calls == CALLS - len(refusals)
