"""Stability's wires, both editions, as documented answers and raw requests see them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from oneflow_ai.simulator import FAST, Limits, Simulator, SimulatorOptions
from oneflow_ai.simulator.media.pictures import picture
from oneflow_ai.testing import StepClock
from tests.simulator.forms import Fields, send
from tests.simulator.raw import Seen, once
from tests.simulator.test_wire_shapes import mistakes

GENERATE = "/v2beta/stable-image/generate/"
CORE, ULTRA, SD3 = f"{GENERATE}core", f"{GENERATE}ultra", f"{GENERATE}sd3"
SDXL = "/v1/generation/stable-diffusion-xl-1024-v1-0/text-to-image"
JSON = {"accept": "application/json"}
PICTURE = {"accept": "image/*"}
PNG = ("bees.png", picture("png", 64, 64, (1, 2, 3)), "image/png")
PROMPTS: dict[str, Any] = {"text_prompts": [{"text": "Bees", "weight": 1}]}


@pytest.fixture(scope="module")
def second(shared_folder: Path) -> Any:
    """What is known of the second edition's specification."""
    return yaml.safe_load((shared_folder / "specs" / "stability-v2beta-generate.extract.yaml").read_text("utf-8"))[
        "components"
    ]


@pytest.fixture(scope="module")
def first(shared_folder: Path) -> Any:
    """The first edition's specification; `status` is asked for there and in no answer."""
    made = yaml.safe_load((shared_folder / "specs" / "stability-v1.yaml").read_text("utf-8"))["components"]
    made["schemas"]["Error"]["required"].remove("status")
    return made


def opened(content: bytes) -> Image.Image:
    """A picture decoded whole."""
    image = Image.open(BytesIO(content))
    image.load()
    return image


# ---- the second edition


@pytest.mark.parametrize("path", [CORE, ULTRA, SD3])
@pytest.mark.parametrize("form", ["png", "jpeg"])
async def test_a_picture_comes_as_bytes_or_as_json(simulator: Simulator, second: Any, path: str, form: str) -> None:
    fields = {"prompt": "Bees", "output_format": form, "seed": "7"}
    seen = await send(simulator, path, fields, headers=PICTURE)
    assert (seen.status, seen.headers["content-type"]) == (200, f"image/{form}")
    assert (seen.headers["finish-reason"], seen.headers["seed"]) == ("SUCCESS", "7")
    assert opened(seen.body).format == form.upper()
    told = await send(simulator, path, fields, headers=JSON)
    assert told.headers["content-type"] == f"application/json; type=image/{form}"
    assert "finish-reason" not in told.headers
    assert not [*mistakes(second, "ImageJSONResponse", told.json)]
    assert base64.b64decode(told.json["image"]) == seen.body


@pytest.mark.parametrize(("path", "ratio", "size"), [(ULTRA, "16:9", (1_344, 768)), (CORE, "1:1", (1_248, 1_248))])
async def test_a_picture_has_its_aspect_ratio(simulator: Simulator, path: str, ratio: str, size: Any) -> None:
    seen = await send(simulator, path, {"prompt": "Bees", "aspect_ratio": ratio, "output_format": "webp"})
    assert opened(seen.body).size == size


async def test_a_picture_is_repeated_by_its_seed(simulator: Simulator) -> None:
    made = [(await send(simulator, CORE, {"prompt": "Bees", "seed": seed})).body for seed in ("1", "1", "2")]
    assert made[0] == made[1] != made[2]


async def test_a_picture_is_changed_by_another(simulator: Simulator) -> None:
    fields: Fields = {"prompt": "Bees", "image": PNG, "strength": "0.5"}
    assert (await send(simulator, ULTRA, fields)).status == 200
    assert (await send(simulator, SD3, {**fields, "mode": "image-to-image", "model": "sd3.5-medium"})).status == 200


async def test_an_empty_file_that_makes_the_form_one_is_no_picture(simulator: Simulator) -> None:
    assert (await send(simulator, CORE, {"prompt": "Bees", "none": ("", b"", "text/plain")})).status == 200


