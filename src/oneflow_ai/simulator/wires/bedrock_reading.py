"""What a request to Amazon Bedrock's Converse asks: its fields, its rules, the question in it, its tokens.

Shapes: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, 2026-11-26.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import orjson

from oneflow_ai.simulator.fields import (
    Check,
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
from oneflow_ai.simulator.reply import AUTO, EFFORT_TOKENS, IMAGE_TOKENS, REQUIRED, Question
from oneflow_ai.simulator.seals import unseal
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires import claude_schemas
from oneflow_ai.simulator.wires.anthropic_rules import generation

WIRE = "bedrock"
_MESSAGE_TOKENS = 4
_ID = text(1, 64, r"[a-zA-Z0-9_.:-]+")
_NAME = text(1, 64, r"[a-zA-Z0-9_-]+")
_CACHE = record({"type": one_of("default"), "ttl": one_of("5m", "1h")}, ("type",))


def _media(*formats: str) -> Check:
    source = record({"bytes": base64_text(), "s3Location": object_, "text": text(), "content": listed(object_)})
    named = {"name": text(1, 200), "citations": record({"enabled": boolean}), "context": text()}
    return record({"format": one_of(*formats), "source": source, **named}, ("source",))


_PARTS: Mapping[str, Check] = {
    "text": text(),
    "json": anything,
    "image": _media("png", "jpeg", "gif", "webp"),
    "document": _media("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": object_,
    "searchResult": object_,
}
_REASONING = record({"reasoningText": record({"text": text(), "signature": text()}), "redactedContent": text()})
_BLOCK = record(
    {name: check for name, check in _PARTS.items() if name != "json"}
    | {
        "audio": object_,
        "toolUse": record({"toolUseId": _ID, "name": _NAME, "input": anything}, ("toolUseId", "name", "input")),
        "toolResult": record(
            {"toolUseId": _ID, "content": listed(record(_PARTS)), "status": one_of("success", "error")},
            ("toolUseId", "content"),
        ),
        "reasoningContent": _REASONING,
        "cachePoint": _CACHE,
        "guardContent": object_,
        "citationsContent": object_,
    }
)
_TOOL = record(
    {
        "toolSpec": record(
            {
                "name": _NAME,
                "description": text(1),
                "inputSchema": record({"json": object_}, ("json",)),
                "strict": boolean,
            },
            ("name", "inputSchema"),
        ),
        "cachePoint": _CACHE,
        "systemTool": object_,
    }
)
_CHOICE = record({"auto": object_, "any": object_, "tool": record({"name": _NAME}, ("name",))})
_FORMAT = record(
    {
        "type": one_of("json_schema"),
        "structure": record(
            {"jsonSchema": record({"schema": text(1), "name": text(1), "description": text(1)}, ("schema",))},
            ("jsonSchema",),
        ),
    },
    ("structure",),
)
CONVERSE: Mapping[str, Check] = {
    "messages": listed(
        record({"role": one_of("user", "assistant"), "content": listed(_BLOCK)}, ("role", "content")), 1
    ),
    "system": listed(record({"text": text(1), "cachePoint": _CACHE, "guardContent": object_})),
    "inferenceConfig": record(
        {
            "maxTokens": integer(1),
            "temperature": number(0, 1),
            "topP": number(0, 1),
            "stopSequences": listed(text(1), 0, 2_500),
        }
    ),
    "toolConfig": record({"tools": listed(_TOOL, 1), "toolChoice": _CHOICE}, ("tools",)),
    "additionalModelRequestFields": anything,
    "additionalModelResponseFieldPaths": listed(text(1), 0, 10),
    "guardrailConfig": object_,
    "performanceConfig": object_,
    "promptVariables": object_,
    "requestMetadata": mapping(text(), 16),
    "serviceTier": record({"type": one_of("priority", "default", "flex", "reserved")}, ("type",)),
    "outputConfig": record({"textFormat": _FORMAT}),
}
check_converse = record(CONVERSE, ("messages",))
check_count = record({"input": record({"converse": check_converse, "invokeModel": object_})}, ("input",))
Document = Mapping[str, Any]


class Refused(Exception):
    """A request that Bedrock would answer with a ValidationException; the text says why."""


def check(document: Document) -> None:
    """Check what the fields alone do not tell; raises `Refused`."""
    messages = document["messages"]
    if messages[0]["role"] != "user":
        raise Refused("A conversation must start with a user message. Try again with a conversation that starts so.")
    for place, (one, other) in enumerate(pairwise(messages)):
        if one["role"] == other["role"]:
            raise Refused(f"messages.{place + 1}: roles must alternate between user and assistant.")
    _check_form(document)
    _check_choice(document)
    called: list[str] = []
    for place, message in enumerate(messages):
        for at, block in enumerate(message["content"]):
            _check_block(block, f"messages.{place}.content.{at}", document)
        results = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        if sorted(results) != sorted(called):
            raise Refused(
                f"The number of toolResult blocks at messages.{place}.content exceeds or falls short of the number of "
                "toolUse blocks of the previous turn, or they have other ids."
            )
        called = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
    if called:
        raise Refused("Expected toolResult blocks for the toolUse blocks of the last turn.")


def check_stops(model: str, document: Document) -> None:
    """Check what a model may be stopped by: Claude not by white space alone; raises `Refused`."""
    stops = (document.get("inferenceConfig") or {}).get("stopSequences") or ()
    if "claude" in model and not all(map(str.strip, stops)):
        words = "stop_sequences: each stop sequence must contain non-whitespace"
        raise Refused(f"The model returned the following errors: {words}")


def check_last(document: Document, model: str) -> None:
    """Refuse an answer that is begun, as models that begin each themselves do (anomalyco/opencode/issues/29760).

    Those of Claude that go on with one refuse white space at its end, on Anthropic's own wire as here.
    """
    last = document["messages"][-1]
    if last["role"] != "assistant":
        return
    ending = last["content"][-1].get("text", "") if last["content"] else ""
    if "claude" in model and generation(model) < (4, 6) and ending != ending.rstrip():
        raise Refused(
            "The model returned the following errors: messages: final assistant content cannot end with trailing "
            "whitespace"
        )
    if generation(model) >= (4, 6):
        raise Refused(
            "The model returned the following errors: This model does not support assistant message prefill. The "
            "conversation must end with a user message."
        )


def _check_form(document: Document) -> None:
    try:
        form = _form(document.get("outputConfig") or {})
    except orjson.JSONDecodeError:
        raise Refused("outputConfig.textFormat.structure.jsonSchema.schema: not a valid JSON schema") from None
    tools = [tool.get("toolSpec", {}) for tool in (document.get("toolConfig") or {}).get("tools", ())]
    strict = [tool["inputSchema"]["json"] for tool in tools if tool.get("strict")]
    asked = ([form] if form is not None else []) + strict
    try:
        for schema in asked:
            claude_schemas.check(schema)
        claude_schemas.check_together(asked, len(strict))
    except claude_schemas.Unenforced as unenforced:
        raise Refused(f"The model returned the following errors: {unenforced}") from None


def _check_choice(document: Document) -> None:
    """The model's own choice of tools: whole, with tools, and not beside Converse's (BerriAI/litellm/issues/36536)."""
    choice, config = _own_choice(document), document.get("toolConfig")
    if not choice:
        return
    if "type" in choice and config and config.get("toolChoice"):
        beside = next(iter(config["toolChoice"]))
        raise Refused(
            f"The additional field tool_choice/type conflicts with the existing field toolConfig.toolChoice.{beside}. "
            "Remove tool_choice/type and try again."
        )
    if not config or not isinstance(choice.get("type"), str):
        raise Refused("The model returned the following errors: tool_choice.type: Field required")


def _own_choice(document: Document) -> Document:
    return _inner(_inner(document, "additionalModelRequestFields"), "tool_choice")


def _check_block(block: Document, where: str, document: Document) -> None:
    if len(block) != 1:
        raise Refused(f"The content block at {where} must have exactly one field.")
    inner = block["toolResult"]["content"] if "toolResult" in block else ()
    if not all(each.get("text", "x").strip() for each in (block, *inner)):
        raise Refused(f"The text field in the ContentBlock object at {where} is blank. Add text to the text field.")
    if ("toolUse" in block or "toolResult" in block) and "toolConfig" not in document:
        raise Refused("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    thought = block.get("reasoningContent", {})
    if "reasoningText" in thought:
        told = thought["reasoningText"]
        if unseal(WIRE, told.get("signature", "")) != told.get("text", ""):
            raise Refused(f"{where}: Invalid `signature` in `thinking` block")
    elif "redactedContent" in thought and unseal(WIRE, thought["redactedContent"]) is None:
        raise Refused(f"{where}: Invalid `data` in `redacted_thinking` block")


def question(document: Document) -> Question:
    """The question that a checked request asks."""
    prompt, results, called = "", list[str](), set[str]()
    for message in document["messages"]:
        given = [_words(block["toolResult"]["content"]) for block in message["content"] if "toolResult" in block]
        if message["role"] == "assistant":
            called |= {block["toolUse"]["name"] for block in message["content"] if "toolUse" in block}
        elif given:
            results += given
        else:
            prompt, results, called = _words(message["content"]), [], set()
    config, inference = document.get("toolConfig") or {}, document.get("inferenceConfig") or {}
    specs = [tool["toolSpec"] for tool in config.get("tools") or () if "toolSpec" in tool]
    choice, own = config.get("toolChoice") or {}, _own_choice(document)
    named = own.get("name") if own.get("type") == "tool" else choice.get("tool", {}).get("name")
    forced = "any" in choice or "tool" in choice or own.get("type") in ("any", "tool")
    return Question(
        prompt=prompt,
        results=tuple(results),
        called=frozenset(called),
        tools={spec["name"]: spec["inputSchema"]["json"] for spec in specs},
        choice=REQUIRED if forced else AUTO,
        allowed=[named] if isinstance(named, str) else None,
        parallel=own.get("disable_parallel_tool_use") is not True,
        form=_form(document.get("outputConfig") or {}),
        thought_tokens=_thought_tokens(_inner(document, "additionalModelRequestFields")),
        tokens_most=inference.get("maxTokens") or 0,
        stops=tuple(inference.get("stopSequences") or ()),
    )


def _form(config: Document) -> Any:
    form = config.get("textFormat")
    return orjson.loads(form["structure"]["jsonSchema"]["schema"]) if form else None


def _thought_tokens(fields: Document) -> int:
    """How many tokens of thought the model's own fields ask for, by whichever model's they are."""
    kind = _inner(fields, "thinking").get("type") or _inner(fields, "reasoningConfig").get("type")
    effort = _inner(fields, "output_config").get("effort") or fields.get("reasoning_effort")
    if kind in ("enabled", "adaptive") or (effort and kind != "disabled"):
        return EFFORT_TOKENS.get(str(effort), EFFORT_TOKENS["medium"])
    return 0


def _inner(fields: Document, name: str) -> Document:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


def count(document: Document) -> int:
    """The tokens of a prompt: system, messages and tools."""
    config = document.get("toolConfig")
    total = tokens(orjson.dumps(config["tools"]).decode()) if config else 0
    total += _size(document.get("system") or ())
    return total + sum([_MESSAGE_TOKENS + _size(message["content"]) for message in document["messages"]])


def _size(blocks: Sequence[Document]) -> int:
    return sum([_block_size(block) for block in blocks])


def _block_size(block: Document) -> int:
    if "text" in block:
        return tokens(block["text"])
    if "toolResult" in block:
        return _size(block["toolResult"]["content"])
    if "cachePoint" in block:
        return 0
    told = block.get("toolUse") or block.get("reasoningContent") or block.get("json")
    return tokens(orjson.dumps(told).decode()) if told is not None else IMAGE_TOKENS


def _words(blocks: Sequence[Document]) -> str:
    told = [
        block["text"] if "text" in block else orjson.dumps(block["json"]).decode() for block in blocks if _says(block)
    ]
    return "\n".join(told)


def _says(block: Document) -> bool:
    return "text" in block or "json" in block
