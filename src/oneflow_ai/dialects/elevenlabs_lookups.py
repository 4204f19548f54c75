"""What ElevenLabs' clients look up: voices, and how an account stands; asked of the provider, or told of others'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.core.failure import NOT_FOUND, Failure
from oneflow_ai.dialects import checks, elevenlabs_query
from oneflow_ai.dialects.elevenlabs_speech import DIALECT
from oneflow_ai.dialects.envelope import Envelope
from oneflow_ai.dialects.form_fields import whole

LOOKUPS: Mapping[bytes, Operation] = {
    b"/v1/voices": Operation.VOICES,
    b"/v2/voices": Operation.VOICES,
    b"/v1/user/subscription": Operation.SUBSCRIPTION,
}
_PAGED = b"/v2/voices"
PAGE_MOST = 100
"""How many voices a page has (the vendor's specification, 2026-08-22)."""
# One voice, by its id; what stands beside them is none (the vendor's specification, 2026-08-22).
_VOICE = re.compile(rb"/v1/voices/(?!(?:accents|add|pvc|settings)$)[A-Za-z0-9_-]{1,64}")
# What the operator owes is nobody else's business.
_PRIVATE: Mapping[str, Any] = {
    "next_invoice": None,
    "open_invoices": [],
    "has_open_invoices": False,
    "pending_change": None,
    "current_overage": {"amount": "0", "currency": "usd"},
}


def lookup_at(path: bytes) -> Operation | None:
    """What is looked up at an address; None for any other."""
    found = LOOKUPS.get(path)
    return Operation.VOICES if found is None and _VOICE.fullmatch(path) else found


def parse_lookup(envelope: Envelope, model: str) -> Call:
    """The call that asks the provider of this model; raises `Failure` for a query that is none."""
    return envelope.call(
        dialect=DIALECT,
        operation=envelope.operation,
        model=model,
        body={},
        stream=False,
        include_usage=False,
        prompt_bytes=0,
        wire=DIALECT,
        path=envelope.path.decode("ascii"),
        query=lookup_query(envelope.path, envelope.query),
    )


def lookup_query(path: bytes, query: bytes) -> elevenlabs_query.Pairs:
    """What stands in the query of a look-up; raises `Failure` for what cannot."""
    pairs = elevenlabs_query.read(query)
    if path == _PAGED:
        elevenlabs_query.checked(pairs, {"page_size": _page_size})
    return pairs


def _page_size(name: str, value: Any) -> None:
    checks.integer(1, PAGE_MOST)(name, whole(name, value))


def without_bills(body: bytes) -> bytes:
    """How an account stands, without what its owner owes."""
    found = orjson.loads(body)
    if not isinstance(found, dict):
        return body
    return orjson.dumps({**found, **{name: value for name, value in _PRIVATE.items() if name in found}})


def voices_body(path: bytes, query: bytes, names: Mapping[str, str]) -> bytes:
    """The voices of other providers, names by id, in this wire's shape; raises `Failure` for one that there is not."""
    asked = dict(lookup_query(path, query))
    told = [_voice(*each) for each in names.items()]
    if path not in LOOKUPS:
        wanted = path.rpartition(b"/")[2].decode("ascii")
        found = [each for each in told if each["voice_id"] == wanted]
        if not found:
            raise Failure(NOT_FOUND, "there is no voice of this id", param="voice_id", code="voice_not_found")
        return orjson.dumps(found[0])
    if path != _PAGED:
        return orjson.dumps({"voices": told})
    search = asked.get("search", "").lower()
    found = [each for each in told if search in each["name"].lower()]
    page = {"voices": found, "has_more": False, "total_count": len(found), "next_page_token": None}
    return orjson.dumps(page)


def _voice(voice_id: str, name: str) -> dict[str, Any]:
    return {
        "voice_id": voice_id,
        "name": name,
        "category": "premade",
        "labels": {},
        "available_for_tiers": [],
        "high_quality_base_model_ids": [],
    }
