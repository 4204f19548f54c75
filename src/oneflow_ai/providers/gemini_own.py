"""A request of Gemini's own dialect for its models: as its client wrote it, where what it may cost is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oneflow_ai.core.call import Call
from oneflow_ai.core.failure import UNSUPPORTED_PARAMETER, Failure
from oneflow_ai.core.target import Target
from oneflow_ai.providers.base import listed, mapping, own_body, word
from oneflow_ai.providers.gemini_config import generation, has_priced_tier
from oneflow_ai.providers.gemini_seal import WIRE, turns, with_stand_ins
from oneflow_ai.providers.sse import EVENT_BYTES_MOST

# What a tool of the provider's own brings, or a picture that the model makes, comes in one event.
MADE_BYTES_MOST = 32 << 20
_TIERS_UNSAID = ("", "unspecified", "service_tier_unspecified")
# What an answer may hold besides text, and what that is priced by.
_MADE = {"IMAGE": "output_image", "AUDIO": "output_audio"}
# Models that do nothing but speak: what they give has one price (ai.google.dev/gemini-api/docs/pricing, 2026-11-27).
_SPEAKS = "-tts"


def own_fields(call: Call, target: Target) -> dict[str, Any]:
    """The fields of a request; raises `Failure` for what the target has no price of."""
    body = own_body(call, target)
    # It stands in the address.
    del body["model"]
    body["contents"] = turns(body["contents"])
    if generation(target.model) >= (3, 0):
        body["contents"] = with_stand_ins(body["contents"])
    return body


def check_priced(body: Mapping[str, Any], target: Target) -> None:
    """Raise `Failure` for a service tier, or a kind of answer, that the target has no price of."""
    tier = word(body.get("serviceTier")).lower()
    if tier not in _TIERS_UNSAID and not has_priced_tier(target.price, tier):
        words = f"the target has no priced service tier {tier[:32]}"
        raise Failure(UNSUPPORTED_PARAMETER, words, param="serviceTier")
    priced = target.price.kinds if target.price is not None else frozenset[str]()
    for kind in _made(body):
        if _MADE.get(kind) not in priced and not (kind == "AUDIO" and _SPEAKS in target.model):
            words = f"the target has no price of answers of this kind: {kind[:32]}"
            raise Failure(UNSUPPORTED_PARAMETER, words, param="generationConfig.responseModalities")


def event_bytes_most(call: Call, target: Target) -> int:
    """How large one event of the answer may be."""
    if call.wire != WIRE:
        return EVENT_BYTES_MOST
    runs_tools = any(mapping(tool).keys() - {"functionDeclarations"} for tool in listed(call.body.get("tools")))
    draws = target.price is not None and _MADE["IMAGE"] in target.price.kinds
    return EVENT_BYTES_MOST + (MADE_BYTES_MOST if runs_tools or draws or any(_made(call.body)) else 0)


def _made(body: Mapping[str, Any]) -> Iterator[str]:
    """What is asked for besides text."""
    kinds = listed(mapping(body.get("generationConfig")).get("responseModalities"))
    return (kind for kind in (word(each).upper() for each in kinds) if kind not in ("TEXT", "MODALITY_UNSPECIFIED"))
