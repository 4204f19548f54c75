"""The control port: seen and steered from outside."""

from __future__ import annotations

from typing import Any

import pytest

from oneflow_ai.simulator import FAULTS, Simulator
from tests.simulator.raw import CHAT, Seen, ask, once, request


async def _tell(simulator: Simulator, method: str, name: str, body: Any = None, **headers: str) -> Seen:
    content = request(body, path=f"/_sim/{name}", method=method, key="", headers={"connection": "close", **headers})
    return await ask(_Port(simulator.control_port), content)  # type: ignore[arg-type]  # only its port is asked for


class _Port:
    def __init__(self, port: int | None) -> None:
        self.port = port


async def test_status_tells_where_it_is_and_what_holds(simulator: Simulator) -> None:
    told = (await _tell(simulator, "GET", "status")).json
    assert told["base_url"] == simulator.base_url
    assert (told["accepting"], told["rules"], told["limits"]["requests_per_minute"]) == (True, [], 0)


async def test_a_fault_is_set_and_cleared(simulator: Simulator) -> None:
    assert (await _tell(simulator, "PUT", "fault", {"fault": "F23;status=529", "model": "gpt-*"})).status == 200
    assert (await once(simulator, CHAT)).status == 529
    assert (await once(simulator, {**CHAT, "model": "other"})).status == 200
    assert (await _tell(simulator, "DELETE", "fault")).json == []
    assert (await once(simulator, CHAT)).status == 200


async def test_an_outage_has_a_beginning_and_an_end(simulator: Simulator) -> None:
    await _tell(simulator, "PUT", "outage", {"to_seconds": 1_000, "status": 502})
    assert (await once(simulator, CHAT)).status == 502
    await _tell(simulator, "PUT", "outage", {"from_seconds": 1_000, "to_seconds": 2_000})
    assert (await once(simulator, CHAT)).status == 200


async def test_a_script_replaces_the_rules(simulator: Simulator) -> None:
    rules = [{"fault": "F24", "model": "a"}, {"fault": "F27", "model": "b"}]
    assert len((await _tell(simulator, "PUT", "script", {"rule": rules})).json) == 2
    assert (await once(simulator, {**CHAT, "model": "a"})).status == 401


async def test_limits_and_timings_are_set(simulator: Simulator) -> None:
    assert (await _tell(simulator, "PUT", "limits", {"requests_per_minute": 1})).json["requests_per_minute"] == 1
    assert [(await once(simulator, CHAT)).status for _ in range(2)] == [200, 429]
    await _tell(simulator, "PUT", "timings", {"first_token_seconds": 0.5})
    assert (simulator.pace.first_token_seconds, simulator.pace.instant) == (0.5, False)
    await _tell(simulator, "PUT", "timings", {"fast": True})
    assert simulator.pace.instant


async def test_the_record_is_read_and_cleared(simulator: Simulator) -> None:
    for model in ("a", "b"):
        await once(simulator, {**CHAT, "model": model})
    told = (await _tell(simulator, "GET", "record?model=b")).json
    assert [each["model"] for each in told["requests"]] == ["b"]
    assert told["counts"]["by_status"] == {"200": 2}
    assert len((await _tell(simulator, "DELETE", "record?most=1")).json["requests"]) == 1
    assert simulator.record.counts.requests == 0


async def test_it_refuses_connections_and_accepts_them_again(simulator: Simulator) -> None:
    assert (await _tell(simulator, "POST", "refuse")).json == {"accepting": False}
    with pytest.raises(ConnectionRefusedError):
        await once(simulator, CHAT)
    assert (await _tell(simulator, "POST", "accept")).json == {"accepting": True}
    assert (await once(simulator, CHAT)).status == 200


async def test_the_catalogue_is_listed(simulator: Simulator) -> None:
    told = (await _tell(simulator, "GET", "faults")).json
    assert [each["id"] for each in told] == list(FAULTS)


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "status", None, 404),
        ("PUT", "fault", b"{", 400),
        ("PUT", "fault", {}, 400),
        ("PUT", "fault", {"fault": "F99"}, 400),
        ("PUT", "limits", {"requests_per_minute": "many"}, 400),
        ("PUT", "timings", {"speed": 1}, 400),
        ("PUT", "outage", {"status": 200}, 400),
        ("PUT", "script", [], 400),
        ("GET", "record?most=x", None, 400),
    ],
)
async def test_what_it_does_not_understand_is_told(
    simulator: Simulator, method: str, name: str, body: Any, status: int
) -> None:
    seen = await _tell(simulator, method, name, body)
    assert seen.status == status
    assert seen.json["error"]


async def test_a_web_page_is_not_obeyed(simulator: Simulator) -> None:
    assert (await _tell(simulator, "PUT", "fault", {"fault": "F23"}, origin="https://evil.example")).status == 403
    assert (await _tell(simulator, "POST", "accept", origin="https://evil.example")).status == 403
    assert simulator.rules == ()
