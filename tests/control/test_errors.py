"""Every failure has the one shape, names what is at fault, and repeats nothing that was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from oneflow_ai.control import ControlPorts, control_plane
from oneflow_ai.control.endpoint import BODY_BYTES_MOST
from oneflow_ai.core.call import Account
from oneflow_ai.edge.asgi import Message
from tests.control.plane import Plane, ask, running, sending

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canary-value-5d1e"
SOME_KEY: dict[str, Any] = {"name": "a key"}


class Heard:
    """A log that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, object]]] = []

    def debug(self, event: str, /, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, /, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, /, **fields: object) -> None:
        self.lines.append(("error", event, fields))


@pytest.mark.parametrize(
    ("target", "status", "code", "param"),
    [
        ("/nothing", 404, "unknown_url", None),
        ("/api", 404, "unknown_url", None),
        ("/api/docs/nothing.js", 404, "unknown_url", None),
        ("/api/providers/nobody", 404, "not_found", "name"),
        ("/api/requests/nothing", 404, "not_found", "id"),
        (f"/api/requests?limit={CANARY}", 400, "invalid_type", "limit"),
        ("/api/requests?limit=0", 400, "invalid_value", "limit"),
        ("/api/requests?limit=201", 400, "invalid_value", "limit"),
        ("/api/requests?limit=1e99", 400, "invalid_type", "limit"),
        (f"/api/requests?before={CANARY}", 400, "invalid_value", "before"),
        (f"/api/requests?before=1-{'9' * 30}", 400, "invalid_value", "before"),
        (f"/api/requests?since={CANARY}", 400, "invalid_type", "since"),
        ("/api/requests?since=2026-11-24T12:00:00", 400, "invalid_value", "since"),
        (f"/api/requests?{CANARY}=1", 400, "unsupported_parameter", None),
        (f"/api/requests?outcome={CANARY * 30}", 400, "invalid_value", "outcome"),
        (f"/api/providers/best/{CANARY}", 400, "invalid_value", "task"),
        (f"/api/providers/{CANARY * 30}", 400, "invalid_value", "name"),
    ],
)
async def test_what_is_wrong_with_an_address(
    plane: Plane, target: str, status: int, code: str, param: str | None
) -> None:
    reply = await plane.get(target)
    assert (reply.status, reply.code, reply.error["param"]) == (status, code, param)
    check_shape(reply.json)
    assert CANARY not in reply.body.decode()


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"name": None}, "invalid_type", "name"),
        ({"name": 7}, "invalid_type", "name"),
        ({"name": ""}, "invalid_value", "name"),
        ({"name": "  "}, "invalid_value", "name"),
        ({"name": f"{CANARY}\n"}, "invalid_value", "name"),
        ({"name": CANARY * 10}, "invalid_value", "name"),
        ({"requests_per_minute": -1}, "invalid_value", "requests_per_minute"),
        ({"requests_per_minute": True}, "invalid_type", "requests_per_minute"),
        ({"requests_per_minute": CANARY}, "invalid_type", "requests_per_minute"),
        ({"requests_per_minute": 1.5}, "invalid_type", "requests_per_minute"),
        ({"concurrency": 10**12}, "invalid_value", "concurrency"),
        ({"expires_at": CANARY}, "invalid_type", "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid_value", "expires_at"),
        ({"expires_at": "2120-01-01T00:00:00"}, "invalid_value", "expires_at"),
        ({"role": CANARY}, "unsupported_parameter", "role"),
    ],
)
async def test_what_is_wrong_with_a_field(plane: Plane, changes: dict[str, Any], code: str, param: str) -> None:
    reply = await plane.post("/api/keys", SOME_KEY | changes)
    assert (reply.status, reply.code, reply.error["param"]) == (400, code, param)
    check_shape(reply.json)
    assert CANARY not in reply.body.decode()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{}", {}, 400, "missing_required_parameter"),
        (b"", {"content-type": "application/json"}, 400, "invalid_json"),
        (b'{"name": "a"', {}, 400, "invalid_json"),
        (b'["a"]', {}, 400, "invalid_type"),
        (b'{"name": "a", "name": "b"}', {}, 400, "duplicate_key"),
        (b'{"name": "\\u0000"}', {}, 400, "invalid_unicode"),
        (b'{"name": "\xff"}', {}, 400, "invalid_unicode"),
        (b'{"name": "a", "concurrency": 99999999999999999999999}', {}, 400, "invalid_number"),
        (b'{"name": ' + b"[" * 100 + b"]" * 100 + b"}", {}, 400, "too_deep"),
        (b'{"name": "a"}', {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (b'{"name": "a"}', {"content-type": ""}, 415, "unsupported_media_type"),
        (b'{"name": "a"}', {"content-encoding": "gzip"}, 415, "unsupported_encoding"),
        (b"{}", {"content-length": str(BODY_BYTES_MOST + 1)}, 413, "request_too_large"),
        (b'{"name": "' + b"x" * BODY_BYTES_MOST + b'"}', {"content-length": "1"}, 413, "request_too_large"),
    ],
)
async def test_what_is_wrong_with_a_body(
    plane: Plane, body: bytes, headers: Mapping[str, str], status: int, code: str
) -> None:
    reply = await plane.post("/api/keys", body, headers=headers)
    assert (reply.status, reply.code) == (status, code)
    check_shape(reply.json)
    assert (reply.headers.get("connection") == "close") is (status == 413)


