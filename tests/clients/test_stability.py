"""Stability's models and its own routes through a running server: plain forms, and the official OpenAI client."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from PIL import Image

from benchmarks.processes import tree
from oneflow_ai.simulator import FAST, SimulatorOptions, ThreadedSimulator, run_in_thread
from oneflow_ai.simulator.media.pictures import picture
from tests.clients.serving import serving
from tests.clients.test_openai_media import forget_peak, peak_kilobytes

pytestmark = pytest.mark.clients

# The legacy engine is there for whoever lists and prices it; the poor have no credits.
CONFIGURATION = """
[models]
refresh_hours = 0
[retry]
attempts = 2
jitter = false
[providers.stability]
base_url = "{origin}"
api_key = "env:SECRET"
[providers.old]
kind = "stability"
base_url = "{origin}"
api_key = "env:SECRET"
models = ["stable-diffusion-xl-1024-v1-0"]
[providers.poor]
kind = "stability"
base_url = "{origin}"
api_key = "env:POOR"
models = []
[providers.openai]
base_url = "{origin}/v1"
api_key = "env:SECRET"
[prices."stability/sim-*"]
usd_per_image = 0.03
[prices."old/stable-diffusion-xl-1024-v1-0"]
usd_per_image = 0.006
"""
SECRETS = {"SECRET": "sk-secret", "POOR": "poor-secret"}
SDXL, FLARE = "old/stable-diffusion-xl-1024-v1-0", "openai/gpt-image-2.6-flare"
PNG = ("bees.png", picture("png", 64, 64, (1, 2, 3)), "image/png")
GENERATE = "/v2beta/stable-image/generate/"
# Stability's own examples send an empty file, so that the body is a form.
NO_FILE = {"none": ""}
LARGE_BYTES = 10_000_000


@dataclass(frozen=True)
class Server:
    """A running `oneflow serve`: a plain client, the official one, its process, and the simulator behind it."""

    plain: httpx.Client
    client: OpenAI
    pid: int
    simulator: ThreadedSimulator

    def ask(self, service: str, *, accept: str = "image/*", files: Any = NO_FILE, **fields: Any) -> httpx.Response:
        """A plain call of Stability's."""
        body = {"prompt": "Bees", **fields}
        return self.plain.post(GENERATE + service, data=body, files=files, headers={"accept": accept})

    def sent(self) -> int:
        """How many requests reached the providers."""
        return self.simulator.do(lambda real: real.record.counts.requests)


