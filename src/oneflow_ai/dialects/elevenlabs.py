"""ElevenLabs' dialect: speech and transcripts, the list of models that speak, voices, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import orjson

from oneflow_ai.core import failure as kinds
from oneflow_ai.core.call import Task
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.listing import Shown
from oneflow_ai.dialects.elevenlabs_answers import encoder
from oneflow_ai.dialects.elevenlabs_forms import parse_form
from oneflow_ai.dialects.elevenlabs_lookups import lookup_at, parse_lookup, voices_body
from oneflow_ai.dialects.elevenlabs_speech import DIALECT, operation_at, parse

__all__ = [
    "DIALECT",
    "FORWARDED",
    "ID_HEADER",
    "encoder",
    "failure_body",
    "lookup_at",
    "model_body",
    "models_body",
    "operation_at",
    "parse",
    "parse_form",
    "parse_lookup",
    "voices_body",
]

ID_HEADER = b"request-id"
FORWARDED: tuple[bytes, ...] = ()
# How much text one request may have: ElevenLabs' and OpenAI's API references, 2026-11-23. Clients cut their texts by
# it, so that of a model that nobody knows it is the least.
_CHARACTERS_MOST: Mapping[str, int] = {
    "eleven_multilingual_v2": 10_000,
    "eleven_flash_v2_5": 40_000,
    "eleven_turbo_v2_5": 40_000,
    "eleven_flash_v2": 30_000,
    "*": 4_096,
}
# Credits for one character, of the same source.
_CREDITS: Mapping[str, float] = {"eleven_flash_*": 0.5, "eleven_turbo_*": 0.5, "*": 1.0}
# What this wire calls an error that the gateway has another code for, by that, else by its status; what a provider of
# this wire calls it goes before.
_STATUSES_OF_CODES: Mapping[str, str] = {
    kinds.MISSING_API_KEY.code: "needs_authorization",
    kinds.INSUFFICIENT_QUOTA.code: "quota_exceeded",
    kinds.MODEL_NOT_FOUND.code: "model_not_found",
    kinds.MODEL_RETIRED.code: "model_not_found",
}
_STATUSES: Mapping[int, str] = {
    401: "invalid_api_key",
    404: "not_found",
    429: "too_many_concurrent_requests",
    503: "system_busy",
}


def models_body(written: Mapping[str, bytes]) -> bytes:
    """The list of models, each as `model_body` wrote it, by its id."""
    return b"[" + b",".join(written.values()) + b"]"


def model_body(model: Shown, created: int) -> bytes:
    """One model that speaks; of what this wire must tell and nobody knows, the least. Empty for any other model."""
    del created
    if Task.SPEECH.value not in model.capabilities:
        return b""
    name = model.id.rpartition("/")[2]
    characters, credits = _first(_CHARACTERS_MOST, name), _first(_CREDITS, name)
    return orjson.dumps(
        {
            "model_id": model.id,
            "name": model.id,
            "description": f"{name} of {model.owner}",
            "can_be_finetuned": False,
            "can_do_text_to_speech": True,
            "can_do_voice_conversion": False,
            "can_use_style": False,
            "can_use_speaker_boost": False,
            "serves_pro_voices": False,
            "requires_alpha_access": False,
            "token_cost_factor": credits,
            "model_rates": {"character_cost_multiplier": credits, "cost_discount_multiplier": 1.0},
            "max_characters_request_free_user": characters,
            "max_characters_request_subscribed_user": characters,
            "maximum_text_length_per_request": characters,
            "languages": [],
            "concurrency_group": model.owner,
        }
    )


def failure_body(failure: Failure, request_id: str = "") -> bytes:
    """The body of an error answer: a status of this wire where it has one, else the gateway's own code."""
    del request_id
    told = failure.code not in kinds.KINDS
    status = failure.code if told else _STATUSES_OF_CODES.get(failure.code) or _STATUSES.get(failure.status)
    return orjson.dumps({"detail": {"status": status or failure.code, "message": failure.words, "code": failure.code}})


def _first(table: Mapping[str, float], name: str) -> float:
    return next(value for pattern, value in table.items() if fnmatchcase(name, pattern))
