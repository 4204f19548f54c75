"""Who may call: keys and their carriers, hosts, methods, paths and content types, before anything is held or sent."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from oneflow_ai.core.call import Account
from oneflow_ai.edge import EdgeLimits
from tests.app.gateway import KEY, MESSAGES, OTHER_KEY, running

CHAT = "/v1/chat/completions"
BODY = orjson.dumps({"model": "sim/gpt-6-luna", "messages": MESSAGES})
JSON = {"content-type": "application/json"}

CREDENTIALS = [
    ({}, 401, "missing_api_key"),
    ({"authorization": "Bearer of_unknown"}, 401, "invalid_api_key"),
    ({"authorization": "Basic dXNlcjpwYXNz"}, 401, "invalid_api_key"),
    ({"authorization": "Bearer"}, 401, "invalid_api_key"),
    ({"authorization": "Bearer ' OR 1=1 --"}, 401, "invalid_api_key"),
    ({"x-api-key": "of_unknown"}, 401, "invalid_api_key"),
    ({"xi-api-key": "of_unknown"}, 401, "invalid_api_key"),
    ({"authorization": f"Bearer {KEY}", "x-goog-api-key": OTHER_KEY}, 400, "ambiguous_credentials"),
    ({"authorization": f"Bearer {KEY}", "x-api-key": OTHER_KEY}, 400, "ambiguous_credentials"),
    ({"cookie": f"key={KEY}"}, 401, "invalid_api_key"),
    ({"cookie": "proof_of_age=1; theme=dark"}, 401, "missing_api_key"),
    ({"authorization": "Bearer " + "x" * 8_000}, 401, "invalid_api_key"),
    ({"authorization": "Bearer " + "x" * 16_000}, 431, "headers_too_large"),
]
ACCEPTED = [
    {"authorization": f"Bearer {KEY}"},
    {"authorization": f"bearer {KEY}"},
    {"x-api-key": KEY},
    {"xi-api-key": KEY},
    {"x-goog-api-key": KEY},
    {"authorization": f"Bearer {KEY}", "x-api-key": KEY},
]
REQUESTS = [
    ("GET", CHAT, JSON, b"", 405, "method_not_allowed"),
    ("DELETE", "/v1/models", {}, b"", 405, "method_not_allowed"),
    ("GET", "/v1/nothing", {}, b"", 404, "unknown_url"),
    ("POST", "/v1/chat/completions/", JSON, BODY, 404, "unknown_url"),
    ("POST", "/v1//chat/completions", JSON, BODY, 404, "unknown_url"),
    ("POST", "/v1/chat%2fcompletions", JSON, BODY, 404, "unknown_url"),
    ("POST", "/v1/Chat/completions", JSON, BODY, 404, "unknown_url"),
    ("POST", "/v1/chat/completions;x", JSON, BODY, 404, "unknown_url"),
    ("POST", CHAT, {"content-type": "text/plain"}, BODY, 415, "unsupported_media_type"),
    ("POST", CHAT, {"content-type": "application/x-www-form-urlencoded"}, BODY, 415, "unsupported_media_type"),
    ("POST", CHAT, {**JSON, "content-encoding": "gzip"}, BODY, 415, "unsupported_encoding"),
    ("POST", CHAT, JSON, b"", 400, "invalid_json"),
    ("POST", CHAT, JSON, b"{", 400, "invalid_json"),
    ("POST", CHAT, JSON, b"[]", 400, "invalid_type"),
    ("POST", CHAT, JSON, b'{"model":"a","model":"b","messages":[]}', 400, "duplicate_key"),
    ("POST", CHAT, JSON, b'{"messages":[{"role":"user","content":"x"}]}', 400, "missing_required_parameter"),
    ("POST", CHAT, JSON, b'{"model":"none/x","messages":[{"role":"user","content":"x"}]}', 404, "model_not_found"),
    ("GET", "/v1/models/none", {}, b"", 404, "model_not_found"),
]


@pytest.mark.parametrize(("headers", "status", "code"), CREDENTIALS, ids=lambda value: str(value)[:40])
async def test_a_request_without_a_good_key_is_refused(
    tmp_path: Path, headers: dict[str, str], status: int, code: str
) -> None:
    async with running(tmp_path) as gateway:
        sent = {**JSON, **headers}
        async with gateway.session.post(gateway.url + CHAT, data=BODY, headers=sent) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (status, code)
            assert ("www-authenticate" in answer.headers) is (status == 401)
            assert KEY not in str(error)
        assert gateway.simulator.record.counts.requests == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [(f"?key={KEY}", "invalid_api_key"), ("?key=", "missing_api_key"), ("?beta=true", "missing_api_key")],
)
async def test_no_key_is_taken_from_an_address(tmp_path: Path, query: str, code: str) -> None:
    async with running(tmp_path) as gateway:
        for method, path in (("POST", CHAT), ("GET", "/v1/models")):
            async with gateway.session.request(method, gateway.url + path + query, data=BODY, headers=JSON) as answer:
                text = await answer.text()
                assert (answer.status, orjson.loads(text)["error"]["code"]) == (401, code)
                assert KEY not in text
        assert gateway.simulator.record.counts.requests == 0


async def test_a_good_key_is_taken_from_every_carrier(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        for headers in ACCEPTED:
            async with gateway.session.post(gateway.url + CHAT, data=BODY, headers={**JSON, **headers}) as answer:
                assert answer.status == 200, headers


async def test_a_key_in_the_query_is_none(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as gateway,
        gateway.session.post(f"{gateway.url}{CHAT}?api_key={KEY}", data=BODY, headers=JSON) as answer,
    ):
        assert answer.status == 401


async def test_a_request_that_makes_no_sense_is_refused_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        for method, path, headers, body, status, code in REQUESTS:
            sent = {"authorization": f"Bearer {KEY}", **headers}
            url = gateway.session._build_url(gateway.url).with_path(path, encoded=True)
            async with gateway.session.request(method, url, data=body or None, headers=sent) as answer:
                error = (await answer.json())["error"]
                assert (answer.status, error["code"]) == (status, code), (method, path, body)
                assert answer.headers["x-request-id"].startswith("req_")
                assert ("allow" in answer.headers) is (status == 405)
        assert gateway.simulator.record.counts.requests == 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:1234", 200),
        ("[::1]:99", 200),
        ("LOCALHOST:8000", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("localhost:80@evil.example", 400),
        ("127.0.0.1/../x", 400),
        ("", 400),
    ],
)
async def test_only_our_own_hosts_are_served_on_loopback(tmp_path: Path, host: str, status: int) -> None:
    async with running(tmp_path) as gateway:
        headers = {**JSON, "authorization": f"Bearer {KEY}", "host": host}
        async with gateway.session.post(gateway.url + CHAT, data=BODY, headers=headers) as answer:
            assert answer.status == status
            if status == 400:
                assert (await answer.json())["error"]["code"] == "invalid_host"


async def test_a_body_beyond_the_limit_is_refused_by_its_length_and_by_its_bytes(tmp_path: Path) -> None:

    async with running(tmp_path, limits=EdgeLimits(body_bytes_most=10_000)) as gateway:
        body = orjson.dumps({"model": "sim/x", "messages": [{"role": "user", "content": "x" * 20_000}]})
        reply = await gateway.post(CHAT, body)
        assert (reply.status, reply.code) == (413, "request_too_large")
        assert reply.headers["connection"] == "close"

        async def pieces() -> object:
            for start in range(0, len(body), 1_000):
                yield body[start : start + 1_000]

        headers = {**JSON, "authorization": f"Bearer {KEY}"}
        async with gateway.session.post(gateway.url + CHAT, data=pieces(), headers=headers) as answer:
            assert answer.status == 413


async def test_the_models_are_listed_with_routes_and_providers(tmp_path: Path) -> None:
    async with running(tmp_path, providers={"sim": 'models = ["one", "two"]'}) as gateway:
        reply = await gateway.get("/v1/models", {"authorization": f"Bearer {KEY}"})
        assert {"sim/one", "sim/two"} <= {model["id"] for model in reply.json["data"]}
        one = await gateway.get("/v1/models/sim/one", {"authorization": f"Bearer {KEY}"})
        assert one.json["id"] == "sim/one"
        assert (await gateway.get("/v1/models")).status == 401


async def test_the_models_of_the_list_can_be_called_today(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        key = {"authorization": f"Bearer {KEY}"}
        listed = {model["id"] for model in (await gateway.get("/v1/models", key)).json["data"]}
        provider = gateway.runtime.desk.snapshot.providers["sim"]
        assert {f"sim/{model}" for model in provider.listed} == {name for name in listed if name.startswith("sim/")}
        assert {"sim/gpt-6-luna", "sim/text-embedding-3-small"} <= listed
        assert not listed & {"sim/gpt-realtime", "sim/gpt-4", "sim/ada"}
        assert (await gateway.get("/v1/models/sim/gpt-4", key)).status == 404


async def test_a_key_sees_and_calls_only_the_models_that_it_may_use(tmp_path: Path) -> None:
    accounts = {KEY: Account("key_test", models=("sim/o*",))}
    async with running(tmp_path, providers={"sim": 'models = ["one", "two"]'}, accounts=accounts) as gateway:
        key = {"authorization": f"Bearer {KEY}"}
        listed = (await gateway.get("/v1/models", key)).json["data"]
        assert [model["id"] for model in listed] == ["sim/one"]
        assert (await gateway.get("/v1/models/sim/one", key)).status == 200
        hidden = await gateway.get("/v1/models/sim/two", key)
        assert (hidden.status, hidden.code) == (403, "model_not_allowed")
        assert (await gateway.chat("sim/one")).status == 200
        refused = await gateway.chat("sim/two")
        assert (refused.status, refused.code) == (403, "model_not_allowed")
        assert gateway.wire_attempts("two") == 0


async def test_probes_are_open_and_one_word(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        assert (await gateway.get("/health/live")).body == b"live"
        assert (await gateway.get("/health/ready")).body == b"ready"
        gateway.edge.draining = True
        ready = await gateway.get("/health/ready")
        assert (ready.status, ready.body) == (503, b"draining")


async def test_a_route_of_another_task_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, configuration='[routes.pictures]\ntask = "image"\ntargets = ["sim/x"]\n') as gateway:
        reply = await gateway.chat("pictures")
        assert (reply.status, reply.code, reply.json["error"]["param"]) == (400, "invalid_value", "model")


async def test_models_are_listed_in_the_shape_that_the_request_names(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        theirs = await gateway.get("/v1/models", {"xi-api-key": KEY})
        assert (theirs.status, theirs.headers["content-type"]) == (200, "application/json")
        assert isinstance(theirs.json, list) and theirs.headers["request-id"]
        assert all(model["can_do_text_to_speech"] for model in theirs.json)
        both = await gateway.get("/v1/models", {"xi-api-key": KEY, "anthropic-version": "2023-06-01"})
        assert "has_more" in both.json
        assert (await gateway.get("/v1/models", {"authorization": f"Bearer {KEY}"})).json["object"] == "list"
        refused = await gateway.get("/v1/models", {"xi-api-key": "of_wrong"})
        assert (refused.status, refused.json["detail"]["status"]) == (401, "invalid_api_key")
        for path, headers in (
            ("/v1/models", {"x-goog-api-key": KEY}),
            ("/v1beta/models", {"authorization": f"Bearer {KEY}"}),
        ):
            googles = await gateway.get(path, headers)
            assert all(model["name"].startswith("models/") for model in googles.json["models"])
        for path, code in (("/v1beta/models/sim/one", "model_not_found"), ("/v1beta/files", "unknown_url")):
            missing = await gateway.get(path, {"x-goog-api-key": KEY})
            assert (missing.status, missing.json["error"]["status"]) == (404, "NOT_FOUND")
            assert missing.json["error"]["details"][0]["reason"] == code
        silent = await gateway.get("/v1/models/sim/one", {"xi-api-key": KEY})
        assert (silent.status, silent.json["detail"]["code"]) == (404, "model_not_found")