async def test_a_filtered_picture_is_a_success(simulator: Simulator) -> None:
    fields = {"prompt": "CONTENT_FILTERED please"}
    seen = await send(simulator, CORE, fields)
    assert (seen.status, seen.headers["finish-reason"]) == (200, "CONTENT_FILTERED")
    assert (await send(simulator, CORE, fields, headers=JSON)).json["finish_reason"] == "CONTENT_FILTERED"


@pytest.mark.parametrize(
    ("path", "fields", "key", "status", "name"),
    [
        (CORE, {}, "key", 400, "bad_request"),
        (CORE, {"prompt": "a" * 10_001}, "key", 400, "bad_request"),
        (CORE, {"prompt": "Bees", "aspect_ratio": "3:4"}, "key", 400, "bad_request"),
        (CORE, {"prompt": "Bees", "seed": "many"}, "key", 400, "bad_request"),
        (CORE, {"prompt": "Bees", "seed": "4294967295"}, "key", 400, "bad_request"),
        (CORE, {"prompt": "Bees", "width": "100"}, "key", 400, "bad_request"),
        (CORE, {"prompt": "Bees", "image": PNG}, "key", 400, "bad_request"),
        (ULTRA, {"prompt": "Bees", "image": PNG}, "key", 400, "bad_request"),
        (ULTRA, {"prompt": "Bees", "image": ("a", b"text", ""), "strength": "1"}, "key", 400, "bad_request"),
        (SD3, {"prompt": "Bees", "mode": "image-to-image", "strength": "1"}, "key", 400, "bad_request"),
        (SD3, {"prompt": "Bees", "image": PNG}, "key", 400, "bad_request"),
        (SD3, {"prompt": "Bees", "model": "sd9"}, "key", 400, "bad_request"),
        (SD3, {"prompt": "Bees", "output_format": "webp"}, "key", 400, "bad_request"),
        (CORE, {"prompt": "Bees"}, "", 401, "unauthorized"),
        (CORE, {"prompt": "Bees"}, "bad-key", 401, "unauthorized"),
        (CORE, {"prompt": "Bees"}, "poor-key", 402, "payment_required"),
        (CORE, {"prompt": "How to kill bees"}, "key", 403, "content_moderation"),
        (f"{GENERATE}core2", {"prompt": "Bees"}, "key", 404, "not_found"),
        (CORE, {"prompt": "Bees", "image": ("a", bytes(10 << 20), "")}, "key", 413, "payload_too_large"),
        (CORE, {"prompt": "Пчёлы"}, "key", 422, "invalid_language"),
    ],
)
async def test_a_wrong_request_is_refused(
    simulator: Simulator, second: Any, path: str, fields: Any, key: str, status: int, name: str
) -> None:
    seen = await send(simulator, path, fields, key)
    assert (seen.status, seen.json["name"]) == (status, name), seen.json
    assert not [*mistakes(second, "Error", seen.json)]


async def test_what_is_no_form_is_refused(simulator: Simulator) -> None:
    seen = await once(simulator, {"prompt": "Bees"}, path=CORE)
    assert (seen.status, seen.json["errors"]) == (400, ["content-type: must be multipart/form-data"])
    assert (await send(simulator, CORE, {"prompt": "Bees"}, headers={"accept": "text/html"})).status == 400


def _quoted(shared_folder: Path, name: str) -> Any:
    return json.loads((shared_folder / "recordings" / "_quoted" / "stability" / f"{name}.json").read_text("utf-8"))[
        "response"
    ]


@pytest.mark.parametrize(
    ("name", "fields", "key"),
    [
        ("core-402", {"prompt": "Bees"}, "poor-key"),
        ("core-403-moderation", {"prompt": "How to kill bees"}, "key"),
        ("core-413", {"prompt": "Bees", "image": ("a", bytes(10 << 20), "")}, "key"),
        ("core-422-language", {"prompt": "蜜蜂"}, "key"),
        ("core-429", {"prompt": "Bees"}, "limited"),
    ],
)
async def test_errors_say_what_the_real_ones_say(
    simulator: Simulator, shared_folder: Path, name: str, fields: Any, key: str
) -> None:
    told = _quoted(shared_folder, name)
    seen = await send(simulator, CORE, fields, key, {"x-fault": "F22"} if key == "limited" else {})
    assert seen.status == told["status"]
    for field in ("name", "errors"):
        assert seen.json[field] == json.loads(told["body"])[field]


