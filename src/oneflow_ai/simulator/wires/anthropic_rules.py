"""What Anthropic's wire refuses beyond wrong fields: by the version, by the model, by what belongs together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oneflow_ai.simulator.seals import unseal
from oneflow_ai.simulator.wires import claude_schemas

WIRE = "anthropic"
VERSION_FIRST, VERSION_LATEST = "2023-06-01", "2026-10-21"
CACHE_MARKS_MOST = 4
_GENERATION = re.compile(r".*claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?:[-@:].*)?")
_THINKING = ("thinking", "redacted_thinking")
Document = Mapping[str, Any]


class Refused(Exception):
    """A request that Anthropic would answer with a 400; the text says why."""


def generation(model: str) -> tuple[int, int]:
    """The generation of a model, (4, 6) for claude-opus-4-6; (0, 0) for a name that tells none."""
    found = _GENERATION.fullmatch(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def blocks(content: Any) -> list[dict[str, Any]]:
    """The blocks of a message or a system prompt; a text is one block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


def check(document: Document, version: str) -> None:
    """Check what the fields alone do not tell; raises `Refused`."""
    for rule in _RULES:
        rule(document)
    if version >= VERSION_LATEST:
        _check_latest(document)


# ---- the conversation


def _roles(document: Document) -> None:
    messages = document["messages"]
    if not messages:
        raise Refused("messages: at least one message is required")
    spoken = [message["role"] for message in messages if message["role"] != "system"]
    if not spoken or spoken[0] != "user":
        raise Refused('messages: first message must use the "user" role')
    last = len(messages) - 1
    for place, message in enumerate(messages):
        if not message["content"] and not (place == last and message["role"] == "assistant"):
            raise Refused(
                f"messages.{place}: all messages must have non-empty content except for the optional final assistant "
                "message"
            )
        _texts("messages", message["content"])
    _texts("system", document.get("system"))


def _texts(place: str, content: Any) -> None:
    """No text is empty, and of the texts of one message some say something.

    What the server itself said to each of these: github.com/LibreChat-AI/agents/pull/124, 2026-11-28.
    """
    texts = [block["text"] for block in blocks(content) if block["type"] == "text"]
    if not all(texts):
        raise Refused(f"{place}: text content blocks must be non-empty")
    if texts and not any(map(str.strip, texts)):
        raise Refused(f"{place}: text content blocks must contain non-whitespace text")