def running(home: Path, configuration: str = CONFIGURATION) -> Iterator[Server]:
    with run_in_thread(SimulatorOptions(pace=FAST)) as simulator:
        (home / "oneflow.toml").write_text(configuration.format(origin=simulator.origin))
        before = set(tree(os.getpid()))
        with serving(home, SECRETS) as (url, key):
            [pid] = set(tree(os.getpid())) - before
            headers = {"authorization": f"Bearer {key}"}
            with (
                httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as plain,
                OpenAI(base_url=url + "/v1", api_key=key, max_retries=0) as client,
            ):
                yield Server(plain, client, pid, simulator)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One in front of both providers of pictures."""
    yield from running(tmp_path_factory.mktemp("stability"))


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def decoded(text: str | None) -> Image.Image:
    return opened(base64.b64decode(text or ""))


def refused(reply: httpx.Response) -> tuple[int, str, str]:
    """An error as Stability's clients read it, and the gateway's code."""
    told = reply.json()
    assert told["id"] == reply.headers["x-request-id"]
    assert all(isinstance(each, str) and each for each in told["errors"])
    return reply.status_code, told["name"], told["code"]


# ---- Stability's own routes


@pytest.mark.parametrize(
    ("service", "fields", "cost"),
    [
        ("core", {}, 0.03), ("ultra", {}, 0.08), ("sd3", {}, 0.065), ("sd3", {"model": "sd3.5-large"}, 0.065),
        ("sd3", {"model": "sd3.5-large-turbo"}, 0.04), ("sd3", {"model": "sd3.5-medium"}, 0.035),
        ("sd3", {"model": "sd3.5-flash"}, 0.025), ("core", {"model": "stability/stable-image-ultra"}, 0.08),
    ],
)  # fmt: skip
def test_a_plain_call_gets_its_picture_at_its_price(
    server: Server, service: str, fields: dict[str, str], cost: float
) -> None:
    reply = server.ask(service, **fields)
    assert reply.status_code == 200, reply.text
    assert (reply.headers["content-type"], opened(reply.content).format) == ("image/png", "PNG")
    assert reply.headers["finish-reason"] == "SUCCESS"
    assert int(reply.headers["seed"]) > 0
    assert reply.headers["x-oneflow-provider"] == "stability"
    assert float(reply.headers["x-oneflow-cost-usd"]) == cost
    assert "x-oneflow-estimated" not in reply.headers


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_a_picture_within_json(server: Server, form: str) -> None:
    reply = server.ask("core", accept="application/json", output_format=form, seed="7")
    assert reply.headers["content-type"] == f"application/json; type=image/{form}"
    told = reply.json()
    assert (told["finish_reason"], told["seed"], decoded(told["image"]).format) == ("SUCCESS", 7, form.upper())


def test_options_reach_stability(server: Server) -> None:
    fields = {"aspect_ratio": "16:9", "style_preset": "anime", "negative_prompt": "dogs", "cfg_scale": "4", "seed": "9"}
    reply = server.ask("sd3", **fields, output_format="jpeg")
    assert (opened(reply.content).size, reply.headers["seed"]) == ((1344, 768), "9")
    assert "x-oneflow-dropped" not in reply.headers


@pytest.mark.parametrize("service", ["ultra", "sd3"])
def test_a_picture_is_changed(server: Server, service: str) -> None:
    reply = server.ask(service, files={"image": PNG}, strength="0.5")
    assert reply.status_code == 200, reply.text
    assert opened(reply.content).format == "PNG"


def test_a_large_picture_waits_on_the_disk(server: Server) -> None:
    assert server.ask("ultra", files={"image": PNG}, strength="1").status_code == 200
    large = ("bees.png", PNG[1] + bytes(LARGE_BYTES), "image/png")
    before = forget_peak(server.pid)
    assert server.ask("ultra", files={"image": large}, strength="1").status_code == 200
    assert (peak_kilobytes(server.pid) - before) * 1_024 < LARGE_BYTES / 2


def test_the_same_routes_reach_other_makers_of_pictures(server: Server) -> None:
    reply = server.ask("core", model=FLARE, aspect_ratio="3:2", output_format="webp", seed="7")
    assert (opened(reply.content).format, opened(reply.content).size) == ("WEBP", (1536, 1024))
    assert (reply.headers["x-oneflow-provider"], reply.headers["finish-reason"]) == ("openai", "SUCCESS")
    assert (reply.headers["x-oneflow-dropped"], reply.headers.get("seed")) == ("seed", None)
    assert float(reply.headers["x-oneflow-cost-usd"]) > 0
    told = server.ask("core", accept="application/json", model=FLARE).json()
    assert (told.keys(), decoded(told["image"]).format) == ({"image", "finish_reason"}, "PNG")
    changed = server.ask("sd3", files={"image": PNG}, strength="0.5", model=FLARE)
    assert (opened(changed.content).format, changed.headers["x-oneflow-dropped"]) == ("PNG", "strength")
    styled = server.ask("core", model=FLARE, style_preset="anime")
    assert refused(styled) == (400, "bad_request", "unsupported_parameter")
    assert styled.json()["errors"][0].startswith("style_preset: ")


def test_a_chain_goes_on_to_another_provider(server: Server) -> None:
    reply = server.ask("core", model="stability/sim-F23;times=90", **{"models[]": FLARE})
    assert (reply.status_code, reply.headers["x-oneflow-provider"]) == (200, "openai")


@pytest.mark.parametrize("accept", ["image/*", "application/json"])
def test_a_picture_that_was_filtered_is_no_success(server: Server, accept: str) -> None:
    before = server.sent()
    reply = server.ask("core", accept=accept, prompt="CONTENT_FILTERED bees")
    assert refused(reply) == (403, "content_moderation", "content_moderation")
    assert float(reply.headers["x-oneflow-cost-usd"]) == 0
    # The same prompt is refused again: nothing is tried twice.
    assert server.sent() == before + 1


def test_refusals_keep_stabilitys_words(server: Server) -> None:
    assert refused(server.ask("core", prompt="kill")) == (403, "content_moderation", "content_moderation")
    assert refused(server.ask("core", prompt="пчёлы")) == (422, "invalid_language", "invalid_language")
    gone = server.ask("sd3", model="stability/sd3.9")
    assert refused(gone) == (400, "bad_request", "model_not_priced")


def test_no_credits_at_the_provider_are_told_as_such(server: Server) -> None:
    reply = server.ask("core", model="poor/stable-image-core")
    assert refused(reply) == (503, "service_unavailable", "provider_quota_exhausted")


def test_what_is_wrong_is_told_before_anything_is_sent(server: Server) -> None:
    before = server.sent()
    for fields, param in (
        ({"aspect_ratio": "7:3"}, "aspect_ratio"), ({"seed": "x"}, "seed"), ({"strength": "0.5"}, "strength"),
        ({"output_format": "gif"}, "output_format"), ({"prompt": ""}, "prompt"),
    ):  # fmt: skip
        reply = server.ask("core", **fields)
        assert refused(reply)[:2] == (400, "bad_request"), fields
        assert reply.json()["errors"][0].startswith(param), fields
    assert refused(server.ask("core", accept="text/html"))[0] == 400
    assert refused(server.ask("core", model="nothing")) == (404, "not_found", "model_not_found")
    # What is too large for a provider is not sent to it either.
    large = ("bees.png", PNG[1] + bytes(10 << 20), "image/png")
    assert refused(server.ask("ultra", files={"image": large}, strength="1"))[2] == "unsupported_parameter"
    assert server.sent() == before


def test_who_has_no_key_and_what_is_no_form_are_told_in_its_shape(server: Server) -> None:
    path = GENERATE + "core"
    keyless = httpx.post(server.plain.base_url.join(path), data={"prompt": "a"}, files=NO_FILE, trust_env=False)
    assert refused(keyless) == (401, "unauthorized", "missing_api_key")
    as_json = server.plain.post(path, json={"prompt": "a"})
    assert refused(as_json) == (415, "bad_request", "unsupported_media_type")
    assert refused(server.plain.get(path)) == (405, "method_not_allowed", "method_not_allowed")
    assert server.plain.post("/v2beta/stable-image/upscale/fast").status_code == 404


def test_what_a_provider_fails_at_is_tried_again_and_then_told(server: Server) -> None:
    assert server.ask("core", model="stability/sim-F23;times=1;status=503").status_code == 200
    assert refused(server.ask("core", model="stability/sim-F23;times=91")) == (502, "internal_error", "upstream_error")


# ---- the official OpenAI client


@pytest.mark.parametrize(
    ("model", "form"),
    [("stability/stable-image-core", "webp"), ("stable-image-ultra", "png"), ("sd3.5-flash", "jpeg")],
)
def test_pictures_by_the_official_client(server: Server, model: str, form: Any) -> None:
    raw = server.client.images.with_raw_response.generate(
        model=model, prompt="Bees", size="1536x1024", output_format=form, quality="high"
    )
    made = raw.parse()
    image = decoded((made.data or [])[0].b64_json)
    assert (image.format, image.width > image.height) == (form.upper(), True)
    assert raw.headers["x-oneflow-dropped"] == "quality"
    assert made.output_format == form


def test_options_of_stability_by_the_official_client(server: Server) -> None:
    options = {"aspect_ratio": "21:9", "negative_prompt": "dogs", "seed": 7, "style_preset": "anime"}
    made = server.client.images.generate(model="sd3.5-large", prompt="Bees", extra_body=options)
    assert decoded((made.data or [])[0].b64_json).size == (1536, 640)


def test_a_picture_as_a_stream(server: Server) -> None:
    [event] = list(server.client.images.generate(model="stable-image-core", prompt="Bees", stream=True))
    assert event.type == "image_generation.completed"
    assert decoded(event.b64_json).format == "PNG"


def test_a_picture_changed_by_the_official_client(server: Server) -> None:
    for model in ("stable-image-ultra", "sd3.5-medium"):
        made = server.client.images.edit(model=model, prompt="Greener", image=PNG, response_format="b64_json")
        assert decoded((made.data or [])[0].b64_json).format == "PNG"
    told = server.client.images.edit(
        model="stable-image-ultra", prompt="Greener", image=PNG, extra_body={"strength": 0.2}
    )
    assert told.data


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 2}, "n"), ({"response_format": "url"}, "response_format"), ({"background": "transparent"}, "background"),
        ({"extra_body": {"strength": 0.5}}, "strength"), ({"extra_body": {"cfg_scale": 7}}, "cfg_scale"),
    ],
)  # fmt: skip
def test_what_stability_cannot_do_is_refused_by_name(server: Server, asked: Any, param: str) -> None:
    before = server.sent()
    with pytest.raises(openai.BadRequestError) as found:
        server.client.images.generate(model="stable-image-core", prompt="Bees", **asked)
    assert (found.value.code, found.value.param) == ("unsupported_parameter", param)
    assert server.sent() == before


@pytest.mark.parametrize(
    ("model", "files", "param"),
    [
        ("stable-image-core", {"image": PNG}, "image"),
        ("stable-image-ultra", {"image": [PNG, PNG]}, "image"),
        ("stable-image-ultra", {"image": PNG, "mask": PNG}, "mask"),
    ],
)
def test_a_change_that_stability_cannot_make_is_refused_by_name(
    server: Server, model: str, files: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as found:
        server.client.images.edit(model=model, prompt="Greener", **files)
    assert found.value.param == param


def test_moderation_is_told_to_the_official_client(server: Server) -> None:
    for prompt in ("kill", "CONTENT_FILTERED bees"):
        with pytest.raises(openai.PermissionDeniedError) as found:
            server.client.images.generate(model="stable-image-core", prompt=prompt)
        assert found.value.code == "content_moderation"


def test_the_route_for_pictures_goes_to_stability_first(server: Server) -> None:
    raw = server.client.images.with_raw_response.generate(prompt="Bees")
    assert raw.headers["x-oneflow-model"] == "stable-image-core"


def test_the_legacy_engine_is_off_until_it_is_listed(server: Server) -> None:
    with pytest.raises(openai.NotFoundError) as found:
        server.client.images.generate(model="stability/stable-diffusion-xl-1024-v1-0", prompt="Bees")
    assert found.value.code == "model_retired"
    assert "stable-image-core" in str(found.value)
    raw = server.client.images.with_raw_response.generate(model=SDXL, prompt="Bees", n=2, size="1536x1024")
    assert [decoded(each.b64_json).size for each in raw.parse().data or []] == [(1216, 832)] * 2
    assert float(raw.headers["x-oneflow-cost-usd"]) == 0.012
    told = server.ask("core", model=SDXL, accept="application/json").json()
    assert (decoded(told["image"]).format, told["finish_reason"]) == ("PNG", "SUCCESS")


def test_what_a_picture_may_cost_is_held_before_it_is_asked_for(server: Server) -> None:
    limit = {"scope": "all", "period": "daily", "limit_usd": 0.05}
    server.plain.put("/api/budget", json=limit).raise_for_status()
    try:
        before = server.sent()
        assert refused(server.ask("ultra")) == (429, "payment_required", "insufficient_quota")
        assert server.sent() == before
        assert server.ask("core").status_code == 200
    finally:
        server.plain.put("/api/budget", json=limit | {"limit_usd": None}).raise_for_status()
