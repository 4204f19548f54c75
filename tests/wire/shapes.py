"""Requests as their makers publish them: JSON schemas of what we send, closed, so that no made-up field passes.

Gemini: ai.google.dev/api/{generate-content,caching,embeddings,tokens}, discovery of v1beta; Converse: the API reference
of Amazon Bedrock Runtime (API_runtime_Converse, API_runtime_CountTokens); both 2026-11-26.
"""

from typing import Any

JSON = dict[str, Any]
TEXT: JSON = {"type": "string"}
NUMBER: JSON = {"type": "number"}
INTEGER: JSON = {"type": "integer"}
FLAG: JSON = {"type": "boolean"}
ANY_OBJECT: JSON = {"type": "object"}
BASE64: JSON = {"type": "string", "pattern": "^[A-Za-z0-9+/_-]+={0,2}$"}
NO_OBJECT: JSON = {"type": "object", "additionalProperties": False}


def record(required: str = "", **fields: JSON) -> JSON:
    """An object of these fields and no others."""
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def union(**fields: JSON) -> JSON:
    """An object of exactly one of these fields."""
    return {**record("", **fields), "minProperties": 1, "maxProperties": 1}


def several(item: JSON, **bounds: int) -> JSON:
    """A list."""
    return {"type": "array", "items": item, **bounds}


def one_of(*words: str) -> JSON:
    """One of some words."""
    return {"enum": list(words)}


# ---- Gemini

_INLINE = record("mimeType data", mimeType={"type": "string", "pattern": "^[a-z]+/[a-z0-9.+-]+$"}, data=BASE64)
_FUNCTION_NAME: JSON = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$"}
_PART = {
    **record(
        "",
        text=TEXT,
        thought=FLAG,
        thoughtSignature=BASE64,
        inlineData=_INLINE,
        fileData=record("fileUri", mimeType=TEXT, fileUri=TEXT),
        functionCall=record("name", id=TEXT, name=_FUNCTION_NAME, args=ANY_OBJECT),
        functionResponse=record(
            "name response",
            id=TEXT,
            name=_FUNCTION_NAME,
            response=ANY_OBJECT,
            parts=several(record("inlineData", inlineData=_INLINE)),
        ),
    ),
    # Exactly one kind of data.
    "oneOf": [{"required": [name]} for name in ("text", "inlineData", "fileData", "functionCall", "functionResponse")],
}
_CONTENT = record("role parts", role=one_of("user", "model"), parts=several(_PART, minItems=1))
_CALLING = record("mode", mode=one_of("AUTO", "ANY", "NONE", "VALIDATED"), allowedFunctionNames=several(TEXT))
_GENERATE_FIELDS: JSON = {
    "contents": several(_CONTENT, minItems=1),
    "systemInstruction": record("parts", parts=several(record("text", text=TEXT), minItems=1)),
    "tools": several(
        record(
            "functionDeclarations",
            functionDeclarations=several(
                record("name", name=_FUNCTION_NAME, description=TEXT, parametersJsonSchema=ANY_OBJECT)
            ),
        )
    ),
    "toolConfig": record("functionCallingConfig", functionCallingConfig=_CALLING),
    "serviceTier": one_of("standard", "flex", "priority"),
    "generationConfig": record(
        "",
        stopSequences=several(TEXT, maxItems=5),
        responseMimeType=one_of("application/json", "text/plain"),
        responseJsonSchema=ANY_OBJECT,
        candidateCount={"type": "integer", "minimum": 1, "maximum": 8},
        maxOutputTokens=INTEGER,
        temperature={"type": "number", "minimum": 0, "maximum": 2},
        topP=NUMBER,
        topK=INTEGER,
        seed={"type": "integer", "minimum": -(1 << 31), "maximum": (1 << 31) - 1},
        presencePenalty=NUMBER,
        frequencyPenalty=NUMBER,
        responseLogprobs=FLAG,
        logprobs={"type": "integer", "minimum": 0, "maximum": 20},
        thinkingConfig={
            **record(
                "",
                includeThoughts=FLAG,
                thinkingBudget=INTEGER,
                thinkingLevel=one_of("MINIMAL", "LOW", "MEDIUM", "HIGH"),
            ),
            "not": {"required": ["thinkingBudget", "thinkingLevel"]},
        },
    ),
}
_MODEL: JSON = {"type": "string", "pattern": "^models/"}
GEMINI_GENERATE = record("contents", **_GENERATE_FIELDS)
GEMINI_COUNT = record(
    "generateContentRequest", generateContentRequest=record("model contents", model=_MODEL, **_GENERATE_FIELDS)
)
GEMINI_EMBED = record(
    "requests",
    requests=several(
        record(
            "model content",
            model=_MODEL,
            content=record("parts", parts=several(record("text", text=TEXT), minItems=1)),
            outputDimensionality=INTEGER,
        ),
        minItems=1,
        maxItems=100,
    ),
)

