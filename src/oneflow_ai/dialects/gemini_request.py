"""The rules for a request of Gemini's wire that asks for an answer, or for a count of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.core.failure import INVALID_TYPE, INVALID_VALUE, Failure
from oneflow_ai.dialects import checks
from oneflow_ai.dialects.gemini_contents import CONTENTS, FLAG, OBJECT, TEXT, TEXTS
from oneflow_ai.dialects.gemini_fields import Found, Rule, alien, anything, checked, integer, listed, record, word

TOOLS_MOST = 4_096
STOPS_MOST = 8_191
CANDIDATES_MOST = 128
LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
MODES = ("AUTO", "ANY", "NONE", "VALIDATED")
# Where the client asks for no filter of its own, there is none to leave out.
_UNFILTERED = ("BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED", None)
_PENALTY = checked(checks.number(-2, 2))
_SCHEMA = checked(checks.of_type("an object, true or false", dict, bool))


def _name(value: Any, at: str, found: Found) -> Any:
    if type(value) is not str or not value:
        raise Failure(INVALID_TYPE, "a function has a name, a text", param=at)
    return value


def _stop(value: Any, at: str, found: Found) -> Any:
    TEXT(value, at, found)
    if not value:
        raise Failure(INVALID_VALUE, "a stop sequence is not empty", param=at)
    return value


def _form(value: Any, at: str, found: Found) -> Any:
    """A text or JSON; one word of several is no form that other wires have."""
    TEXT(value, at, found)
    if value not in ("text/plain", "application/json"):
        found.further.append(at)
    return value


def _modalities(value: Any, at: str, found: Found) -> Any:
    kinds = listed(TEXT, STOPS_MOST)(value, at, found)
    if makes_media({"responseModalities": kinds}):
        found.further.append(at)
    return kinds


def _behavior(value: Any, at: str, found: Found) -> Any:
    if value not in ("BLOCKING", "UNSPECIFIED"):
        found.further.append(at)
    return value


def _safety(value: Any, at: str, found: Found) -> Any:
    settings = listed(OBJECT, TOOLS_MOST)(value, at, found)
    if any(setting.get("threshold") not in _UNFILTERED for setting in settings):
        found.further.append(at)
    return settings


_DECLARATION = record(
    {
        "name": _name,
        "description": TEXT,
        "parameters": OBJECT,
        "parametersJsonSchema": _SCHEMA,
        # What it gives back is for the model to know, and no other wire tells it.
        "response": anything,
        "responseJsonSchema": anything,
        "behavior": _behavior,
    },
    "name",
)
_TOOL = record({"functionDeclarations": listed(_DECLARATION, TOOLS_MOST)})
_CALLING = record({"mode": word(*MODES), "allowedFunctionNames": listed(TEXT, TOOLS_MOST)})
_THINKING = record(
    {
        "includeThoughts": FLAG,
        # Below nought: as much as the model likes.
        "thinkingBudget": integer(-1, checks.TOKENS_MOST),
        "thinkingLevel": word(*LEVELS),
    }
)
_CONFIG = record(
    {
        "stopSequences": listed(_stop, STOPS_MOST),
        "responseMimeType": _form,
        "responseSchema": OBJECT,
        "responseJsonSchema": _SCHEMA,
        "_responseJsonSchema": _SCHEMA,
        "responseModalities": _modalities,
        "candidateCount": integer(1, CANDIDATES_MOST),
        "maxOutputTokens": integer(1, checks.TOKENS_MOST),
        "temperature": checked(checks.number(0, 2)),
        "topP": checked(checks.number(0, 1)),
        "topK": integer(0, checks.TOKENS_MOST),
        "seed": integer(-(1 << 63), (1 << 63) - 1),
        "presencePenalty": _PENALTY,
        "frequencyPenalty": _PENALTY,
        "responseLogprobs": FLAG,
        "logprobs": integer(0, 20),
        "thinkingConfig": _THINKING,
    }
)


def _config(value: Any, at: str, found: Found) -> Any:
    read = _CONFIG(value, at, found)
    schemas = [name for name in read if name.lower().endswith("schema")]
    if len(schemas) > 1:
        raise Failure(INVALID_VALUE, "one schema is enough", param=f"{at}.{schemas[1]}")
    if schemas and read.get("responseMimeType", "text/plain") == "text/plain":
        words = "a schema needs the responseMimeType application/json"
        raise Failure(INVALID_VALUE, words, param=f"{at}.{schemas[0]}")
    thinking = read.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        words = "a budget or a level, not both"
        raise Failure(INVALID_VALUE, words, param=f"{at}.thinkingConfig.thinkingBudget")
    return read


def runs_tools(fields: Mapping[str, Any]) -> bool:
    """Whether a read request has tools that the provider runs by itself."""
    return any(tool.keys() - {"functionDeclarations"} for tool in fields.get("tools") or ())


def makes_media(config: Mapping[str, Any]) -> bool:
    """Whether the settings of a read request ask for more than text."""
    return any(kind.upper() != "TEXT" for kind in config.get("responseModalities") or ())


_FORBIDDEN: Rule = checked(checks.forbidden)
# The gateway's own: a chain of models, and what no client sets.
_OWN = {"models": anything, "fallbacks": anything, **dict.fromkeys(checks.FORBIDDEN, _FORBIDDEN)}
REQUEST = record(
    {
        "model": TEXT,
        "contents": CONTENTS,
        "systemInstruction": TEXTS,
        "tools": listed(_TOOL, TOOLS_MOST),
        "toolConfig": record({"functionCallingConfig": _CALLING}),
        "safetySettings": _safety,
        "generationConfig": _config,
        "cachedContent": alien,
        "serviceTier": TEXT,
        "store": FLAG,
        "labels": OBJECT,
        **_OWN,
    },
    "contents",
)
COUNT = record({"model": TEXT, "contents": CONTENTS, "generateContentRequest": REQUEST, **_OWN})
