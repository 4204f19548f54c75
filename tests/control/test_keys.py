"""API keys over HTTP: made, shown once, limited, ended at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.stores.key_format import looks_valid
from tests.control.plane import Plane, running


async def make(plane: Plane, *, key: str = "", **fields: Any) -> dict[str, Any]:
    reply = await plane.post("/api/keys", {"name": "made", **fields}, key=key)
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json
    return found


async def test_a_key_is_shown_once_and_works_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        limits: dict[str, Any] = {
            "requests_per_minute": 5,
            "tokens_per_minute": 6,
            "concurrency": 7,
            "expires_at": "2120-01-01T00:00:00Z",
            "models": ["text", "openai/*"],
        }
        made = await make(plane, **limits)
        assert looks_valid(made["key"])
        assert {name: made[name] for name in limits} == limits
        assert made["revoked_at"] is None
        assert (await plane.get("/api/status", key=made["key"])).status == 200
        reply = await plane.get("/api/keys")
        listed = {row["id"]: row for row in reply.json["keys"]}
        assert listed[made["id"]] == {name: value for name, value in made.items() if name != "key"}
        assert reply.json["unreadable"] == []
        assert made["key"][10:] not in reply.body.decode()


@pytest.mark.parametrize(
    ("own", "wanted", "allowed"),
    [
        (["text", "openai/*"], [], False),
        (["text", "openai/*"], ["*"], False),
        (["text", "openai/*"], ["text", "groq/m"], False),
        (["text"], ["text*"], False),
        (["text", "openai/*"], ["text"], True),
        (["text", "openai/*"], ["openai/gpt-6*", "openai/*"], True),
        (["*"], ["groq/m"], True),
        ([], ["groq/m"], True),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_key_makes_one_for_models_beyond_its_own(
    plane: Plane, own: list[str], wanted: list[str], allowed: bool
) -> None:
    limited = await make(plane, models=own)
    reply = await plane.post("/api/keys", {"name": "more", "models": wanted}, key=limited["key"])
    if allowed:
        assert (reply.status, reply.json["models"]) == (201, wanted)
    else:
        assert (reply.status, reply.code, reply.error["param"]) == (403, "insufficient_permissions", "models")


@pytest.mark.parametrize("models", [["a b"], [""], ["*a"], ["x"] * 101, "text", [1]])
@pytest.mark.asyncio(loop_scope="module")
async def test_models_that_no_call_could_name_are_refused(plane: Plane, models: Any) -> None:
    reply = await plane.post("/api/keys", {"name": "wrong", "models": models})
    assert reply.status == 400
    assert reply.error["param"].startswith("models")


async def test_the_plain_form_keeps_to_the_models_of_its_key(tmp_path: Path) -> None:
    async with running(tmp_path, configuration='[routes.text]\ntargets = ["sim/gpt-6-luna"]\n') as plane:
        limited = await make(plane, models=["sim/*"])
        refused = await plane.chat(key=limited["key"])
        assert (refused.status, refused.code, refused.error["param"]) == (403, "model_not_allowed", "model")
        assert (await plane.chat(key=limited["key"], model="sim/gpt-6-luna")).status == 200


async def test_a_revoked_key_is_refused_by_the_next_request(tmp_path: Path) -> None:
    async with running(tmp_path) as plane:
        made = await make(plane)
        ended = await plane.ask("DELETE", f"/api/keys/{made['id']}")
        assert ended.status == 200
        assert ended.json["revoked_at"] is not None
        refused = await plane.get("/api/status", key=made["key"])
        assert (refused.status, refused.code) == (401, "invalid_api_key")
        again = await plane.ask("DELETE", f"/api/keys/{made['id']}")
        assert again.json == ended.json
        unknown = await plane.ask("DELETE", "/api/keys/key_unknown")
        assert (unknown.status, unknown.code) == (404, "not_found")
        assert (await plane.get("/api/status")).status == 200


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({}, "requests_per_minute"),
        ({"requests_per_minute": 11}, "requests_per_minute"),
        ({"requests_per_minute": 10}, "expires_at"),
        ({"requests_per_minute": 10, "expires_at": "2120-01-02T00:00:00Z"}, "expires_at"),
        ({"requests_per_minute": 10, "expires_at": "2120-01-01T00:00:00Z"}, None),
        ({"requests_per_minute": 1, "concurrency": 1, "expires_at": "2119-01-01T00:00:00Z"}, None),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_no_key_makes_one_that_may_use_more(plane: Plane, wanted: dict[str, Any], param: str | None) -> None:
    limited = await make(plane, requests_per_minute=10, expires_at="2120-01-01T00:00:00Z")
    before = len(await plane.keys.list_rows())
    reply = await plane.post("/api/keys", {"name": "more", **wanted}, key=limited["key"])
    if param is None:
        assert reply.status == 201
    else:
        assert (reply.status, reply.code, reply.error["param"]) == (403, "insufficient_permissions", param)
        assert len(await plane.keys.list_rows()) == before
