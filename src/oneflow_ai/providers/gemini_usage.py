"""Usage on Gemini's wire, believed exactly where it is sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.events import Usage

COUNT_MOST = 1 << 53


def read_usage(found: Any) -> Usage | None:
    """The usage metadata of an answer as `Usage`; None when it is missing, or so odd that it is no evidence.

    The prompt's count holds what was cached; thoughts are counted beside the candidates, tools' prompts beside the
    prompt (ai.google.dev/api/generate-content, 2026-11-26). The wire leaves out noughts: a missing count is what the
    total leaves for it. Parts never exceed their wholes; where one did, or the total is not the sum, it is `odd`.
    """
    if not isinstance(found, dict):
        return None
    prompt, thoughts = _count(found, "promptTokenCount"), _count(found, "thoughtsTokenCount", 0)
    tools, total = _count(found, "toolUsePromptTokenCount", 0), _count(found, "totalTokenCount")
    if prompt is None or thoughts is None or tools is None:
        return None
    rest = None if total is None else total - prompt - tools - thoughts
    candidates = _count(found, "candidatesTokenCount", rest)
    if candidates is None or candidates < 0:
        return None
    inputs, outputs = prompt + tools, candidates + thoughts
    cached, odd = _part(found.get("cachedContentTokenCount"), inputs)
    parts: dict[str, int] = {}
    for name, field, kind, whole in (
        ("input_audio_tokens", "promptTokensDetails", "AUDIO", inputs),
        ("input_image_tokens", "promptTokensDetails", "IMAGE", inputs),
        ("output_audio_tokens", "candidatesTokensDetails", "AUDIO", outputs),
        ("output_image_tokens", "candidatesTokensDetails", "IMAGE", outputs),
    ):
        parts[name], wrong = _part(_modality(found.get(field), kind), whole)
        odd |= wrong
    tier = found.get("serviceTier")
    return Usage(
        input_tokens=inputs,
        output_tokens=outputs,
        cached_tokens=cached,
        reasoning_tokens=thoughts,
        input_audio_tokens=parts["input_audio_tokens"],
        output_audio_tokens=parts["output_audio_tokens"],
        input_image_tokens=parts["input_image_tokens"],
        output_image_tokens=parts["output_image_tokens"],
        service_tier=tier.lower() if isinstance(tier, str) else None,
        odd=odd or (rest is not None and rest != candidates),
    )


def read_count(value: Any) -> int | None:
    """A count of tokens, or None for what is none."""
    return value if type(value) is int and 0 <= value <= COUNT_MOST else None


def _count(found: Mapping[str, Any], name: str, missing: int | None = None) -> int | None:
    value = found.get(name)
    return missing if value is None else read_count(value)


def _part(value: Any, whole: int) -> tuple[int, bool]:
    """A part of a whole, and whether it did not fit."""
    count = read_count(value or 0)
    if count is None:
        return 0, True
    return min(count, whole), count > whole


def _modality(details: Any, kind: str) -> Any:
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and detail.get("modality") == kind:
            return detail.get("tokenCount")
    return 0
