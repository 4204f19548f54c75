"""Who is let in where: each endpoint says it itself, and no way of writing an address gets around it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from oneflow_ai.control.access import Access, Role, access_of, check_declared, needs
from oneflow_ai.control.application import make_application
from oneflow_ai.control.endpoint import Endpoint
from oneflow_ai.control.ports import ControlPorts
from tests.control.plane import ELSEWHERE, HERE, Plane, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = {"/", "/api/docs", "/api/docs/{file}"}
LOCAL = {"/health", "/metrics", "/api/openapi.json"}
ROLES = {
    **dict.fromkeys(OPEN, Role.OPEN),
    **dict.fromkeys(LOCAL, Role.VIEWER),
    "/api/status": Role.VIEWER,
    "/api/config": Role.ADMINISTRATOR,
    "/api/providers": Role.VIEWER,
    "/api/providers/status": Role.VIEWER,
    "/api/providers/best/{task}": Role.VIEWER,
    "/api/providers/{name}": Role.VIEWER,
    "/api/providers/{name}/check": Role.ADMINISTRATOR,
    "/api/requests": Role.VIEWER,
    "/api/requests/{id}": Role.VIEWER,
    "/api/request": Role.CALLER,
    "/api/keys": Role.ADMINISTRATOR,
    "/api/keys/{id}": Role.ADMINISTRATOR,
    "/api/budget": Role.VIEWER,
    "/api/wallet": Role.VIEWER,
    "/api/credits/add": Role.ADMINISTRATOR,
}
# Where a method needs another role than its path.
OF_METHOD = {("/api/budget", "PUT"): Role.ADMINISTRATOR}
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def endpoints(plane: Plane) -> list[Endpoint]:
    application = make_application(ControlPorts(plane.runtime, plane.keys, lambda *_: pytest.fail("not asked")))
    return [route for route in application.routes if isinstance(route, Endpoint)]


def role_of(route: Endpoint) -> Role:
    """The role that is written here for an endpoint, by its path or its method there."""
    (method,) = route.methods or {""}
    return OF_METHOD.get((route.path, method), ROLES[route.path])


def address(route: Endpoint) -> str:
    return route.path.replace("{name}", "sim").replace("{task}", "text").replace("{file}", "page.css")


async def test_each_endpoint_has_the_role_that_is_written_here(plane: Plane) -> None:
    found = endpoints(plane)
    assert {route.path for route in found} == ROLES.keys()
    for route in found:
        assert route.access == Access(role_of(route), or_local=route.path in LOCAL), route.path


async def test_a_key_in_the_address_is_told_to_be_taken_nowhere_there(plane: Plane) -> None:
    for query in (f"key={plane.key}", f"limit=5&api_key={plane.key}"):
        reply = await plane.get(f"/api/requests?{query}", key=None)
        assert (reply.status, reply.json["error"]["code"]) == (401, "invalid_api_key")
        assert "Authorization: Bearer" in reply.json["error"]["message"]
        assert plane.key not in reply.body.decode()
    missing = await plane.get("/api/requests?limit=5", key=None)
    assert (missing.status, missing.json["error"]["code"]) == (401, "missing_api_key")


async def test_every_endpoint_lets_in_whom_it_names_and_nobody_else(plane: Plane) -> None:
    wrong = f"of_{'x' * 49}"
    for route in endpoints(plane):
        for method in route.methods or ():
            for key, client, allowed in (
                (None, ELSEWHERE, route.path in OPEN),
                (None, None, route.path in OPEN),
                (None, HERE, route.path in OPEN | LOCAL),
                (wrong, HERE, route.path in OPEN),
                ("", ELSEWHERE, True),
            ):
                reply = await plane.ask(method, address(route), key=key, client=client)
                refused = reply.status in (401, 403)
                assert refused is not allowed, (method, route.path, key, client, reply.body)
                if refused:
                    assert reply.code == ("invalid_api_key" if key else "missing_api_key")
                    assert reply.headers["www-authenticate"] == "Bearer"


async def test_other_methods_are_refused_and_the_answer_tells_which_there_are(plane: Plane) -> None:
    found = endpoints(plane)
    for path in {address(route) for route in found}:
        takes = {method for route in found if address(route) == path for method in route.methods or ()}
        for method in set(EVERY_METHOD) - takes:
            reply = await plane.ask(method, path)
            assert (reply.status, reply.code) == (405, "method_not_allowed"), (method, path)
            assert reply.headers["allow"] == ", ".join(sorted(takes))


@pytest.mark.parametrize(
    "target",
    [
        "//api/status",
        "/api//status",
        "/api/status/",
        "/api/./status",
        "/health/../api/status",
        "/health/live/../../api/status",
        "/api/docs/../status",
        "/api/docs/..%2fstatus",
        "/api/docs/%2e%2e/status",
        "/api/status;a=b",
        "/api/status%00",
        "/api/status.",
        "/API/STATUS",
        "/%61pi/status",
        "/api%2fstatus",
        "/api/docs%2f..%2fstatus",
        "/api/status%3f",
        "/api/status?key=none",
        "/api/docs/pages/start.html",
        "/api/docs/../keys.py",
        "/api/docs/application.py",
    ],
)
async def test_no_way_of_writing_an_address_gets_around_the_key(plane: Plane, target: str) -> None:
    for host in ("127.0.0.1:8000", "127.0.0.1/health?x=", "localhost:8000/api/docs?"):
        reply = await plane.get(target, key=None, headers={"host": host})
        assert reply.status in (400, 401, 404), (target, host)
        assert "uptime_seconds" not in reply.body.decode()


@pytest.mark.parametrize(
    ("headers", "client", "let_in"),
    [
        ({}, HERE, True),
        ({}, ("::1", 1), True),
        ({}, ("::ffff:127.0.0.1", 1), True),
        ({"host": "localhost"}, HERE, True),
        ({"host": "[::1]:8000"}, HERE, True),
        ({"origin": "http://127.0.0.1:8000"}, HERE, True),
        ({}, ("192.0.2.7", 1), False),
        ({}, None, False),
        ({"host": "gateway.example"}, HERE, False),
        ({"host": "127.0.0.1.evil.example"}, HERE, False),
        ({"host": "evil.example@127.0.0.1"}, HERE, False),
        ({"host": "[::1"}, HERE, False),
        ({"host": ""}, HERE, False),
        ({"x-forwarded-for": "192.0.2.7"}, HERE, False),
        ({"x-forwarded-host": "gateway.example"}, HERE, False),
        ({"forwarded": "for=192.0.2.7"}, HERE, False),
        ({"x-real-ip": "192.0.2.7"}, HERE, False),
        ({"via": "1.1 proxy"}, HERE, False),
        ({"origin": "https://evil.example"}, HERE, False),
        ({"origin": "null"}, HERE, False),
        ({"x-api-key": "of_wrong"}, HERE, False),
    ],
)
async def test_who_counts_as_this_machine(
    plane: Plane, headers: Mapping[str, str], client: tuple[str, int] | None, let_in: bool
) -> None:
    reply = await plane.get("/health", key=None, headers=headers, client=client)
    assert (reply.status == 200) is let_in, reply.body


@pytest.mark.asyncio(loop_scope="function")
async def test_without_keys_everybody_on_the_machine_is_let_in_but_no_page_of_another_origin(tmp_path: Path) -> None:
    async with running(tmp_path, configuration='[server]\nauth = "none"\n', keys_needed=False) as plane:
        assert (await plane.get("/api/keys", key=None, client=HERE)).status == 200
        for headers in ({"origin": "https://evil.example"}, {"x-forwarded-for": "192.0.2.7"}):
            reply = await plane.post("/api/keys", {"name": "x"}, key=None, client=HERE, headers=headers)
            assert (reply.status, reply.code) == (403, "forbidden_origin")


async def test_a_route_without_a_declared_role_stops_the_start() -> None:
    async def undeclared() -> None:
        raise AssertionError("never asked")

    with pytest.raises(LookupError, match="undeclared declares no role"):
        APIRouter(route_class=Endpoint).get("/api/undeclared")(undeclared)
    foreign: Any = FastAPI(openapi_url=None)
    foreign.get("/api/foreign")(needs(Role.OPEN)(undeclared))
    with pytest.raises(LookupError, match="/api/foreign declares no role"):
        check_declared(foreign.routes)
    assert access_of(undeclared).role is Role.OPEN


async def test_refused_keys_are_counted(plane: Plane) -> None:
    before = plane.runtime.metrics.book.refused.get("invalid_api_key", 0)
    await plane.get("/api/status", key="of_wrong")
    assert plane.runtime.metrics.book.refused["invalid_api_key"] == before + 1