async def test_a_body_is_not_read_before_it_is_known_who_sends_it(plane: Plane) -> None:
    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    reply = await plane.post("/api/keys", SOME_KEY, key=None, receive=receive)
    assert (reply.status, reply.code) == (401, "missing_api_key")


@pytest.mark.asyncio(loop_scope="function")
async def test_a_body_that_does_not_arrive_in_time_is_not_waited_for(tmp_path: Path) -> None:
    async def receive() -> Message:
        pieces.append(1)
        if len(pieces) == 1:
            return {"type": "http.request", "body": b'{"name": ', "more_body": True}
        return await asyncio.Future()

    pieces: list[int] = []
    async with running(tmp_path, body_seconds=0.05) as plane:
        reply = await plane.post("/api/keys", SOME_KEY, receive=receive)
        assert (reply.status, reply.code) == (408, "request_timeout")
        assert reply.headers["connection"] == "close"
        assert [row.name for row in await plane.keys.list_rows()] == ["the tests"]


async def test_a_client_that_leaves_within_its_body_changes_nothing(plane: Plane) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    before = len(await plane.keys.list_rows())
    reply = await plane.post("/api/keys", SOME_KEY, receive=receive)
    assert reply.code == "client_closed"
    assert len(await plane.keys.list_rows()) == before


@pytest.mark.asyncio(loop_scope="function")
async def test_a_fault_of_ours_is_told_once_in_the_log_and_not_to_the_client(tmp_path: Path) -> None:
    def broken(headers: Mapping[bytes, bytes], query: bytes) -> Account:
        raise RuntimeError(CANARY)

    heard = Heard()
    async with running(tmp_path, log=heard) as plane:
        application = control_plane(ControlPorts(plane.runtime, plane.keys, broken))
        reply = await ask(application, "GET", "/api/status", {"host": "localhost"}, sending(b""), None)
        assert (reply.status, reply.code) == (500, "internal_error")
        assert CANARY not in reply.body.decode()
        assert reply.headers["content-security-policy"]
        errors = [(event, fields) for level, event, fields in heard.lines if level == "error"]
        assert [event for event, _ in errors] == ["a control request failed by a fault of the gateway"]
        assert errors[0][1]["request"] == reply.headers["x-request-id"]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_store_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        await plane.runtime.database.close()
        for target in ("/api/requests", "/api/keys"):
            reply = await plane.get(target)
            assert (reply.status, reply.code) == (503, "storage_unavailable")
        assert (await plane.get("/api/status")).status == 200


async def test_every_answer_carries_the_security_headers_and_an_id(plane: Plane) -> None:
    ids = set()
    for target in ("/", "/api/docs", "/api/docs/page.css", "/api/status", "/metrics", "/nothing", "/api/requests?a=1"):
        reply = await plane.get(target)
        policy = reply.headers["content-security-policy"].split("; ")
        assert {"default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"} <= set(policy)
        assert not any("unsafe" in each for each in policy)
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert not [name for name in reply.headers if name.startswith("access-control")]
        ids.add(reply.headers["x-request-id"])
    assert len(ids) == 7


def check_shape(found: Any) -> None:
    """An error of the one shape, in words."""
    assert list(found) == ["error"]
    assert list(found["error"]) == ["message", "type", "param", "code"]
    assert found["error"]["message"]
    assert orjson.dumps(found)
