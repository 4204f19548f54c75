"""ElevenLabs' lists: models with their rates and limits, voices, the subscription (checked 2026-11-26)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CHARACTERS_MOST = 10_000
_PAGE_DEFAULT, _PAGE_MOST = 10, 100
_MONTH_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Model:
    """A model: how many characters it takes at a time, and the credits that each costs."""

    id: str
    name: str
    characters_most: int
    multiplier: float


MODELS = (
    Model("eleven_multilingual_v2", "Eleven Multilingual v2", 10_000, 1.0),
    Model("eleven_v4", "Eleven v4", 10_000, 1.0),
    Model("eleven_v4_turbo", "Eleven v4 Turbo", 40_000, 0.5),
    Model("eleven_v3", "Eleven v3", 5_000, 1.0),
    Model("eleven_flash_v2_5", "Eleven Flash v2.5", 40_000, 0.5),
    Model("eleven_turbo_v2_5", "Eleven Turbo v2.5", 40_000, 0.5),
    Model("eleven_flash_v2", "Eleven Flash v2", 30_000, 0.5),
)
MODEL_DEFAULT = MODELS[0].id
_BY_ID = {each.id: each for each in MODELS}

# Voices that every account has, by id.
VOICES = {
    "JBFqnCBsd6RMkjVDRZzb": ("George", "male", "british"),
    "21m00Tcm4TlvDq8ikWAM": ("Rachel", "female", "american"),
    "EXAVITQu4vr4xnSDxMaL": ("Sarah", "female", "american"),
    "onwK4e9ZLuTAKqWW03F9": ("Daniel", "male", "british"),
    "pNInz6obpgDQGcFmaJgB": ("Adam", "male", "american"),
    "XB0fDUnXU5powFXDhCwa": ("Charlotte", "female", "swedish"),
    "IKne3meq5aSn9XLyUdCD": ("Charlie", "male", "australian"),
    "XrExE9yKIg1WjnnlVkGX": ("Matilda", "female", "american"),
    "bIHbv24MWmeRgasZH58o": ("Will", "male", "american"),
    "cgSgspJ2msm6clMCkdW9": ("Jessica", "female", "american"),
    "nPczCjzI2devNBz1zQrb": ("Brian", "male", "american"),
    "pFZP5JQG7iQjIQuC4Bku": ("Lily", "female", "british"),
}


def model(name: str) -> Model:
    """A model by its id; one that is not listed is like the usual one."""
    return _BY_ID.get(name, MODELS[0])


def models() -> list[dict[str, Any]]:
    """The answer of `/v1/models`."""
    return [
        {
            "model_id": each.id,
            "name": each.name,
            "can_be_finetuned": False,
            "can_do_text_to_speech": True,
            "can_do_voice_conversion": False,
            "can_use_style": True,
            "can_use_speaker_boost": True,
            "serves_pro_voices": False,
            "token_cost_factor": each.multiplier,
            "description": "A simulated model.",
            "requires_alpha_access": False,
            "max_characters_request_free_user": min(each.characters_most, 2_500),
            "max_characters_request_subscribed_user": each.characters_most,
            "maximum_text_length_per_request": each.characters_most,
            "languages": [{"language_id": "en", "name": "English"}, {"language_id": "de", "name": "German"}],
            "model_rates": {"character_cost_multiplier": each.multiplier, "cost_discount_multiplier": 1.0},
            "concurrency_group": "turbo" if each.multiplier < 1 else "standard",
        }
        for each in MODELS
    ]


def voices() -> dict[str, Any]:
    """The answer of `/v1/voices`: all of them."""
    return {"voices": [_voice(each) for each in VOICES]}


def voices_paged(query: dict[str, list[str]]) -> dict[str, Any]:
    """The answer of `/v2/voices`: a page of those that are searched for."""
    wanted = query.get("search", [""])[-1].lower()
    found = [each for each in VOICES if wanted in VOICES[each][0].lower()]
    size = _whole(query.get("page_size", [""])[-1], _PAGE_DEFAULT)
    size = min(max(size, 1), _PAGE_MOST)
    start = _whole(query.get("next_page_token", [""])[-1], 0)
    end = start + size
    return {
        "voices": [_voice(each) for each in found[start:end]],
        "has_more": end < len(found),
        "total_count": len(found),
        "next_page_token": str(end) if end < len(found) else None,
    }


def voice(voice_id: str) -> dict[str, Any] | None:
    """The answer of `/v1/voices/{id}`; None for a voice that there is not."""
    return _voice(voice_id) if voice_id in VOICES else None


def _whole(value: str, default: int) -> int:
    return int(value) if value.isdecimal() else default


def _voice(voice_id: str) -> dict[str, Any]:
    name, gender, accent = VOICES[voice_id]
    return {
        "voice_id": voice_id,
        "name": name,
        "samples": None,
        "category": "premade",
        "fine_tuning": None,
        "labels": {"gender": gender, "accent": accent, "use_case": "conversational"},
        "description": "A simulated voice: a tone, or silence.",
        "preview_url": None,
        "available_for_tiers": [],
        "settings": None,
        "sharing": None,
        "high_quality_base_model_ids": [each.id for each in MODELS],
        "verified_languages": [],
        "is_owner": False,
        "is_legacy": False,
        "is_mixed": False,
    }


def subscription(poor: bool, now_unix: int) -> dict[str, Any]:
    """The answer of `/v1/user/subscription`; whoever is poor has used all of it."""
    return {
        "tier": "creator",
        "character_count": CHARACTERS_MOST if poor else 0,
        "character_limit": CHARACTERS_MOST,
        "max_character_limit_extension": 0,
        "max_credit_limit_extension": 0,
        "can_extend_character_limit": False,
        "allowed_to_extend_character_limit": False,
        "next_character_count_reset_unix": now_unix + _MONTH_SECONDS,
        "voice_slots_used": 0,
        "professional_voice_slots_used": 0,
        "professional_voice_slots_used_in_workspace": 0,
        "voice_limit": 30,
        "max_voice_add_edits": 95,
        "voice_add_edit_counter": 0,
        "professional_voice_limit": 1,
        "can_extend_voice_limit": False,
        "can_use_instant_voice_cloning": True,
        "can_use_professional_voice_cloning": True,
        "currency": "usd",
        "current_overage": {"amount": "0", "currency": "usd"},
        "status": "active",
        "billing_period": "monthly_period",
        "character_refresh_period": "monthly_period",
        "next_invoice": None,
        "open_invoices": [],
        "has_open_invoices": False,
        "pending_change": None,
    }
