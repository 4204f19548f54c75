"""ElevenLabs' addresses through the whole gateway: speech, what is looked up, what clients need of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.simulator import FAST, Limits, Pace, SimulatorOptions
from tests.app.gateway import KEY, OTHER_KEY, Gateway, Reply, running

GEORGE = "JBFqnCBsd6RMkjVDRZzb"
SPEECH = f"/v1/text-to-speech/{GEORGE}"
BOTH = {"elevenlabs": 'kind = "elevenlabs"', "openai": ""}
ONCE = "[retry]\nattempts = 1\n"
XI = {"xi-api-key": KEY}


async def speak(gateway: Gateway, path: str = SPEECH, **fields: Any) -> Reply:
    """Ask for speech as a client of this wire does."""
    body = {"text": "Bees dance.", "model_id": "elevenlabs/eleven_v3", **fields}
    return await gateway.post(path, json.dumps(body).encode())


async def test_speech_is_the_providers_own_with_the_headers_that_its_clients_look_for(tmp_path: Path) -> None:
    async with running(tmp_path, providers=BOTH) as gateway:
        reply = await speak(gateway)
        assert (reply.status, reply.headers["content-type"]) == (200, "audio/mpeg")
        assert reply.headers["character-cost"] == "11"
        # Its own id goes back to it in a later request; ours stands beside it.
        assert reply.headers["x-request-id"].startswith("req_")
        assert reply.headers["request-id"] != reply.headers["x-request-id"]
        assert (reply.headers["x-oneflow-provider"], reply.headers["x-oneflow-model"]) == ("elevenlabs", "eleven_v3")
        assert "maximum-concurrent-requests" not in reply.headers
        await gateway.quiet()


async def test_speech_of_another_provider_has_the_gateways_id_alone(tmp_path: Path) -> None:
    async with running(tmp_path, providers=BOTH) as gateway:
        reply = await speak(gateway, model_id="openai/tts-1")
        assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "openai")
        assert reply.headers["request-id"] == reply.headers["x-request-id"]
        assert "character-cost" not in reply.headers


async def test_another_provider_speaks_where_the_account_is_spent(tmp_path: Path) -> None:
    async with running(tmp_path, providers=BOTH, configuration=ONCE) as gateway:
        reply = await speak(gateway, model_id="elevenlabs/sim-F22;kind=quota", models=["openai/tts-1"])
        assert (reply.status, reply.headers["x-oneflow-provider"]) == (200, "openai")
        assert reply.headers["x-oneflow-attempts"] == "2"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"text": ""}, 400, "invalid_value"),
        ({"model_id": "nothing"}, 404, "model_not_found"),
        ({"model_id": "elevenlabs/sim-F24"}, 502, "provider_auth_failed"),
        ({"model_id": "elevenlabs/sim-F22;kind=quota"}, 503, "provider_quota_exhausted"),
        ({"model_id": "openai/tts-1", "seed": "x"}, 400, "invalid_type"),
    ],
)
async def test_a_failure_has_this_wires_shape(tmp_path: Path, fields: dict[str, Any], status: int, code: str) -> None:
    async with running(tmp_path, providers=BOTH, configuration=ONCE) as gateway:
        reply = await speak(gateway, **fields)
        assert (reply.status, reply.json["detail"]["code"]) == (status, code)
        assert reply.json["detail"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", SPEECH, "POST"),
        ("PUT", "/v1/speech-to-text", "POST"),
        ("POST", "/v1/voices", "GET"),
        ("DELETE", f"/v1/voices/{GEORGE}", "GET"),
        ("POST", "/v1/user/subscription", "GET"),
    ],
)
async def test_each_address_has_its_method(tmp_path: Path, method: str, path: str, allow: str) -> None:
    async with (
        running(tmp_path, providers=BOTH) as gateway,
        gateway.session.request(method, gateway.url + path, headers=XI) as answer,
    ):
        assert (answer.status, answer.headers["allow"]) == (405, allow)
        assert (await answer.json())["detail"]["code"] == "method_not_allowed"


async def test_other_addresses_of_the_vendor_are_not_served(tmp_path: Path) -> None:
    async with running(tmp_path, providers=BOTH) as gateway:
        for path in ("/v1/history", "/v1/voices/settings/default", "/v1/user", "/v2/other"):
            reply = await gateway.get(path, XI)
            assert reply.status == 404, path


async def test_calls_wait_for_the_places_that_the_provider_tells_of(tmp_path: Path) -> None:
    pace = Pace(first_token_seconds=0.05, tokens_per_second=0, jitter=0)
    options = SimulatorOptions(pace=pace, limits=Limits(concurrency=2))
    async with running(tmp_path, providers=BOTH, configuration=ONCE, options=options) as gateway:
        assert (await speak(gateway)).status == 200
        replies = await asyncio.gather(*(speak(gateway) for _ in range(8)))
        assert [reply.status for reply in replies] == [200] * 8
        state = gateway.runtime.quota.state("elevenlabs")
        assert state is not None and state.concurrency_limit == 2


# ---- what is looked up


async def test_the_providers_own_voices_are_told(tmp_path: Path) -> None:
    async with running(tmp_path, providers=BOTH) as gateway:
        everyone = await gateway.get("/v1/voices", XI)
        assert everyone.status == 200
        names = {each["name"] for each in everyone.json["voices"]}
        assert {"George", "Rachel"} <= names
        page = await gateway.get("/v2/voices?page_size=3&search=", XI)
        assert (len(page.json["voices"]), page.json["has_more"]) == (3, True)
        one = await gateway.get(f"/v1/voices/{GEORGE}", {"authorization": f"Bearer {KEY}"})
        assert one.json["name"] == "George"
        assert one.headers["request-id"] != one.headers["x-request-id"]
        missing = await gateway.get("/v1/voices/AAAAAAAAAAAAAAAAAAAA", XI)
        assert (missing.status, missing.json["detail"]["code"]) == (404, "voice_not_found")
        assert float(everyone.headers["x-oneflow-cost-usd"]) == 0
        await gateway.quiet()


async def test_how_the_account_stands_is_told_without_its_bills(tmp_path: Path) -> None:
    async with running(tmp_path, providers=BOTH) as gateway:
        reply = await gateway.get("/v1/user/subscription", XI)
        assert (reply.status, reply.json["character_limit"]) == (200, 10_000)
        assert (reply.json["open_invoices"], reply.json["next_invoice"]) == ([], None)


@pytest.mark.parametrize("path", ["/v1/voices", "/v1/user/subscription", SPEECH])
async def test_nothing_is_told_without_a_key(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, providers=BOTH) as gateway:
        for headers, word in (({}, "needs_authorization"), ({"xi-api-key": "of_wrong"}, "invalid_api_key")):
            reply = await gateway.get(path, headers) if path != SPEECH else await speak(gateway, text="x")
            if path != SPEECH:
                assert (reply.status, reply.json["detail"]["status"]) == (401, word)
        bare = await gateway.session.post(gateway.url + SPEECH, json={"text": "x"})
        assert bare.status == 401


async def test_a_key_for_other_models_learns_nothing_of_the_account(tmp_path: Path) -> None:
    accounts = {
        KEY: Account("key_test", models=("openai/*",)),
        OTHER_KEY: Account("key_other", models=("elevenlabs/*",)),
    }
    async with running(tmp_path, providers=BOTH, accounts=accounts) as gateway:
        refused = await gateway.get("/v1/user/subscription", XI)
        assert (refused.status, refused.json["detail"]["code"]) == (403, "model_not_allowed")
        assert (await gateway.get("/v1/voices", {"xi-api-key": OTHER_KEY})).status == 200


async def test_where_nobody_speaks_this_wire_the_others_voices_are_told(tmp_path: Path) -> None:
    async with running(tmp_path, providers={"openai": ""}) as gateway:
        everyone = await gateway.get("/v1/voices", XI)
        assert everyone.status == 200
        assert {"alloy", "onyx"} <= {each["voice_id"] for each in everyone.json["voices"]}
        page = await gateway.get("/v2/voices?search=ony", XI)
        assert [each["name"] for each in page.json["voices"]] == ["onyx"]
        refused = await gateway.get("/v1/user/subscription", XI)
        assert (refused.status, refused.json["detail"]["code"]) == (503, "provider_not_configured")
        missing = await gateway.get(f"/v1/voices/{GEORGE}", XI)
        assert missing.status == 404


async def test_a_configured_voice_speaks_by_its_name(tmp_path: Path) -> None:
    table = f'kind = "elevenlabs"\nvoices = {{ narrator = "{GEORGE}" }}'
    async with running(tmp_path, providers={"elevenlabs": table}) as gateway:
        body = {"model": "elevenlabs/eleven_v3", "input": "Bees.", "voice": "Narrator"}
        reply = await gateway.post("/v1/audio/speech", json.dumps(body).encode())
        assert reply.status == 200
        [asked] = gateway.simulator.record.attempts()
        assert asked.path == f"/v1/text-to-speech/{GEORGE}/stream"


async def test_a_simulated_voice_that_is_told_to_hang_up_breaks_the_sound(tmp_path: Path) -> None:
    options = SimulatorOptions(pace=FAST)
    async with running(tmp_path, providers=BOTH, configuration=ONCE, options=options) as gateway:
        reply = await speak(gateway, f"{SPEECH}/stream", model_id="elevenlabs/sim-F13", text="Bees dance. " * 50)
        assert (reply.status, reply.broken) == (200, True)


async def test_sound_reaches_the_client_while_it_is_still_spoken(tmp_path: Path) -> None:
    options = SimulatorOptions(pace=Pace(first_token_seconds=0.0, tokens_per_second=50, jitter=0))
    async with running(tmp_path, providers=BOTH, options=options) as gateway:
        body = {"text": "Bees dance. " * 200, "model_id": "elevenlabs/eleven_v3"}
        async with gateway.session.post(f"{gateway.url}{SPEECH}/stream", json=body, headers=XI) as answer:
            assert await answer.content.readany()
            assert gateway.simulator.record.counts.in_flight == 1


async def test_what_a_text_may_cost_is_held_before_it_is_sent(tmp_path: Path) -> None:
    budget = "[budgets]\ndaily_usd = 0.0001\n"
    async with running(tmp_path, providers=BOTH, configuration=budget) as gateway:
        refused = await speak(gateway, text="Bees dance. " * 20)
        assert (refused.status, refused.json["detail"]["code"]) == (429, "insufficient_quota")
        assert gateway.simulator.record.attempts() == []


async def test_sound_that_is_made_whole_first_has_the_time_of_a_whole_answer(tmp_path: Path) -> None:
    options = SimulatorOptions(pace=Pace(first_token_seconds=0.6, tokens_per_second=0, jitter=0))
    impatient = {"elevenlabs": 'kind = "elevenlabs"\nfirst_event_seconds = 0.2'}
    async with running(tmp_path, providers=impatient, configuration=ONCE, options=options) as gateway:
        assert (await speak(gateway, f"{SPEECH}/with-timestamps")).status == 200
        late = await speak(gateway, f"{SPEECH}/stream")
        assert (late.status, late.json["detail"]["code"]) == (504, "upstream_timeout")
