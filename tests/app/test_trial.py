"""A key is tried by what costs nothing: it works, its provider refuses it, or nobody can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.app.clock import SystemClock
from oneflow_ai.app.trial import NO_FREE_CALL, NOTHING_LEFT, Tried, judged, try_key
from oneflow_ai.catalog import load_catalog
from oneflow_ai.core.failure import (
    PROVIDER_AUTH_FAILED,
    PROVIDER_QUOTA_EXHAUSTED,
    UPSTREAM_RATE_LIMITED,
    UPSTREAM_UNREACHABLE,
    Failure,
    Kind,
)
from oneflow_ai.core.target import Secret
from oneflow_ai.flow.listing import ModelsAnswer
from oneflow_ai.providers.table import TABLE
from oneflow_ai.settings import load
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions

KINDS = ("openai", "anthropic", "groq", "gemini")
# What each kind's address ends in, behind the simulator's own.
PATHS = {"openai": "/v1", "groq": "/openai/v1", "gemini": "/v1beta"}


async def tried(home: Path, table: str, key: str, name: str = "own") -> Tried:
    file = home / "oneflow.toml"
    file.write_text(table)
    loaded = load(file, {"ONEFLOW_HOME": str(home), "GROQ_API_KEY": "sk-another"}, home, kinds=TABLE)
    return await try_key(loaded, name, Secret(key), load_catalog(), SystemClock())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_is_tried_at_its_own_provider(tmp_path: Path, kind: str) -> None:
    async with Simulator(SimulatorOptions(pace=FAST)) as simulator:
        base = simulator.origin + PATHS.get(kind, "")
        table = f'[providers.own]\nkind = "{kind}"\nbase_url = "{base}"\n'
        works = await tried(tmp_path, table, "sk-good")
        assert works.result == "works"
        assert works.models is not None and works.words == f"{works.models:,} models"
        refused = await tried(tmp_path, table, "bad-key-1")
    assert refused.result == "refused"
    assert "bad-key-1" not in f"{refused!r}"


@pytest.mark.parametrize(
    ("status", "kind", "result"),
    [
        (401, PROVIDER_AUTH_FAILED, "refused"),
        (400, PROVIDER_AUTH_FAILED, "refused"),
        (403, PROVIDER_AUTH_FAILED, "unknown"),
        (429, UPSTREAM_RATE_LIMITED, "unknown"),
        (None, UPSTREAM_UNREACHABLE, "unknown"),
    ],
)
def test_only_a_key_that_its_provider_does_not_know_is_refused(status: int | None, kind: Kind, result: Any) -> None:
    """A restricted key works for what it is for, and is answered 403 where it asks for the list."""
    assert judged(ModelsAnswer(status=status, failure=Failure(kind, "words"))) == Tried(result, "words")


def test_an_account_with_nothing_left_still_knows_its_key() -> None:
    spent = ModelsAnswer(status=200, failure=Failure(PROVIDER_QUOTA_EXHAUSTED, "the account has no credits left"))
    assert judged(spent) == Tried("works", NOTHING_LEFT, account=NOTHING_LEFT)


async def test_a_provider_out_of_reach_tells_nothing_of_a_key(tmp_path: Path) -> None:
    found = await tried(tmp_path, '[providers.own]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n', "sk-1")
    assert (found.result, found.models) == ("unknown", None)
    assert found.words


async def test_a_kind_without_a_free_call_is_not_asked(tmp_path: Path) -> None:
    table = '[providers.own]\nkind = "azure"\nbase_url = "http://127.0.0.1:9"\n'
    assert await tried(tmp_path, table, "k") == Tried("unknown", NO_FREE_CALL)
