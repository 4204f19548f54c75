"""What seals a thought on Gemini's wire, and what stands in for a seal that another model never made."""

from __future__ import annotations

from typing import Any

WIRE = "gemini"
# Google's own stand-in for calls of functions that no Gemini 3 model made: without any, the first call of each step is
# refused with 400 (ai.google.dev/gemini-api/docs/thought-signatures, checked 2026-11-26).
STAND_IN = "skip_thought_signature_validator"


def stand_in_for_missing(contents: list[dict[str, Any]]) -> None:
    """Put the stand-in on the first call of a function in each turn of the model, where it has no seal."""
    for content in contents:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if content["role"] == "model" and calls and "thoughtSignature" not in calls[0]:
            calls[0]["thoughtSignature"] = STAND_IN