def _prefill(document: Document) -> None:
    last = document["messages"][-1]
    if last["role"] != "assistant":
        return
    if generation(document["model"]) >= (4, 6):
        raise Refused(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    ending = blocks(last["content"])
    if ending and ending[-1]["type"] == "text" and ending[-1]["text"] != ending[-1]["text"].rstrip():
        raise Refused("messages: final assistant content cannot end with trailing whitespace")


def _turns(document: Document) -> Iterator[tuple[int, str, list[dict[str, Any]]]]:
    """The turns of a conversation: messages of one role in a row are one turn, at the place of the first."""
    turn: tuple[int, str, list[dict[str, Any]]] | None = None
    for place, message in enumerate(document["messages"]):
        if message["role"] == "system":
            continue
        if turn is not None and turn[1] == message["role"]:
            turn[2].extend(blocks(message["content"]))
            continue
        if turn is not None:
            yield turn
        turn = place, message["role"], blocks(message["content"])
    if turn is not None:
        yield turn


def _tools_paired(document: Document) -> None:
    """Each call has its result at the beginning of the next turn, each result its call in the one before."""
    called: list[str] = []
    known: set[str] = set()
    where = 0
    for place, role, content in _turns(document):
        results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        if role == "user":
            _results_fit(place, content, {*called})
            at_once = {block["tool_use_id"] for block in _leading(content)}
            if missing := [each for each in called if each not in at_once]:
                raise Refused(_NO_RESULT.format(place=where, ids=", ".join(missing)))
        elif results:
            raise Refused(f"messages.{place}: `tool_result` blocks can only be in `user` messages")
        called = [block["id"] for block in content if block["type"] == "tool_use"]
        if called and role == "user":
            raise Refused(f"messages.{place}: `tool_use` blocks can only be in `assistant` messages")
        if len(called) != len({*called}) or known & {*called}:
            raise Refused("messages: `tool_use` ids must be unique")
        known |= {*called}
        where = place
    if called:
        raise Refused(_NO_RESULT.format(place=where, ids=", ".join(called)))


_NO_RESULT = (
    "messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. "
    "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
)


def _leading(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The results that a turn begins with."""
    for block in content:
        if block["type"] != "tool_result":
            return
        yield block


def _results_fit(place: int, content: list[dict[str, Any]], called: set[str]) -> None:
    seen: set[str] = set()
    for number, block in enumerate(content):
        if block["type"] != "tool_result":
            continue
        name = block["tool_use_id"]
        if name not in called:
            raise Refused(
                f"messages.{place}.content.{number}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if name in seen:
            raise Refused(
                f"messages.{place}.content.{number}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {name}"
            )
        seen.add(name)


# ---- thinking


def _seals(document: Document) -> None:
    for place, message in enumerate(document["messages"]):
        for number, block in enumerate(blocks(message["content"])):
            where = f"messages.{place}.content.{number}"
            if block["type"] in _THINKING and message["role"] != "assistant":
                raise Refused(f"{where}: `{block['type']}` blocks can only be in `assistant` messages")
            if block["type"] == "thinking" and unseal(WIRE, block["signature"]) != block["thinking"]:
                raise Refused(f"{where}: Invalid `signature` in `thinking` block")
            if block["type"] == "redacted_thinking" and unseal(WIRE, block["data"]) is None:
                raise Refused(f"{where}: Invalid `data` in `redacted_thinking` block")


def _thinking(document: Document) -> None:
    thinking = document.get("thinking") or {}
    if thinking.get("type") not in ("enabled", "adaptive"):
        return
    if (document.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")
    if document.get("temperature", 1) != 1:
        raise Refused("`temperature` may only be set to 1 when thinking is enabled.")
    if "top_k" in document:
        raise Refused("`top_k` must be unset when thinking is enabled.")
    if document.get("top_p", 1) < _TOP_P_LEAST:
        raise Refused("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
    if thinking["type"] == "enabled":
        _budget(document, thinking["budget_tokens"])
        _begins_with_thinking(document)


_TOP_P_LEAST = 0.95


def _budget(document: Document, tokens: int) -> None:
    # Refused from opus-4-7 on: github.com/anthropics/claude-code/issues/49219, 2026-11-26.
    if generation(document["model"]) > (4, 6):
        raise Refused(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
            '"output_config.effort" to control thinking behavior.'
        )
    if "max_tokens" in document and document["max_tokens"] <= tokens:
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _begins_with_thinking(document: Document) -> None:
    """The last turn that called tools begins with its thoughts."""
    turns = list(_turns(document))
    for place, role, content in reversed(turns):
        if role == "user" and not any(block["type"] == "tool_result" for block in content):
            return
        if role == "assistant" and content and content[0]["type"] not in _THINKING:
            raise Refused(
                f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{content[0]['type']}`. When `thinking` is enabled, a final `assistant` message must start with a "
                "thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). To avoid this "
                "requirement, disable `thinking`."
            )


# ---- the rest


def _sampling(document: Document) -> None:
    """What newer models leave to themselves: spec of 2026-08-18, descriptions of temperature, top_p and top_k."""
    asked, made = document, generation(document["model"])
    if made > (4, 6):
        for name, wrong in (
            ("temperature", asked.get("temperature", 1) != 1),
            ("top_p", asked.get("top_p", 1) < _TOP_P_NEAR_ONE),
            ("top_k", "top_k" in asked),
        ):
            if wrong:
                raise Refused(f"`{name}` is not supported for this model.")
    elif made >= (4, 1) and "temperature" in asked and "top_p" in asked:
        raise Refused("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


_TOP_P_NEAR_ONE = 0.99


def _stops(document: Document) -> None:
    for each in document.get("stop_sequences", ()):
        if not each.strip():
            raise Refused("stop_sequences: each stop sequence must contain non-whitespace")


def _tools(document: Document) -> None:
    names = [tool["name"] for tool in document.get("tools", ())]
    if len(names) != len({*names}):
        raise Refused("tools: Tool names must be unique.")
    choice = document.get("tool_choice")
    if choice is not None and not names:
        raise Refused("tool_choice: may only be specified while providing tools")
    if choice is not None and choice["type"] == "tool" and choice["name"] not in names:
        raise Refused(f"Tool '{choice['name']}' not found in provided tools")


def _schemas(document: Document) -> None:
    """What answers and strict calls are held to is held to a part of JSON Schema."""
    form = (document.get("output_config") or {}).get("format")
    place = "output_config.format.schema" if form else "output_format.schema"
    form = form or document.get("output_format")
    asked = [(place, form["schema"])] if form else []
    tools = [(number, tool) for number, tool in enumerate(document.get("tools", ())) if tool.get("strict")]
    for place, schema in asked + [(f"tools.{number}.custom", tool["input_schema"]) for number, tool in tools]:
        try:
            claude_schemas.check(schema)
        except claude_schemas.Unenforced as unenforced:
            raise Refused(f"{place}: {unenforced}") from None
    try:
        claude_schemas.check_together(
            [*(schema for _, schema in asked), *(tool["input_schema"] for _, tool in tools)], len(tools)
        )
    except claude_schemas.Unenforced as unenforced:
        raise Refused(str(unenforced)) from None


def marks(document: Document) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Each mark that asks for caching, with all of the prompt up to it, in the order of tools, system, messages."""
    before: list[Any] = []
    for tool in document.get("tools", ()):
        before.append(tool)
        if mark := tool.get("cache_control"):
            yield mark, before
    for block in blocks(document.get("system")):
        before.append(block)
        if mark := block.get("cache_control"):
            yield mark, before
    for message in document["messages"]:
        for block in blocks(message["content"]):
            before.append((message["role"], block))
            if mark := block.get("cache_control"):
                yield mark, before
    if mark := document.get("cache_control"):
        yield mark, before


def _marks(document: Document) -> None:
    found = sum(1 for _ in marks(document))
    if found > CACHE_MARKS_MOST:
        raise Refused(f"A maximum of {CACHE_MARKS_MOST} blocks with cache_control may be provided. Found {found}.")


_RULES: tuple[Callable[[Document], None], ...] = (
    _roles,
    _prefill,
    _tools_paired,
    _seals,
    _thinking,
    _sampling,
    _stops,
    _tools,
    _schemas,
    _marks,
)


def _check_latest(document: Document) -> None:
    """What version 2026-10-21 refuses besides: the vendor's page on versions, as providers.md tells (2026-11-23)."""
    for place, message in enumerate(document["messages"]):
        for number, block in enumerate(blocks(message["content"])):
            where = f"messages.{place}.content.{number}"
            if message["role"] == "assistant" and block["type"] == "document":
                raise Refused(f"{where}: `document` blocks are not permitted in `assistant` messages")
            if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
                raise Refused(f"{where}.citations: Extra inputs are not permitted")
