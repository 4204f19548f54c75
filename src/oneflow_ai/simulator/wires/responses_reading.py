"""What a request to OpenAI's Responses asks: the items before it, the question in it, its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from oneflow_ai.simulator.memory import CACHED_TOKENS_LEAST
from oneflow_ai.simulator.reply import (
    AUTO,
    EFFORT_TOKENS,
    IMAGE_TOKENS,
    JSON_OBJECT,
    PLAIN_TEXT,
    REQUIRED,
    Question,
)
from oneflow_ai.simulator.seals import unseal
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires.openai_schemas import check_strict
from oneflow_ai.simulator.wires.openai_shapes import BadRequest
from oneflow_ai.simulator.wires.wire import Surroundings

WIRE = "responses"
_MESSAGE_TOKENS = 4
_CALLS = {"function_call": "function call", "custom_tool_call": "custom tool call"}
_OUTPUTS = {f"{name}_output": words for name, words in _CALLS.items()}
Document = Mapping[str, Any]
Item = Mapping[str, Any]


def all_items(document: Document, owner: str, around: Surroundings) -> list[Item]:
    """The items of the response before, where one is named, and those of the input; raises `BadRequest`."""
    before: list[Item] = []
    if previous := document.get("previous_response_id"):
        stored = around.memory.stored(owner, previous)
        if stored is None:
            words = f"Previous response with id '{previous}' not found."
            raise BadRequest(words, "previous_response_not_found", "previous_response_id")
        before = list(stored["items"])
    given = document.get("input")
    if given is None:
        if not previous and document.get("prompt") is None:
            raise BadRequest(
                "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation_id' must be provided.",
                "missing_required_parameter",
                None,
            )
        given = []
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    items = [*before, *[_known(item, owner, around) for item in given]]
    _check_reasoning(items, owner, around)
    _check_pairs(items)
    return items


def _known(item: Item, owner: str, around: Surroundings) -> Item:
    """An item, looked up where it is only a reference."""
    if item.get("type") not in (None, "item_reference") or "role" in item:
        return item
    found = around.memory.stored(owner, item["id"])
    if found is None:
        raise _not_stored(item["id"])
    return found


def _not_stored(name: str) -> BadRequest:
    words = (
        f"Item with id '{name}' not found. Items are not persisted when `store` is set to false. Try again with "
        "`store` set to true, or remove this item from your input."
    )
    return BadRequest(words, "", "input", 404)


def _check_reasoning(items: Sequence[Item], owner: str, around: Surroundings) -> None:
    for place, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        sealed, name = item.get("encrypted_content"), str(item.get("id") or "")
        if sealed is None and around.memory.stored(owner, name) is None:
            raise _not_stored(name)
        if sealed is not None and unseal(WIRE, sealed) is None:
            shown = f"{sealed[:4]}...{sealed[-4:]}"
            words = (
                f"The encrypted content {shown} could not be verified. "
                "Reason: Encrypted content could not be decrypted or parsed."
            )
            raise BadRequest(words, "invalid_encrypted_content", None)
        following = items[place + 1] if place + 1 < len(items) else {}
        if following.get("type") in (None, *_OUTPUTS) and following.get("role") != "assistant":
            words = f"Item '{name}' of type 'reasoning' was provided without its required following item."
            raise BadRequest(words, "", "input")


def _check_pairs(items: Sequence[Item]) -> None:
    """Each output has its call before it, each call its output."""
    open_calls: dict[str, str] = {}
    for item in items:
        kind = item.get("type")
        if kind in _CALLS:
            open_calls[item["call_id"]] = _CALLS[kind]
        elif kind in _OUTPUTS and open_calls.pop(item["call_id"], None) is None:
            words = f"No tool call found for {_OUTPUTS[kind]} output with call_id {item['call_id']}."
            raise BadRequest(words, "", "input")
    for name, words in open_calls.items():
        raise BadRequest(f"No tool output found for {words} {name}.", "", "input")


def question(document: Document, items: Sequence[Item]) -> Question:
    """The question that a checked request asks."""
    prompt, results, called = "", list[str](), set[str]()
    for item in items:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] == "user":
            prompt, results, called = _text(item["content"]), [], set()
        elif kind in _OUTPUTS:
            results.append(_text(item["output"]))
        elif kind in _CALLS:
            called.add(item["name"])
    tools = {tool["name"]: _schema(tool) for tool in document.get("tools") or () if tool["type"] in _SCHEMAS}
    choice, allowed = _choice(document.get("tool_choice") or AUTO, tools)
    return Question(
        prompt=prompt,
        results=tuple(results),
        called=frozenset(called),
        tools=tools,
        choice=choice,
        allowed=allowed,
        parallel=document.get("parallel_tool_calls") is not False,
        form=_form((document.get("text") or {}).get("format")),
        thought_tokens=_thought_tokens(document),
        tokens_most=document.get("max_output_tokens") or 0,
    )


_SCHEMAS = ("function", "custom")


def _schema(tool: Document) -> Any:
    if tool["type"] == "custom":
        return PLAIN_TEXT
    if tool.get("strict") and tool.get("parameters"):
        check_strict(tool["parameters"], f"function '{tool['name']}'", "tools")
    return tool.get("parameters") or {"type": "object"}


def _choice(choice: Any, tools: Mapping[str, Any]) -> tuple[str, list[str] | None]:
    if isinstance(choice, str):
        return choice, None
    if choice["type"] == "allowed_tools":
        return (REQUIRED if choice["mode"] == "required" else AUTO), [str(each.get("name")) for each in choice["tools"]]
    if choice["type"] not in _SCHEMAS:
        return AUTO, None
    if choice["name"] not in tools:
        words = f"Tool choice '{choice['type']}' not found in 'tools' parameter."
        raise BadRequest(words, "", "tool_choice")
    return REQUIRED, [choice["name"]]


def _form(form: Any) -> Any:
    match (form or {"type": "text"})["type"]:
        case "json_schema":
            if form.get("strict"):
                check_strict(form["schema"], f"response_format '{form['name']}'", "text.format.schema")
            return form["schema"]
        case "json_object":
            return JSON_OBJECT
    return None


def _thought_tokens(document: Document) -> int:
    """How many tokens of thought were asked for: by an effort, a summary, or by asking for its sealed content."""
    reasoning = document.get("reasoning") or {}
    wanted = reasoning.get("effort") or reasoning.get("summary") or reasoning.get("generate_summary")
    if not wanted and "reasoning.encrypted_content" not in (document.get("include") or ()):
        return 0
    return EFFORT_TOKENS[reasoning.get("effort") or "medium"]


# ---- counting


def count(document: Document, items: Sequence[Item]) -> int:
    """The tokens of an input, its instructions and its tools."""
    tools = document.get("tools")
    total = 3 + tokens(document.get("instructions") or "") + (tokens(orjson.dumps(tools).decode()) if tools else 0)
    return total + sum([_MESSAGE_TOKENS + _size(item) for item in items])


def cached(document: Document, items: Sequence[Item], owner: str, around: Surroundings) -> int:
    """How much of a long input was seen a short while ago."""
    total = count(document, items)
    if total < CACHED_TOKENS_LEAST:
        return 0
    content = orjson.dumps([document["model"], document.get("instructions"), document.get("tools"), *items])
    return min(around.memory.seen(owner, content, around.now_unix), total - 1)


def _size(item: Item) -> int:
    match item.get("type", "message"):
        case "message":
            return _content_size(item["content"])
        case "function_call" | "custom_tool_call":
            return tokens(item["name"]) + tokens(item.get("arguments") or item.get("input") or "")
        case "function_call_output" | "custom_tool_call_output":
            return _content_size(item["output"])
        case "reasoning":
            return sum([tokens(each["text"]) for each in item["summary"]])
    return tokens(orjson.dumps(item).decode())


def _content_size(content: Any) -> int:
    if isinstance(content, str):
        return tokens(content)
    return sum([tokens(_part_text(part)) if _part_text(part) else IMAGE_TOKENS for part in content])


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(map(_part_text, content))


def _part_text(part: Document) -> str:
    return str(part.get("text") or part.get("refusal") or "")