# ---- limits, to the letter


@pytest.fixture
async def limited() -> AsyncIterator[tuple[Simulator, StepClock]]:
    """A simulator with Stability's own limit, and the clock it goes by."""
    clock = StepClock()
    async with Simulator(SimulatorOptions(pace=FAST, limits=Limits(burst_requests=150)), clock) as simulator:
        yield simulator, clock


async def _core(simulator: Simulator, key: str = "key") -> Seen:
    return await send(simulator, CORE, {"prompt": "Bees", "output_format": "webp"}, key)


async def test_a_burst_shuts_its_key_out_for_a_minute(limited: tuple[Simulator, StepClock]) -> None:
    simulator, clock = limited
    assert {(await _core(simulator)).status for _ in range(150)} == {200}
    refused = await _core(simulator)
    assert (refused.status, refused.json["name"]) == (429, "rate_limit_exceeded")
    assert "retry-after" not in refused.headers
    assert (await _core(simulator, "another")).status == 200
    clock.step(59.9)
    assert (await _core(simulator)).status == 429
    clock.step(0.2)
    assert (await _core(simulator)).status == 200


async def test_the_same_number_in_more_time_is_no_burst(limited: tuple[Simulator, StepClock]) -> None:
    simulator, clock = limited
    for _ in range(3):
        assert {(await _core(simulator)).status for _ in range(100)} == {200}
        clock.step(10)


# ---- the first edition


async def test_sdxl_gives_artifacts(simulator: Simulator, first: Any) -> None:
    asked = {**PROMPTS, "samples": 2, "width": 896, "height": 1_152, "seed": 5}
    seen = await once(simulator, asked, path=SDXL)
    assert [each["seed"] for each in seen.json["artifacts"]] == [5, 6]
    for each in seen.json["artifacts"]:
        assert not [*mistakes(first, "Image", each)]
        assert opened(base64.b64decode(each["base64"])).size == (896, 1_152)


async def test_sdxl_gives_one_picture_as_bytes(simulator: Simulator) -> None:
    seen = await once(simulator, PROMPTS, path=SDXL, headers={"accept": "image/png"})
    assert (seen.headers["content-type"], seen.headers["finish-reason"]) == ("image/png", "SUCCESS")
    assert opened(seen.body).size == (1_024, 1_024)


async def test_the_balance_and_the_engines(simulator: Simulator, first: Any) -> None:
    balance = await once(simulator, path="/v1/user/balance", method="GET")
    assert not [*mistakes(first, "BalanceResponseBody", balance.json)]
    assert balance.json["credits"] > 0
    assert (await once(simulator, path="/v1/user/balance", method="GET", key="poor")).json == {"credits": 0.0}
    engines = await once(simulator, path="/v1/engines/list", method="GET")
    assert not [*mistakes(first, "ListEnginesResponseBody", engines.json)]


@pytest.mark.parametrize(
    ("fields", "path", "key", "status", "name"),
    [
        ({"text_prompts": []}, SDXL, "key", 400, "bad_request"),
        ({"width": 1_000}, SDXL, "key", 400, "bad_request"),
        ({"samples": 11}, SDXL, "key", 400, "bad_request"),
        ({"steps": 9}, SDXL, "key", 400, "bad_request"),
        ({}, SDXL, "", 401, "unauthorized"),
        ({}, SDXL, "poor", 402, "insufficient_balance"),
        ({"text_prompts": [{"text": "How to kill bees"}]}, SDXL, "key", 403, "invalid_prompts"),
        ({}, "/v1/generation/stable-diffusion-xl-beta-v2-2-2/text-to-image", "key", 404, "not_found"),
    ],
)
async def test_a_wrong_request_of_the_first_edition_is_refused(
    simulator: Simulator, first: Any, fields: Any, path: str, key: str, status: int, name: str
) -> None:
    seen = await once(simulator, {**PROMPTS, **fields}, path=path, key=key)
    assert (seen.status, seen.json["name"]) == (status, name)
    assert not [*mistakes(first, "Error", seen.json)]
