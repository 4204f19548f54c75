"""One model is shown under every name by which a call reaches it, in the shape of each dialect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.dialects import anthropic, gemini, openai
from oneflow_ai.dialects.table import Lister
from oneflow_ai.edge.models import ModelPages
from tests.app.gateway import KEY, running
from tests.policy.compiled import compiled, row

AUTH = {"authorization": f"Bearer {KEY}"}
# The address and headers of each dialect that has such a page, where it tells the id, and what stands before that.
SHAPES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "openai": ("/v1/models/", AUTH, "id", ""),
    "anthropic": ("/v1/models/", {**AUTH, "anthropic-version": "2023-06-01"}, "id", ""),
    "gemini": ("/v1beta/models/", AUTH, "name", "models/"),
    "gemini by its header": ("/v1/models/", {"x-goog-api-key": KEY}, "name", "models/"),
}
PROVIDERS = {
    "sim": 'kind = "openai"\nmodels = ["one", "both", "far/away"]',
    "two": 'kind = "openai"\nmodels = ["both"]',
    "openai": "",
}
BARE = '[providers.bare]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodels = ["locked"]\n'


def code_of(told: Mapping[str, Any]) -> str:
    """The code of an error, in whichever of these shapes."""
    error = told["error"]
    details = error.get("details")
    if isinstance(details, list):
        return str(details[0]["reason"])
    return str(error["code"] if details is None else details["error_code"])


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_model_is_shown_by_every_name_that_a_call_may_have_for_it(tmp_path: Path, shape: str) -> None:
    path, headers, field, before = SHAPES[shape]
    async with running(tmp_path, providers=PROVIDERS) as gateway:
        for name, place in (
            ("one", "sim/one"),
            ("sim/one", "sim/one"),
            ("sim%2Fone", "sim/one"),
            ("%6Fne", "sim/one"),
            ("far/away", "sim/far/away"),
            ("far%2faway", "sim/far/away"),
            ("sim%2Ffar%2Faway", "sim/far/away"),
            ("gpt-6-luna", "openai/gpt-6-luna"),
            ("text", "text"),
        ):
            shown = await gateway.get(path + name, headers)
            assert (shown.status, shown.json.get(field)) == (200, before + place), name


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_name_that_reaches_no_model_is_told_in_the_shape_that_was_asked_for(tmp_path: Path, shape: str) -> None:
    path, headers, _, _ = SHAPES[shape]
    async with running(tmp_path, providers=PROVIDERS, configuration=BARE) as gateway:
        for name, status, code in (
            ("none", 404, "model_not_found"),
            ("none/one", 404, "model_not_found"),
            ("sim/none", 404, "model_not_found"),
            ("sim%2F", 404, "model_not_found"),
            ("%FF", 404, "model_not_found"),
            ("locked", 404, "model_not_found"),
            ("both", 400, "ambiguous_model"),
            ("gpt-4", 404, "model_retired"),
            ("openai/computer-use-preview", 404, "model_retired"),
        ):
            told = await gateway.get(path + name, headers)
            assert (told.status, code_of(told.json)) == (status, code), name


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_key_is_shown_by_the_names_that_it_may_call(tmp_path: Path, shape: str) -> None:
    path, headers, field, before = SHAPES[shape]
    accounts = {KEY: Account("key_test", models=("one", "two/*"))}
    async with running(tmp_path, providers=PROVIDERS, accounts=accounts) as gateway:
        shown = await gateway.get(f"{path}one", headers)
        assert (shown.status, shown.json[field]) == (200, f"{before}sim/one")
        assert (await gateway.chat("one")).status == 200
        for name in ("sim/one", "gpt-6-luna", "none"):
            refused = await gateway.get(path + name, headers)
            assert (refused.status, code_of(refused.json)) == (403, "model_not_allowed"), name
            assert (await gateway.chat(name)).code == "model_not_allowed"


async def test_the_successor_of_a_retired_model_is_shown_where_calls_follow_it(tmp_path: Path) -> None:
    following = "[models]\nfollow_successors = true\n"
    async with running(tmp_path, providers=PROVIDERS, configuration=following) as gateway:
        shown = await gateway.get("/v1/models/gpt-4", AUTH)
        assert (shown.status, shown.json["id"]) == (200, "openai/gpt-6.1-sol")


@pytest.mark.parametrize(("dialect", "field"), [(openai, "id"), (anthropic, "id"), (gemini, "name")])
async def test_what_the_simulator_answers_for_is_shown_though_no_list_has_it(dialect: Lister, field: str) -> None:
    pages, snapshot, now = ModelPages(7), compiled(row("openai", simulated=True)), datetime(2026, 11, 27, tzinfo=UTC)
    for name in ("gpt-4", "openai/gpt-4"):
        page = orjson.loads(await pages.page(name, snapshot, Account("key"), dialect, now))
        assert page[field].removeprefix("models/") == "openai/gpt-4"
    assert "openai/gpt-4" not in await pages.written(snapshot, dialect, now)
