"""What a request on Anthropic's wire asks: the question in it, its tokens, and what of them is cached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from oneflow_ai.simulator.memory import CACHED_SECONDS, CACHED_TOKENS_LEAST, Memory
from oneflow_ai.simulator.reply import AUTO, EFFORT_TOKENS, IMAGE_TOKENS, NONE, REQUIRED, Question
from oneflow_ai.simulator.text import tokens
from oneflow_ai.simulator.wires.anthropic_rules import blocks, generation, marks

_MESSAGE_TOKENS = 4
_CACHED_LONG_SECONDS = 3_600
_BUDGET_TOKENS = 32
_CHOICES = {"auto": AUTO, "any": REQUIRED, "tool": REQUIRED, "none": NONE}
PREFACE = "I will look that up."
Document = Mapping[str, Any]


class Spent(NamedTuple):
    """The tokens of a prompt: outside the cache, read from it, written to it for five minutes, for an hour."""

    plain: int
    read: int = 0
    written: int = 0
    written_long: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


def question(document: Document) -> Question:
    """The question that a checked request asks."""
    prompt, results, called = "", [], set()
    for message in document["messages"]:
        content = blocks(message["content"])
        given = [_result_text(block) for block in content if block["type"] == "tool_result"]
        if message["role"] == "assistant":
            called |= {block["name"] for block in content if block["type"] == "tool_use"}
        elif given:
            results += given
        elif message["role"] == "user":
            prompt, results, called = _texts(content), [], set()
    choice = document.get("tool_choice") or {"type": "auto"}
    return Question(
        prompt=prompt,
        results=tuple(results),
        called=frozenset(called),
        tools={tool["name"]: tool["input_schema"] for tool in document.get("tools", ()) if "input_schema" in tool},
        choice=_CHOICES[choice["type"]],
        allowed=[choice["name"]] if choice["type"] == "tool" else None,
        parallel=not choice.get("disable_parallel_tool_use"),
        form=_form(document),
        thought_tokens=thought_tokens(document),
        tokens_most=document.get("max_tokens", 0),
        stops=tuple(document.get("stop_sequences", ())),
        begun=_begun(document),
        preface=PREFACE,
    )


def thought_tokens(document: Document) -> int:
    """How many tokens of thought were asked for."""
    thinking = document.get("thinking") or {}
    if thinking.get("type") == "enabled":
        return min(int(thinking["budget_tokens"]), _BUDGET_TOKENS)
    if thinking.get("type") == "adaptive":
        return EFFORT_TOKENS[(document.get("output_config") or {}).get("effort") or "high"]
    return 0


def shows_thoughts(document: Document) -> bool:
    """Whether thoughts come as text; newer models leave it out unless asked (opus-4-7 and later)."""
    display = (document.get("thinking") or {}).get("display")
    return bool(display == "summarized" or (display is None and generation(document["model"]) <= (4, 6)))


def _form(document: Document) -> Any:
    asked = (document.get("output_config") or {}).get("format") or document.get("output_format")
    return asked["schema"] if asked else None


def _begun(document: Document) -> str:
    last = document["messages"][-1]
    return _texts(blocks(last["content"])) if last["role"] == "assistant" else ""


def _texts(content: list[dict[str, Any]]) -> str:
    return "\n".join([block["text"] for block in content if block["type"] == "text"])


def _result_text(block: Document) -> str:
    return _texts(blocks(block.get("content")))


# ---- counting


def spend(document: Document, owner: str, memory: Memory, now: int) -> Spent:
    """The tokens of a prompt, with what the caller's marks bring out of the cache and put into it."""
    total = count(document)
    read, marked, marked_long = 0, 0, 0
    for mark, before in marks(document):
        size = sum(map(_size, before))
        if size < CACHED_TOKENS_LEAST:
            continue
        long = mark.get("ttl") == "1h"
        content = orjson.dumps([document["model"], *map(_without_marks, before)])
        if memory.marked(owner, content, now, _CACHED_LONG_SECONDS if long else CACHED_SECONDS):
            read = size
        marked, marked_long = size, size if long else marked_long
    written_long = max(marked_long - read, 0)
    written = max(marked - read - written_long, 0)
    return Spent(total - read - written - written_long, read, written, written_long)


def count(document: Document) -> int:
    """The tokens of a prompt: tools, system and messages."""
    parts = [*document.get("tools", ()), *blocks(document.get("system"))]
    for message in document["messages"]:
        parts += blocks(message["content"])
    return _MESSAGE_TOKENS * len(document["messages"]) + sum(map(_size, parts))


def _size(part: Any) -> int:
    """The tokens of a block, or of a tool."""
    if isinstance(part, tuple):
        part = part[1]
    match part.get("type"):
        case "text":
            return tokens(part["text"])
        case "image":
            return IMAGE_TOKENS
        case "document":
            source = part["source"]
            return tokens(source["data"]) if source["type"] == "text" else IMAGE_TOKENS
        case "tool_result":
            return sum(map(_size, blocks(part.get("content"))))
        case "thinking":
            return tokens(part["thinking"])
    return tokens(orjson.dumps(_without_marks(part)).decode())


def _without_marks(part: Any) -> Any:
    if isinstance(part, tuple):
        return [part[0], _without_marks(part[1])]
    return {name: value for name, value in part.items() if name != "cache_control"}
