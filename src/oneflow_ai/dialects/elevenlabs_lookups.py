"""What ElevenLabs' clients look up: voices, and how an account stands; asked of the provider, or told of others'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from oneflow_ai.core.call import Call, Operation
from oneflow_ai.dialects import elevenlabs_query
from oneflow_ai.dialects.elevenlabs_speech import DIALECT
from oneflow_ai.dialects.envelope import Envelope

LOOKUPS: Mapping[bytes, Operation] = {
    b"/v1/voices": Operation.VOICES,
    b"/v2/voices": Operation.VOICES,
    b"/v1/user/subscription": Operation.SUBSCRIPTION,
}
_PAGED = b"/v2/voices"
# One voice; the words beside them (`settings`, `accents`, `add`) are shorter than any id.
_VOICE = re.compile(rb"/v1/voices/[A-Za-z0-9]{16,64}")
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
    return Call(
        id=envelope.id,
        account=envelope.account,
        dialect=DIALECT,
        operation=envelope.operation,
        model=model,
        body={},
        stream=False,
        include_usage=False,
        received=envelope.received,
        started_seconds=envelope.started_seconds,
        deadline_seconds=envelope.deadline_seconds,
        prompt_bytes=0,
        client_id=envelope.client_id,
        wire=DIALECT,
        path=envelope.path.decode("ascii"),
        query=elevenlabs_query.read(envelope.query),
    )


def without_bills(body: bytes) -> bytes:
    """How an account stands, without what its owner owes."""
    found = orjson.loads(body)
    if not isinstance(found, dict):
        return body
    return orjson.dumps({**found, **{name: value for name, value in _PRIVATE.items() if name in found}})


def voices_body(path: bytes, query: bytes, names: Mapping[str, str]) -> bytes | None:
    """The voices of other providers, names by id, in this wire's shape; None for one that is not among them."""
    told = [_voice(*each) for each in names.items()]
    if path not in LOOKUPS:
        wanted = path.rpartition(b"/")[2].decode("ascii")
        return next((orjson.dumps(each) for each in told if each["voice_id"] == wanted), None)
    if path != _PAGED:
        return orjson.dumps({"voices": told})
    search = dict(parse_qsl(query.decode("ascii", "replace"))).get("search", "").lower()
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
