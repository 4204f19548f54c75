"""From a request in Anthropic's dialect to its middle form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import orjson

from oneflow_ai.core.prompt import (
    Document,
    Format,
    Image,
    Message,
    Part,
    Prompt,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from oneflow_ai.dialects.seal import is_wrapped, unwrapped

# Before another wire's seal of a tool's call, which this wire has no place for: it stands in data after the call.
TOOL_MARK = "tool-"
_CHOICES: Mapping[str, Any] = {"auto": "auto", "none": "none", "any": "required", "tool": "tool"}
# OpenAI's words for a tier, which the middle form uses.
_TIERS = {"standard_only": "default"}
_OFF = ("disabled", "between_tools")
_THOUGHTS = ("thinking", "redacted_thinking")
# What this wire calls a field of the middle form.
_PARAMS = MappingProxyType(
    {
        "stop": "stop_sequences",
        "format": "output_config.format",
        "effort": "output_config.effort",
        "thinking_tokens": "thinking.budget_tokens",
        "adaptive": "thinking",
        "show_reasoning": "thinking.display",
        "user": "metadata.user_id",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    }
)
# What the middle form holds, or what means nothing to another provider.
_KNOWN = frozenset(
    {
        "model", "messages", "max_tokens", "system", "tools", "tool_choice", "thinking", "output_config",
        "output_format", "metadata", "service_tier", "stop_sequences", "stream", "temperature", "top_p", "top_k",
        "cache_control", "models", "fallbacks",
    }
)  # fmt: skip
# What an answer is nearly the same without: what is cleared from a long conversation before it is read, whether an
# answer comes faster for more, whom a use is put down to, and what a model is told of the tokens that a task may take.
# Where the work is done, what it is done in, and the tools of others are none of these.
_MINOR = frozenset({"context_management", "speed", "user_profile_id", "output_config.task_budget"})
_TOOL_FIELDS = frozenset(
    {"type", "name", "description", "input_schema", "strict", "cache_control", "eager_input_streaming"}
)


def read(body: Mapping[str, Any]) -> Prompt:
    """The middle form of a checked request: what only this wire has is named in `further`, or `minor`."""
    further = [name for name, value in body.items() if name not in _KNOWN and value is not None]
    minor = [f"tools.{place}.input_examples" for place in _exemplified(body.get("tools") or ())]
    system = _parts(body.get("system") or "", further)
    messages = [Message("system", system)] if system else []
    messages += [Message(each["role"], _parts(each["content"], further)) for each in body["messages"]]
    if body.get("cache_control"):
        messages[-1] = _marked(messages[-1], _cache(body))
    choice = body.get("tool_choice") or {}
    return Prompt(
        messages=tuple(messages),
        tools=tuple(_tool(tool, further) for tool in body.get("tools") or ()),
        tool_choice=_CHOICES.get(choice.get("type", ""), ""),
        tool_name=choice.get("name") or "",
        parallel_tool_calls=False if choice.get("disable_parallel_tool_use") is True else None,
        max_tokens=body.get("max_tokens"),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        top_k=body.get("top_k"),
        stop=tuple(body.get("stop_sequences") or ()),
        service_tier=_TIERS.get(body.get("service_tier") or "", body.get("service_tier") or ""),
        user=(body.get("metadata") or {}).get("user_id") or "",
        begun=_is_begun(messages[-1]),
        params=_PARAMS,
        **_thinking(body, further),
        further=tuple(name for name in dict.fromkeys(further) if name not in _MINOR),
        minor=(*(name for name in further if name in _MINOR), *minor),
    )


def _is_begun(last: Message) -> bool:
    """Whether the answer is begun: this wire's models go on with what an assistant's last message says."""
    called = any(isinstance(part, ToolCall) for part in last.parts)
    return last.role == "assistant" and not called and any(isinstance(part, Text) for part in last.parts)


def _exemplified(tools: Iterable[Mapping[str, Any]]) -> Iterator[int]:
    """The places of the tools that come with examples of how they are called."""
    return (place for place, tool in enumerate(tools) if tool.get("input_examples"))


def without_refused(messages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A checked conversation without what this wire does not take back; the same one where there is none of it.

    That are thoughts that it did not seal, and blank texts, which models of other makers write before they call a tool.
    """
    if not any(_is_refused(block) for message in messages for block in _said(message)):
        return messages
    kept = []
    for message in messages:
        said = [block for block in _said(message) if not _is_refused(block)]
        if len(said) == len(_said(message)):
            kept.append(message)
        elif said:
            kept.append({**message, "content": said})
    return kept


