"""The history over HTTP: pages, filters, single requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from oneflow_ai.core.call import Account
from oneflow_ai.core.events import Usage
from oneflow_ai.core.record import Exchange
from tests.control.plane import Plane, running
from tests.stores.exchanges import NOON, failure, success, target

UNITS = ("characters", "images", "audio_seconds", "web_searches")


async def written(plane: Plane, exchanges: Sequence[Exchange]) -> None:
    history = plane.runtime.history
    await history.write_batch([history.row(exchange) for exchange in exchanges])


async def ids(plane: Plane, query: str = "") -> list[str]:
    found = (await plane.get(f"/api/requests?limit=200{query}")).json
    return [request["id"] for request in found["requests"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(plane: Plane) -> Plane:
    """A history with four requests: of another key, of another provider, and a failed one."""
    theirs, other = success(2, account=Account("key_2")), success(3, target("other", "other-large"))
    await written(plane, [success(1), theirs, other, failure(4)])
    return plane


async def test_pages_follow_each_other_and_end(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        await written(plane, [success(number) for number in range(7)])
        seen: list[str] = []
        sizes = []
        before = ""
        for _ in range(4):
            page = (await plane.get(f"/api/requests?limit=3{before}")).json
            seen += [request["id"] for request in page["requests"]]
            sizes.append(len(page["requests"]))
            if page["next"] is None:
                break
            before = f"&before={page['next']}"
        assert (seen, sizes) == ([f"req-{number}" for number in reversed(range(7))], [3, 3, 1])


def moment(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["req-4", "req-3", "req-2", "req-1"]),
        ("&key=key_2", ["req-2"]),
        ("&provider=other", ["req-3"]),
        ("&model=other-large", ["req-3"]),
        ("&outcome=ok", ["req-3", "req-2", "req-1"]),
        ("&outcome=upstream_timeout", ["req-4"]),
        (f"&since={moment(3)}", ["req-4", "req-3"]),
        (f"&until={moment(3)}", ["req-2", "req-1"]),
        (f"&since={moment(2)}&until={moment(4)}&outcome=ok&provider=acme", ["req-2"]),
        ("&key=nobody", []),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_filters_narrow(filled: Plane, query: str, expected: list[str]) -> None:
    assert await ids(filled, query) == expected


async def test_one_request_is_told_in_full(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        await written(plane, [success(1, user="ann", tags=("a", "b"))])
        found: dict[str, Any] = (await plane.get("/api/requests/req-1")).json
        assert [found.pop(name) for name in ("price_version", *UNITS)] == ["2026-11-23", 0, 0, 0.0, 0]
        assert found == {
            "id": "req-1",
            "at": moment(1),
            "key": "key_1",
            "user": "ann",
            "tags": ["a", "b"],
            "dialect": "openai",
            "operation": "chat",
            "asked": "text",
            "provider": "acme",
            "model": "acme-large",
            "model_actual": "acme-large-2026-11",
            "status": 200,
            "outcome": "ok",
            "message": None,
            "attempts": [
                {"place": "acme/acme-large", "credential": "acme#1", "outcome": "ok", "status": 200, "seconds": 0.5}
            ],
            "input_tokens": 10,
            "output_tokens": 20,
            "cached_tokens": 4,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
            "usage_source": "provider",
            "cost_usd": 0.000001,
            "cost_nanos": 1000,
            "estimated": False,
            "simulated": False,
            "stream": False,
            "seconds": 0.5,
            "first_event_seconds": pytest.approx(0.2),
            "queued_seconds": 0.0,
            "metadata": {},
            "prompt": None,
            "client_id": None,
        }


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(characters=42), (42, 0, 0.0, 0)),
        (Usage(images=2), (0, 2, 0.0, 0)),
        (Usage(audio_milliseconds=1_234), (0, 0, 1.234, 0)),
        (Usage(3, 4, web_searches=2), (0, 0, 0.0, 2)),
        (None, (None, None, None, None)),
    ],
)
async def test_what_a_request_used_beside_tokens_is_told(
    tmp_path: Path, usage: Usage | None, told: tuple[float | None, ...]
) -> None:
    async with running(tmp_path) as plane:
        await written(plane, [replace(success(1), usage=usage)])
        (found,) = (await plane.get("/api/requests")).json["requests"]
        assert tuple(found[name] for name in UNITS) == told


async def test_a_request_is_found_by_the_id_of_its_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        reply = await plane.chat(model="sim/gpt-6-luna")
        await plane.runtime.recorder.close()
        found = (await plane.get(f"/api/requests/{reply.headers['x-request-id']}")).json
        assert (found["key"], found["dialect"], found["outcome"]) == (plane.key_id, "plain", "ok")
        assert found["cost_usd"] == reply.json["cost_usd"]


async def test_names_that_a_client_made_up_are_told_as_they_are_and_stay_json(tmp_path: Path) -> None:
    odd = '</script><img src=x onerror=alert(1)>\n\x1b[31m"\u2028'
    async with running(tmp_path) as plane:
        exchange = success(1)
        await written(plane, [replace(exchange, call=replace(exchange.call, model=odd, user=odd))])
        reply = await plane.get("/api/requests")
        assert reply.headers["content-type"] == "application/json"
        (found,) = reply.json["requests"]
        assert (found["asked"], found["user"]) == (odd, odd)


async def test_what_a_client_says_of_its_request_is_shown_with_it_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        said = {"job": "nightly", "note": f"sk-{'x' * 30}"}
        await written(plane, [success(1, body={"metadata": said}), success(2)])
        shown = (await plane.get("/api/requests/req-1")).json
        assert shown["metadata"] == {"job": "nightly", "note": "***"}
        assert (await plane.get("/api/requests/req-2")).json["metadata"] == {}
        listed = (await plane.get("/api/requests")).json["requests"]
        assert not any("metadata" in one for one in listed)
