"""ElevenLabs' list of models and its errors, by its specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.listing import Shown
from oneflow_ai.dialects import elevenlabs

SPEAKS = [
    Shown(f"{owner}/{name}", owner, ("speech",))
    for owner, name in (("elevenlabs", "eleven_v4"), ("elevenlabs", "eleven_flash_v2_5"), ("openai", "tts-1"))
]


@pytest.fixture(scope="module")
def models(shared_folder: Path) -> Any:
    """What validates an answer of `GET /v1/models`."""
    text = (shared_folder / "specs" / "elevenlabs-openapi.gateway-subset.json").read_text("utf-8")
    specification = json.loads(text)
    answer = specification["paths"]["/v1/models"]["get"]["responses"]["200"]["content"]["application/json"]
    return Draft202012Validator({**answer["schema"], "components": specification["components"]})


def listed(*shown: Shown) -> list[dict[str, Any]]:
    bodies = {model.id: elevenlabs.model_body(model, 0) for model in shown}
    found: list[dict[str, Any]] = json.loads(elevenlabs.models_body({id: body for id, body in bodies.items() if body}))
    return found


def test_the_list_is_valid_by_the_specification(models: Any) -> None:
    models.validate(listed(*SPEAKS))
    models.validate(listed())


def test_a_model_that_speaks_tells_how_much_text_it_takes_and_what_that_costs() -> None:
    found = {model["model_id"]: model for model in listed(*SPEAKS)}
    lengths = {name: model["maximum_text_length_per_request"] for name, model in found.items()}
    assert lengths == {"elevenlabs/eleven_v4": 4_096, "elevenlabs/eleven_flash_v2_5": 40_000, "openai/tts-1": 4_096}
    assert [model["model_rates"]["character_cost_multiplier"] for model in found.values()] == [1.0, 0.5, 1.0]


def test_models_that_do_not_speak_are_left_out() -> None:
    assert listed(Shown("text", "oneflow", ("text",)), Shown("openai/gpt-6-luna", "openai")) == []


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (kinds.INVALID_API_KEY, "invalid_api_key"),
        (kinds.MISSING_API_KEY, "needs_authorization"),
        (kinds.INSUFFICIENT_QUOTA, "quota_exceeded"),
        (kinds.MODEL_NOT_FOUND, "model_not_found"),
        (kinds.RATE_LIMIT_EXCEEDED, "too_many_concurrent_requests"),
        (kinds.METHOD_NOT_ALLOWED, "method_not_allowed"),
        (kinds.INVALID_VALUE, "invalid_value"),
        (kinds.NOT_FOUND, "not_found"),
    ],
)
def test_an_error_has_this_wires_shape(kind: kinds.Kind, status: str) -> None:
    body = json.loads(elevenlabs.failure_body(Failure(kind, "no", param="voice")))
    assert body == {"detail": {"status": status, "message": "voice: no", "code": kind.code}}


def test_what_a_provider_of_this_wire_calls_an_error_is_passed_on() -> None:
    gone = Failure(kinds.UPSTREAM_REJECTED, "A voice was not found.", status=404, code="voice_not_found")
    told = json.loads(elevenlabs.failure_body(gone))["detail"]
    assert (told["status"], told["code"]) == ("voice_not_found", "voice_not_found")
