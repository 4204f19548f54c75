"""Reads a provider's list of models, whichever of the known shapes it has; the fields are told apart by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import orjson

from oneflow_ai.core.listing import ABILITIES, Listed

MODELS_MOST = 10_000
ID_CHARACTERS_MOST = 256
_TOKENS_MOST = 1 << 40
# Where the list stands in the answer: Gemini and Bedrock have names of their own for it. Together's has no object
# around it (docs.together.ai/reference/models-1, 2026-11-24).
_LISTS = ("data", "models", "modelSummaries")
# Names of the same facts, the first that is there counts: the vendors' clients and API references, 2026-11-23.
_IDS = ("id", "model_id", "modelId", "name")
_CONTEXTS = (
    *("max_input_tokens", "inputTokenLimit", "context_length", "context_window", "max_model_len"),
    "max_context_length",
)
_OUTPUTS = ("outputTokenLimit", "max_completion_tokens", "max_tokens")
_ENDS = ("shutdown_date", "retires_at")
# What a model can do, by each list's own words: Anthropic's and Mistral's `capabilities` (Anthropic's specification,
# ModelInfo; docs.mistral.ai/api), and what OpenRouter's models take (openrouter.ai/docs/api-reference), 2026-11-26.
_CAPABILITIES: Mapping[str, str] = {
    "thinking": "reasoning",
    "reasoning": "reasoning",
    "image_input": "vision",
    "vision": "vision",
    "pdf_input": "pdf",
    "function_calling": "tools",
    "structured_outputs": "structured_output",
}
_PARAMETERS: Mapping[str, str] = {
    "reasoning": "reasoning",
    "tools": "tools",
    "structured_outputs": "structured_output",
}
_MODALITIES: Mapping[str, str] = {"image": "vision", "file": "pdf"}
_NAME_PREFIX = "models/"


def read_models(body: bytes) -> tuple[Sequence[Any], dict[str, Listed]]:
    """The items of the list, and the models among them by id; raises `ValueError` for what is no list of models."""
    found = orjson.loads(body)
    items = next((found[name] for name in _LISTS if name in found), None) if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise ValueError("no list of models")
    models = [_model(item) for item in items[:MODELS_MOST] if isinstance(item, dict)]
    return items, {model.id: model for model in models if model is not None}


def _model(item: dict[str, Any]) -> Listed | None:
    if item.get("can_do_text_to_speech") is False:
        # It changes voices, which nobody can ask for here (ElevenLabs' specification, ModelResponseModel, 2026-08-22).
        return None
    name = next((item[key] for key in _IDS if isinstance(item.get(key), str)), "").removeprefix(_NAME_PREFIX)
    if not 0 < len(name) <= ID_CHARACTERS_MOST or not name.isprintable():
        return None
    return Listed(
        id=name,
        context_window_tokens=_tokens(item, _CONTEXTS),
        output_most_tokens=_tokens(item, _OUTPUTS),
        ends=next((day for day in (_day(item.get(key)) for key in _ENDS) if day is not None), None),
        gone=item.get("lifecycle") == "retired",
        able=_able(item),
    )


def _able(item: dict[str, Any]) -> tuple[str, ...]:
    """What the list says that the model can do, in the order of `ABILITIES`."""
    told, modalities = item.get("capabilities"), item.get("architecture")
    found = (
        {_CAPABILITIES.get(name) for name, value in told.items() if _yes(value)} if isinstance(told, dict) else set()
    )
    found |= _named(item.get("supported_parameters"), _PARAMETERS)
    if isinstance(modalities, dict):
        found |= _named(modalities.get("input_modalities"), _MODALITIES)
    if item.get("thinking") is True:
        # Gemini's (ai.google.dev/api/models, 2026-11-26).
        found.add("reasoning")
    return tuple(name for name in ABILITIES if name in found)


def _yes(value: Any) -> bool:
    return value is True or (isinstance(value, dict) and value.get("supported") is True)


def _named(names: Any, words: Mapping[str, str]) -> set[str | None]:
    return {words.get(name) for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _tokens(item: dict[str, Any], keys: Sequence[str]) -> int | None:
    values = (item.get(key) for key in keys)
    return next((value for value in values if type(value) is int and 0 < value < _TOKENS_MOST), None)


def _day(value: object) -> date | None:
    """The day of `2026-11-30` or of `2026-11-30T00:00:00Z`."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
