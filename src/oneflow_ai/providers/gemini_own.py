"""What a client of Gemini's own dialect may ask of its models that no other wire has a place for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oneflow_ai.core.prompt import Prompt
from oneflow_ai.providers.base import mapping

_SAFETY, _RESOLUTION = "safetySettings", "mediaResolution"
# Each by its place in a request. What the account keeps, or what a provider runs and bills by itself, is none of these.
_TAKEN = frozenset(
    {_SAFETY, f"generationConfig.{_RESOLUTION}", "toolConfig.functionCallingConfig.allowedFunctionNames"}
)
# A film or a recording by its address, as YouTube's.
_FILE = re.compile(r"contents\[\d+\]\.parts\[\d+\](?:\.functionResponse\.parts\[\d+\])?\.fileData")


def with_own(prompt: Prompt) -> Prompt:
    """The prompt without word that these have no place."""
    further = tuple(name for name in prompt.further if name not in _TAKEN and not _FILE.fullmatch(name))
    return replace(prompt, further=further, minor=tuple(name for name in prompt.minor if name not in _TAKEN))


def own_fields(body: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that say them, beside those of `generationConfig` which the prompt says already."""
    found: dict[str, Any] = {_SAFETY: body[_SAFETY]} if body.get(_SAFETY) else {}
    if mapping(mapping(body.get("toolConfig")).get("functionCallingConfig")).get("allowedFunctionNames"):
        found["toolConfig"] = body["toolConfig"]
    resolution = mapping(body.get("generationConfig")).get(_RESOLUTION)
    return {**found, "generationConfig": {**config, _RESOLUTION: resolution}} if resolution else found
