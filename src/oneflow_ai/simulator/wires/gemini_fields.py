"""The fields of a request on Gemini's wire, in either spelling, by its reference of 2026-11; schemas are strict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneflow_ai.simulator.fields import (
    VALUE,
    Check,
    Path,
    Wrong,
    anything,
    base64_text,
    boolean,
    integer,
    listed,
    mapping,
    number,
    object_,
    one_of,
    record,
    text,
)

_NAME = text(1, 128, r"[a-zA-Z_][a-zA-Z0-9_.:-]*")


def snake(name: str) -> str:
    """A name as `function_call`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def message(fields: Mapping[str, Check], *required: str) -> Check:
    """Take an object with these fields in camel case or with underscores; afterwards they are in camel case."""
    spelled = {snake(name): name for name in fields if snake(name) != name}
    inner = record(fields, required)

    def check(value: Any, path: Path) -> None:
        if isinstance(value, dict):
            for name in [each for each in value if each in spelled]:
                value[spelled[name]] = value.pop(name)
        inner(value, path)

    return check


def _schema(value: Any, path: Path) -> None:
    """A schema in Gemini's own small language: what JSON Schema has beyond it is an unknown field."""
    _SCHEMA(value, path)


_SCHEMA = message(
    {
        "type": one_of(
            *("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"),
            *("string", "number", "integer", "boolean", "array", "object", "null"),
        ),
        "format": text(),
        "title": text(),
        "description": text(),
        "nullable": boolean,
        "enum": listed(text()),
        "items": _schema,
        "maxItems": anything,
        "minItems": anything,
        "properties": mapping(_schema),
        "required": listed(text()),
        "minProperties": anything,
        "maxProperties": anything,
        "minLength": anything,
        "maxLength": anything,
        "pattern": text(),
        "example": anything,
        "anyOf": listed(_schema),
        "propertyOrdering": listed(text()),
        "default": anything,
        "minimum": number(),
        "maximum": number(),
    }
)
_BLOB = message({"mimeType": text(1), "data": base64_text(safe=True), "displayName": text()}, "mimeType", "data")
_FILE = message({"mimeType": text(), "fileUri": text(1), "displayName": text()}, "fileUri")
_PART = message(
    {
        "text": text(),
        "inlineData": _BLOB,
        "fileData": _FILE,
        "functionCall": message({"id": text(), "name": _NAME, "args": object_, "partialArgs": anything}, "name"),
        "functionResponse": message(
            {
                "id": text(),
                "name": _NAME,
                "response": object_,
                "willContinue": boolean,
                "scheduling": text(),
                "parts": listed(message({"inlineData": _BLOB, "fileData": _FILE})),
            },
            "name",
            "response",
        ),
        "executableCode": object_,
        "codeExecutionResult": object_,
        "toolCall": object_,
        "toolResponse": object_,
        "thought": boolean,
        "thoughtSignature": text(),
        "videoMetadata": object_,
        "partMetadata": object_,
        "mediaResolution": anything,
    }
)
_DATA = (
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"),
    *("toolCall", "toolResponse"),
)


def _part(value: Any, path: Path) -> None:
    _PART(value, path)
    if sum(name in value for name in _DATA) != 1:
        raise Wrong((*path, "data"), VALUE, "one data field, which must be initialized")


CONTENT = message({"role": text(), "parts": listed(_part)})
_DECLARATION = message(
    {
        "name": _NAME,
        "description": text(),
        "parameters": _schema,
        "parametersJsonSchema": anything,
        "response": _schema,
        "responseJsonSchema": anything,
        "behavior": text(),
    },
    "name",
)
_TOOL = message(
    {
        "functionDeclarations": listed(_DECLARATION),
        **dict.fromkeys(
            (
                *("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "computerUse"),
                *("googleMaps", "fileSearch", "mcpServers"),
            ),
            anything,
        ),
    }
)
_CALLING = message(
    {
        "mode": one_of("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
        "allowedFunctionNames": listed(text()),
        "streamFunctionCallArguments": boolean,
    }
)
_THINKING = message(
    {
        "includeThoughts": boolean,
        "thinkingBudget": integer(-1),
        "thinkingLevel": one_of(
            *("THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"),
            *("minimal", "low", "medium", "high"),
        ),
    }
)
_GENERATION = message(
    {
        "stopSequences": listed(text(1), 0, 5),
        "responseMimeType": one_of("text/plain", "application/json", "text/x.enum"),
        "responseSchema": _schema,
        "responseJsonSchema": anything,
        "_responseJsonSchema": anything,
        "responseModalities": listed(text()),
        "candidateCount": integer(1, 8),
        "maxOutputTokens": integer(1),
        "temperature": number(0, 2),
        "topP": number(0, 1),
        "topK": number(0),
        "seed": integer(),
        "presencePenalty": number(-2, 2),
        "frequencyPenalty": number(-2, 2),
        "responseLogprobs": boolean,
        "logprobs": integer(0, 20),
        "enableEnhancedCivicAnswers": boolean,
        "speechConfig": object_,
        "thinkingConfig": _THINKING,
        "imageConfig": object_,
        "mediaResolution": text(),
    }
)
GENERATE: Mapping[str, Check] = {
    "model": text(),
    "contents": listed(CONTENT),
    "systemInstruction": CONTENT,
    "tools": listed(_TOOL),
    "toolConfig": message({"functionCallingConfig": _CALLING, "retrievalConfig": object_}),
    "safetySettings": listed(object_),
    "generationConfig": _GENERATION,
    "cachedContent": text(),
    "serviceTier": text(),
    "store": boolean,
    "labels": mapping(text()),
}
"""What may be asked of an answer."""

check_generate = message(GENERATE)
check_count = message({"model": text(), "contents": listed(CONTENT), "generateContentRequest": message(GENERATE)})
_EMBED: Mapping[str, Check] = {
    "model": text(),
    "content": CONTENT,
    "taskType": text(),
    "title": text(),
    "outputDimensionality": integer(1, 3_072),
    "autoTruncate": boolean,
    "embedContentConfig": object_,
}
check_embed = message(_EMBED, "content")
check_embeds = message({"model": text(), "requests": listed(message(_EMBED, "content"), 1, 100)}, "requests")