def lacks_a_thought(messages: list[Mapping[str, Any]]) -> bool:
    """Whether a turn that waits for what its tools gave has calls, but no thoughts before them.

    With a budget for thoughts that is refused (platform.claude.com/docs/en/build-with-claude/extended-thinking,
    2026-11-26).
    """
    for message in reversed(messages):
        kinds = [block["type"] for block in message["content"]] if isinstance(message["content"], list) else ["text"]
        if message["role"] == "assistant":
            return "tool_use" in kinds and kinds[0] not in _THOUGHTS
        if message["role"] == "user" and "tool_result" not in kinds:
            return False
    return False


def _said(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The blocks of what the model said."""
    content = message["content"]
    return content if message["role"] == "assistant" and isinstance(content, list) else []


def _is_refused(block: Mapping[str, Any]) -> bool:
    """Whether a block is blank, what another wire sealed, or a thought without a seal: this wire seals each of its own.

    Such a thought is refused, whoever thought it ("Invalid `signature` in `thinking` block"); one that is not
    shown has its seal (platform.claude.com/docs/en/build-with-claude/extended-thinking, 2026-11-27).
    """
    if block["type"] == "text":
        return not block["text"].strip()
    if block["type"] == "thinking" and not block.get("signature"):
        return True
    seal = block.get("signature") or block.get("data")
    return isinstance(seal, str) and is_wrapped(seal.removeprefix(TOOL_MARK))


def _thinking(body: Mapping[str, Any], further: list[str]) -> dict[str, Any]:
    """How much it should think, whether that is shown, and the form of the answer."""
    thinking, config = body.get("thinking") or {}, body.get("output_config") or {}
    further += [f"output_config.{name}" for name in config if name not in ("effort", "format")]
    kind, display = thinking.get("type"), thinking.get("display")
    form = config.get("format") or body.get("output_format")
    return {
        "effort": config.get("effort"),
        "thinking_tokens": 0 if kind in _OFF else thinking.get("budget_tokens") if kind == "enabled" else None,
        "adaptive": kind == "adaptive",
        # A budget shows its thoughts unless told not to; a model that thinks by itself does when asked.
        "show_reasoning": display != "omitted" if kind == "enabled" else kind == "adaptive" and display == "summarized",
        "format": None if form is None else Format(schema=form["schema"], enforced=True),
    }


def _tool(tool: Mapping[str, Any], further: list[str]) -> Tool:
    """A tool of the client's; those that the provider runs itself, or finds by itself, only this wire has."""
    if tool.get("type") not in (None, "custom") or any(
        value for name, value in tool.items() if name not in _TOOL_FIELDS and name != "input_examples"
    ):
        further.append("tools")
    schema = tool.get("input_schema")
    return Tool(
        name=_word(tool.get("name")),
        description=_word(tool.get("description")),
        schema=schema if isinstance(schema, dict) else None,
        strict=tool["strict"] if isinstance(tool.get("strict"), bool) else None,
        cache=_cache(tool),
    )


def _parts(content: Any, further: list[str]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    found: list[Part] = []
    for block in content:
        if block["type"] == "redacted_thinking" and block["data"].startswith(TOOL_MARK):
            _seal_call(found, block["data"].removeprefix(TOOL_MARK))
        else:
            found += _part(block, further)
    return tuple(found)


def _part(block: Mapping[str, Any], further: list[str]) -> Iterator[Part]:
    match block["type"]:
        case "text":
            yield Text(block["text"], _cache(block))
        case "image":
            yield _image(block["source"], _cache(block), further)
        case "document":
            yield _document(block, further)
        case "search_result":
            yield _found(block)
        case "thinking":
            wire, seal = unwrapped(_word(block.get("signature")))
            yield Reasoning(block["thinking"], signature=seal, wire=wire)
        case "redacted_thinking":
            wire, seal = unwrapped(block["data"])
            yield Reasoning(sealed=seal, wire=wire)
        case "tool_use":
            arguments = orjson.dumps(block["input"]).decode()
            yield ToolCall(block["id"], block["name"], arguments, cache=_cache(block))
        case "tool_result":
            yield _result(block, further)
        case _:
            further.append("messages")


def _result(block: Mapping[str, Any], further: list[str]) -> ToolResult:
    inner = _parts(block.get("content") or "", further)
    parts = tuple(part for part in inner if isinstance(part, Text | Image | Document))
    return ToolResult(block["tool_use_id"], parts, block.get("is_error") is True, _cache(block))


def _image(source: Mapping[str, Any], cache: str, further: list[str]) -> Image:
    if source["type"] == "url":
        return Image(url=source["url"], cache=cache)
    if source["type"] != "base64":
        further.append("messages")
        return Image(cache=cache)
    return Image(data=source["data"], media_type=source["media_type"], cache=cache)


def _document(block: Mapping[str, Any], further: list[str]) -> Document:
    source = block["source"]
    found = {"url": "", "data": "", "media_type": "", "text": ""}
    match source["type"]:
        case "url":
            found["url"] = source["url"]
        case "base64":
            found |= {"data": source["data"], "media_type": source["media_type"]}
        case "text":
            found["text"] = source["data"]
        case "content" if isinstance(source.get("content"), str):
            found["text"] = source["content"]
        case "content" if _is_texts(source.get("content")):
            found["text"] = "\n\n".join(part["text"] for part in source["content"])
        case _:
            further.append("messages")
    context = _word(block.get("context")).strip()
    return Document(
        **found, name=_word(block.get("title")), cache=_cache(block), citations=_cites(block), context=context
    )


def _is_texts(content: Any) -> bool:
    if not isinstance(content, list):
        return False
    return all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content)


def _found(block: Mapping[str, Any]) -> Document:
    """A result of a search that the client made itself: to another wire a document like any other."""
    content = block.get("content")
    texts = [_word(part.get("text")) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    title, source = _word(block.get("title")), _word(block.get("source"))
    return Document(
        text="\n\n".join(filter(None, texts)),
        name=title or source,
        context=source.strip() if title and source != title else "",
        cache=_cache(block),
        citations=_cites(block),
    )


def _seal_call(found: list[Part], data: str) -> None:
    """Give the tool's call that stands last the seal that another wire made for it."""
    if found and isinstance(found[-1], ToolCall):
        wire, seal = unwrapped(data)
        found[-1] = replace(found[-1], signature=seal, wire=wire)


def _marked(message: Message, cache: str) -> Message:
    """The message with its last part kept in the cache, where that part can be."""
    last = message.parts[-1] if message.parts else None
    if not isinstance(last, Text | Image | Document | ToolCall | ToolResult):
        return message
    return replace(message, parts=(*message.parts[:-1], replace(last, cache=cache)))


def _cites(block: Mapping[str, Any]) -> bool:
    citations = block.get("citations")
    return isinstance(citations, dict) and citations.get("enabled") is True


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _cache(block: Mapping[str, Any]) -> str:
    mark = block.get("cache_control")
    if not isinstance(mark, dict):
        return ""
    return "1h" if mark.get("ttl") == "1h" else "5m"
