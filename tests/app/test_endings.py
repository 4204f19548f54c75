"""Who calls a model that ends soon is told so in time; a call to one that has ended is a 404 with its successor."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from oneflow_ai.core.ports import Head
from oneflow_ai.core.target import ENDING_DAYS, Target
from oneflow_ai.edge.answer import ReplyClient
from oneflow_ai.edge.asgi import Headers
from tests.app.gateway import running
from tests.core.test_target import call
from tests.policy.places import target

END = date(2026, 11, 30)
ENDED = "gpt-4-32k"


def _ending(**changes: object) -> Target:
    return replace(target("acme/old"), ends=END, successor="new", **changes)  # type: ignore[arg-type]  # fields of a target


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-ENDING_DAYS - 1, None),
        (-ENDING_DAYS, "acme/old ends on 2026-11-30; use acme/new"),
        (-1, "acme/old ends on 2026-11-30; use acme/new"),
        (0, "acme/old ended on 2026-11-30; use acme/new"),
        (400, "acme/old ended on 2026-11-30; use acme/new"),
    ],
)
def test_a_warning_begins_thirty_days_before_the_end(days: int, words: str | None) -> None:
    assert _ending().warning(END + timedelta(days=days)) == words


def test_without_a_known_end_there_is_no_warning_and_without_a_successor_no_advice_which() -> None:
    assert target("acme/new").warning(date.max) is None
    assert replace(_ending(), successor=None).warning(END) == "acme/old ended on 2026-11-30; choose another model"


class _Reply:
    """An answer that is only looked at."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}

    def begin(self, status: int, headers: Headers) -> None:
        self.headers = dict(headers)


@pytest.mark.parametrize(
    ("received", "warned"),
    [
        (datetime(2026, 10, 30, 23, 59, 59, 999_999, UTC), False),
        (datetime(2026, 10, 31, 0, 0, 0, 0, UTC), True),
    ],
)
async def test_the_day_is_that_of_the_call_in_utc(received: datetime, warned: bool) -> None:
    reply = _Reply()
    client = ReplyClient(replace(call, stream=True, received=received), reply, lambda account: None)  # type: ignore[arg-type]  # all that a head needs
    client.begin(Head(_ending(), 1))
    assert (b"x-oneflow-warning" in reply.headers) is warned


async def test_a_name_that_the_client_made_up_cannot_break_the_header() -> None:
    reply = _Reply()
    client = ReplyClient(replace(call, stream=True, received=datetime(2026, 11, 1, tzinfo=UTC)), reply, lambda _: None)  # type: ignore[arg-type]  # as above
    client.begin(Head(_ending(place="acme/o\r\nx: y é"), 1))
    assert reply.headers[b"x-oneflow-warning"] == b"acme/o x: y ? ends on 2026-11-30; use acme/new"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_route_that_still_leads_to_an_ended_model_is_warned_of_it(tmp_path: Path, stream: bool) -> None:
    route = f'[routes.text]\ntargets = ["sim/{ENDED}"]\n'
    async with running(tmp_path, configuration=route) as gateway:
        reply = await gateway.chat("text", stream=stream)
        assert reply.headers["x-oneflow-warning"] == f"sim/{ENDED} ended on 2025-06-06; use sim/gpt-6.1-sol"
        assert "x-oneflow-warning" not in (await gateway.chat("sim/gpt-6-luna", stream=stream)).headers


async def test_a_call_to_a_model_that_has_ended_is_answered_with_its_successor(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        reply = await gateway.chat(f"sim/{ENDED}")
        assert (reply.status, reply.code) == (404, "model_retired")
        assert "sim/gpt-6.1-sol" in reply.json["error"]["message"]


async def test_the_successor_is_called_where_that_is_configured(tmp_path: Path) -> None:
    async with running(tmp_path, configuration="[models]\nfollow_successors = true\n") as gateway:
        reply = await gateway.chat(f"sim/{ENDED}")
        assert (reply.status, reply.headers["x-oneflow-model"]) == (200, "gpt-6.1-sol")