# ---- Converse

_POINT = record("type", type=one_of("default"), ttl=one_of("5m", "1h"))
_SOURCE = union(bytes=BASE64, text=TEXT)
_IMAGE = record("format source", format=one_of("png", "jpeg", "gif", "webp"), source=union(bytes=BASE64))
_DOCUMENT = record(
    "name source",
    format=one_of("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    name={"type": "string", "pattern": r"^(?!.*\s\s)[A-Za-z0-9\s()\[\]-]{1,200}$"},
    source=_SOURCE,
    citations=record("enabled", enabled=FLAG),
    context=TEXT,
)
_TOOL_USE_ID: JSON = {"type": "string", "pattern": "^[a-zA-Z0-9_.:-]{1,64}$"}
_TOOL_NAME: JSON = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"}
_SAID: JSON = {"type": "string", "pattern": r"\S"}
_BLOCK = union(
    text=_SAID,
    image=_IMAGE,
    document=_DOCUMENT,
    audio=record("format source", format=one_of("mp3", "wav"), source=union(bytes=BASE64)),
    toolUse=record("toolUseId name input", toolUseId=_TOOL_USE_ID, name=_TOOL_NAME, input=ANY_OBJECT),
    toolResult=record(
        "toolUseId content",
        toolUseId=_TOOL_USE_ID,
        content=several(union(text=_SAID, image=_IMAGE, document=_DOCUMENT)),
        status=one_of("success", "error"),
    ),
    cachePoint=_POINT,
    reasoningContent=union(
        reasoningText=record("text", text=TEXT, signature=TEXT),
        redactedContent=BASE64,
    ),
)
_TOOL = union(
    toolSpec=record(
        "name inputSchema",
        name=_TOOL_NAME,
        description={"type": "string", "minLength": 1},
        inputSchema=union(json=ANY_OBJECT),
        strict=FLAG,
    ),
    cachePoint=_POINT,
)
_CONVERSATION: JSON = {
    "messages": several(
        record("role content", role=one_of("user", "assistant"), content=several(_BLOCK, minItems=1)), minItems=1
    ),
    "system": several(union(text={"type": "string", "minLength": 1}, cachePoint=_POINT)),
    "toolConfig": record(
        "tools",
        tools=several(_TOOL, minItems=1),
        toolChoice=union(auto=NO_OBJECT, any=NO_OBJECT, tool=record("name", name=_TOOL_NAME)),
    ),
    "additionalModelRequestFields": ANY_OBJECT,
}
CONVERSE = record(
    "messages",
    **_CONVERSATION,
    inferenceConfig=record(
        "",
        maxTokens={"type": "integer", "minimum": 1},
        temperature=NUMBER,
        topP=NUMBER,
        stopSequences=several({"type": "string", "minLength": 1}),
    ),
    additionalModelResponseFieldPaths=several(TEXT, maxItems=10),
    serviceTier=record("type", type=one_of("priority", "default", "flex", "reserved")),
    outputConfig=record(
        "",
        textFormat=record(
            "type structure",
            type=one_of("json_schema"),
            structure=union(jsonSchema=record("schema", schema=TEXT, name=TEXT, description=TEXT)),
        ),
    ),
)
CONVERSE_COUNT = record("input", input=union(converse=record("messages", **_CONVERSATION)))
