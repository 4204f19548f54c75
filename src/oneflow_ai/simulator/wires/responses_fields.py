"""The fields of a request to OpenAI's Responses, by its specification of 2026-08-21 and its client of 2026-11-17."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.simulator.fields import (
    Check,
    Path,
    anything,
    boolean,
    integer,
    listed,
    mapping,
    nullable,
    number,
    object_,
    one_of,
    record,
    tagged,
    text,
    text_or,
)

TOKENS_LEAST = 16
_KIND = text()
_MARK = {"prompt_cache_breakpoint": nullable(object_)}
_STATUS = nullable(one_of("in_progress", "completed", "incomplete"))


def _part(fields: Mapping[str, Check], *required: str) -> Check:
    return record({"type": _KIND, **fields}, required)


INPUT_PARTS: Mapping[str, Check] = {
    "input_text": _part({"text": text(), **_MARK}, "text"),
    "input_image": _part(
        {
            "image_url": nullable(text(1, pattern=r"(?s)(https?://|data:image/[\w.+-]+;base64,).+")),
            "file_id": nullable(text()),
            "detail": nullable(one_of("low", "high", "auto", "original")),
            **_MARK,
        }
    ),
    "input_file": _part(
        {
            "file_id": nullable(text()),
            "file_data": text(),
            "file_url": text(),
            "filename": text(),
            "detail": one_of("auto", "low", "high"),
            **_MARK,
        }
    ),
    "input_audio": _part({"input_audio": object_}, "input_audio"),
}
OUTPUT_PARTS: Mapping[str, Check] = {
    "output_text": _part({"text": text(), "annotations": listed(object_), "logprobs": listed(object_)}, "text"),
    "refusal": _part({"refusal": text()}, "refusal"),
}
_MESSAGE = {
    "type": _KIND,
    "role": one_of("user", "assistant", "system", "developer"),
    "id": text(1, pattern=r"msg.*"),
    "status": _STATUS,
    "phase": nullable(one_of("commentary", "final_answer")),
}
_ASKED = record(
    _MESSAGE | {"content": text_or(listed(tagged("type", INPUT_PARTS)))},
    ("role", "content"),
)
_SAID = record(
    _MESSAGE | {"content": text_or(listed(tagged("type", OUTPUT_PARTS)))},
    ("role", "content"),
)


def _message(value: Any, path: Path) -> None:
    """A message: what the assistant said has parts of its own."""
    (_SAID if value.get("role") == "assistant" else _ASKED)(value, path)


_CALL = {
    "call_id": text(1),
    "name": text(1, 128),
    "caller": nullable(object_),
    "namespace": text(),
    "status": _STATUS,
}
_OUTPUT = {
    "call_id": text(1),
    "output": text_or(listed(tagged("type", INPUT_PARTS))),
    "caller": nullable(object_),
    "name": nullable(text()),
    "namespace": nullable(text()),
    "status": _STATUS,
    "id": nullable(text()),
}
_SUMMARY = listed(tagged("type", {"summary_text": _part({"text": text()}, "text")}))
_REASONED = listed(tagged("type", {"reasoning_text": _part({"text": text()}, "text")}))
_HOSTED = (
    *("file_search_call", "computer_call", "computer_call_output", "web_search_call", "image_generation_call"),
    *("code_interpreter_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output"),
    *("apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_approval_request"),
    *("mcp_approval_response", "mcp_call", "compaction", "tool_search_call", "tool_search_output"),
)
_ITEMS: Mapping[str, Check] = {
    "message": _message,
    "function_call": _part(
        _CALL | {"id": nullable(text(1, pattern=r"fc.*")), "arguments": text()}, "call_id", "name", "arguments"
    ),
    "function_call_output": _part(_OUTPUT, "call_id", "output"),
    "custom_tool_call": _part(
        _CALL | {"id": nullable(text(1, pattern=r"ctc.*")), "input": text()}, "call_id", "name", "input"
    ),
    "custom_tool_call_output": _part(_OUTPUT, "call_id", "output"),
    "reasoning": _part(
        {
            "id": text(1, pattern=r"rs.*"),
            "summary": _SUMMARY,
            "content": nullable(_REASONED),
            "encrypted_content": nullable(text()),
            "status": _STATUS,
        },
        "summary",
    ),
    "item_reference": _part({"id": text(1)}, "id"),
    # what hosted tools leave in a conversation; nothing here makes them
    **dict.fromkeys(_HOSTED, object_),
}


def _item(value: Any, path: Path) -> None:
    """An item by its type; without one a message, or a reference when it has nothing but an id."""
    reference = isinstance(value, dict) and value.get("type") is None and "role" not in value and "id" in value
    tagged("type", _ITEMS, "item_reference" if reference else "message")(value, path)


_FUNCTION = _part(
    {
        "name": text(1, 128, r"[a-zA-Z0-9_-]+"),
        "description": nullable(text()),
        "parameters": nullable(object_),
        "strict": nullable(boolean),
        "defer_loading": boolean,
        "allowed_callers": nullable(listed(text())),
        "output_schema": nullable(object_),
    },
    "name",
)
_CUSTOM = _part(
    {
        "name": text(1, 128, r"[a-zA-Z0-9_-]+"),
        "description": text(),
        "format": object_,
        "defer_loading": boolean,
        "allowed_callers": nullable(listed(text())),
    },
    "name",
)
_TOOLS: Mapping[str, Check] = {
    "function": _FUNCTION,
    "custom": _CUSTOM,
    **dict.fromkeys(
        (
            *("web_search", "web_search_preview", "file_search", "computer_use_preview", "computer"),
            *("code_interpreter", "image_generation", "mcp", "local_shell", "shell", "apply_patch", "namespace"),
            *("tool_search", "programmatic_tool_calling"),
        ),
        object_,
    ),
}
_NAMED = _part({"name": text(1)}, "name")
# How one tool is named: those that the server runs, by their type alone.
_CHOSEN: Mapping[str, Check] = {**dict.fromkeys(_TOOLS, object_), "function": _NAMED, "custom": _NAMED}
_ALLOWED = _part({"mode": one_of("auto", "required"), "tools": listed(tagged("type", _CHOSEN))}, "mode", "tools")
_CHOICE = text_or(tagged("type", {**_CHOSEN, "allowed_tools": _ALLOWED}), one_of("none", "auto", "required"))
_FORMAT = tagged(
    "type",
    {
        "text": _part({}),
        "json_object": _part({}),
        "json_schema": _part(
            {
                "name": text(1, 64, r"[a-zA-Z0-9_-]+"),
                "schema": object_,
                "description": nullable(text()),
                "strict": nullable(boolean),
            },
            "name",
            "schema",
        ),
    },
)
_EFFORTS = one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SUMMARIES = nullable(one_of("auto", "concise", "detailed"))
_INCLUDES = one_of(
    *("file_search_call.results", "web_search_call.results", "web_search_call.action.sources"),
    *("message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs"),
    *("reasoning.encrypted_content", "message.output_text.logprobs"),
)

COUNT_FIELDS: Mapping[str, Check] = {
    "model": nullable(text(1)),
    "input": nullable(text_or(listed(_item))),
    "conversation": nullable(anything),
    "instructions": nullable(text()),
    "parallel_tool_calls": nullable(boolean),
    "personality": text(),
    "previous_response_id": nullable(text(1)),
    "reasoning": nullable(
        record(
            {
                "effort": nullable(_EFFORTS),
                "summary": _SUMMARIES,
                "generate_summary": _SUMMARIES,
                "context": nullable(one_of("auto", "current_turn", "all_turns")),
                "mode": text(),
            }
        )
    ),
    "text": nullable(record({"format": nullable(_FORMAT), "verbosity": nullable(one_of("low", "medium", "high"))})),
    "tool_choice": nullable(_CHOICE),
    "tools": nullable(listed(tagged("type", _TOOLS))),
    "truncation": nullable(one_of("auto", "disabled")),
}
"""What may be asked about the tokens of an input."""

FIELDS: Mapping[str, Check] = {
    **{name: check for name, check in COUNT_FIELDS.items() if name != "personality"},
    "background": nullable(boolean),
    "context_management": nullable(listed(object_, 1)),
    "include": nullable(listed(_INCLUDES)),
    "max_output_tokens": nullable(integer(TOKENS_LEAST)),
    "max_tool_calls": nullable(integer(1)),
    "metadata": nullable(mapping(text(0, 512), 16)),
    "moderation": nullable(object_),
    "prompt": nullable(object_),
    "prompt_cache_key": nullable(text()),
    "prompt_cache_options": nullable(record({"mode": one_of("implicit", "explicit"), "ttl": one_of("30m")})),
    "prompt_cache_retention": nullable(one_of("in_memory", "24h")),
    "safety_identifier": nullable(text(0, 64)),
    "service_tier": nullable(one_of("auto", "default", "flex", "scale", "priority", "fast")),
    "store": nullable(boolean),
    "stream": nullable(boolean),
    "stream_options": nullable(record({"include_obfuscation": boolean})),
    "temperature": nullable(number(0, 2)),
    "top_logprobs": nullable(integer(0, 20)),
    "top_p": nullable(number(0, 1)),
    "user": nullable(text()),
}
"""What may be asked of a response."""
