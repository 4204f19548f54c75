"""The gateway shows what its providers really have, as their own lists tell, and loses nothing when they do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import orjson

from oneflow_ai.app.lists import FILE, read_lists
from oneflow_ai.dialects import openai
from oneflow_ai.edge.models import ModelPages
from oneflow_ai.simulator import FAST, Simulator, SimulatorOptions
from tests.app.gateway import KEY, Gateway, running
from tests.canaries import PROVIDER_KEY

ASKED = "[models]\nrefresh_hours = 1\n"
AUTH = {"authorization": f"Bearer {KEY}"}
OWN = SimulatorOptions(pace=FAST, models=("gpt-6-luna", "gpt-9-new"))


async def _until(true_of: Callable[[], object]) -> None:
    for _ in range(500):
        if true_of():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that in time")


async def _shown(gateway: Gateway) -> set[str]:
    found = (await gateway.get("/v1/models", AUTH)).json["data"]
    return {model["id"] for model in found if model["owned_by"] == "sim"}


async def test_the_providers_own_list_is_shown_soon_after_the_start(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ASKED, options=OWN) as gateway:
        await _until(lambda: gateway.runtime.lists.known)
        await _until(lambda: "gpt-9-new" in gateway.runtime.desk.snapshot.providers["sim"].listed)
        assert await _shown(gateway) == {"sim/gpt-6-luna", "sim/gpt-9-new"}
        assert (await gateway.chat("gpt-9-new")).status == 200


async def test_a_list_is_kept_over_a_restart_and_a_failure(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ASKED, options=OWN) as gateway:
        await _until(lambda: read_lists(tmp_path))
        kept = dict(gateway.runtime.lists.known)
        address = gateway.simulator.base_url
    # The simulator is gone: nothing answers at its address.
    gone = {"sim": f'base_url = "{address}"\n'}
    async with running(tmp_path, configuration=ASKED, providers=gone) as gateway:
        assert await _shown(gateway) == {"sim/gpt-6-luna", "sim/gpt-9-new"}
        await _until(lambda: gateway.runtime.lists.failures)
        assert gateway.runtime.lists.failures["sim"].startswith("upstream_")
        assert gateway.runtime.lists.known == kept
        assert await _shown(gateway) == {"sim/gpt-6-luna", "sim/gpt-9-new"}


async def test_the_list_of_another_address_counts_for_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ASKED, options=OWN):
        await _until(lambda: read_lists(tmp_path))
    async with running(tmp_path) as gateway:
        assert "sim/gpt-9-new" not in await _shown(gateway)


async def test_a_broken_file_is_as_none(tmp_path: Path) -> None:
    for content in (b"", b"{", b'{"sim": 1}', orjson.dumps({"sim": {"base_url": "x"}})):
        (tmp_path / FILE).write_bytes(content)
        assert read_lists(tmp_path) == {}
    async with running(tmp_path) as gateway:
        assert (await gateway.chat("sim/gpt-6-luna")).status == 200


async def test_no_list_is_asked_for_where_that_is_switched_off(tmp_path: Path) -> None:
    async with running(tmp_path, options=OWN) as gateway:
        await asyncio.sleep(0.1)
        assert not gateway.runtime.lists.known
        assert not (tmp_path / FILE).exists()


async def test_the_file_holds_no_secret(tmp_path: Path) -> None:
    async with running(tmp_path, configuration=ASKED, options=OWN):
        await _until(lambda: read_lists(tmp_path))
    content = (tmp_path / FILE).read_bytes()
    assert PROVIDER_KEY.encode() not in content
    assert set(msgspec.json.decode(content)["sim"]) == {"base_url", "at", "models"}


async def test_a_model_that_only_the_providers_list_knows_is_refused_until_it_has_a_price(tmp_path: Path) -> None:
    async with Simulator(OWN) as other:
        table = f'kind = "openai"\napi_key = "env:SIM_KEY"\nbase_url = "{other.base_url}"\n'
        async with running(tmp_path, configuration=f"{ASKED}[providers.bare]\n{table}", options=OWN) as gateway:
            await _until(lambda: "gpt-9-new" in gateway.runtime.desk.snapshot.providers["bare"].listed)
            shown = (await gateway.get("/v1/models/bare%2Fgpt-9-new", AUTH)).json
            assert (shown["capabilities"], shown["pricing"]) == (["text"], None)
            refused = await gateway.chat("bare/gpt-9-new")
            assert (refused.status, refused.json["error"]["code"]) == (400, "model_not_priced")
            assert 'set [prices."bare/gpt-9-new"]' in refused.json["error"]["message"]
            missing = await gateway.chat("gpt-9-newer")
            assert (missing.status, missing.json["error"]["code"]) == (404, "model_not_found")
            # A provider that says what a model costs serves it.
            assert (await gateway.chat("sim/gpt-9-new")).status == 200
            assert other.record.counts.by_model["gpt-9-new"] == 0


async def test_models_are_shown_with_what_they_take_and_cost(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        shown = (await gateway.get("/v1/models/sim%2Fgpt-6-luna", AUTH)).json
        assert shown["context_length"] > 0 and shown["max_completion_tokens"] > 0
        assert shown["pricing"] == {"prompt": "0.000001", "completion": "0.000002"}
        assert shown["capabilities"] == ["text", "reasoning"]
        told = (await gateway.get("/v1/models/sim%2Fgpt-6-luna", {**AUTH, "anthropic-version": "2023-06-01"})).json
        assert (told["max_input_tokens"], told["lifecycle"]) == (shown["context_length"], "active")


async def test_models_are_written_once_for_all_who_ask(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        pages, snapshot, now = ModelPages(7), gateway.runtime.desk.snapshot, gateway.runtime.clock.utc()
        found = await pages.written(snapshot, openai, now)
        # Keys that come and go change no model.
        assert await pages.written(replace(snapshot, keys={}), openai, now) is found
        assert await pages.written(snapshot, openai, now + timedelta(days=1)) is not found
        assert await pages.written(replace(snapshot, providers={}), openai, now) != found
