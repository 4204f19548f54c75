"""The fields of a request on Anthropic's wire, by its specification of 2026-08-18 and its client 2.14.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneflow_ai.simulator.fields import (
    Check,
    Path,
    anything,
    base64_text,
    boolean,
    integer,
    listed,
    nullable,
    number,
    object_,
    one_of,
    record,
    tagged,
    text,
    text_or,
)

_ID = text(1, pattern=r"[a-zA-Z0-9_-]+")
_KIND = text()


_CACHE = nullable(tagged("type", {"ephemeral": record({"type": _KIND, "ttl": one_of("5m", "1h")})}))


def _block(fields: Mapping[str, Check], required: tuple[str, ...] = (), cached: bool = True) -> Check:
    return record({"type": _KIND, **fields, **({"cache_control": _CACHE} if cached else {})}, required)


_CITATIONS = nullable(record({"enabled": boolean}))
_TEXT = _block({"text": text(), "citations": nullable(listed(object_))}, ("text",))
_PICTURES = one_of("image/jpeg", "image/png", "image/gif", "image/webp")
_URL = _block({"url": text(1)}, ("url",), cached=False)
_IMAGE_SOURCE = tagged(
    "type",
    {
        "base64": _block({"media_type": _PICTURES, "data": base64_text()}, ("media_type", "data"), cached=False),
        "url": _URL,
        "file": _block({"file_id": text(1)}, ("file_id",), cached=False),
    },
)
_IMAGE = _block({"source": _IMAGE_SOURCE, "transformations": nullable(object_)}, ("source",))
_INNER = tagged("type", {"text": _TEXT, "image": _IMAGE})
_DOCUMENT_SOURCE = tagged(
    "type",
    {
        "base64": _block(
            {"media_type": one_of("application/pdf"), "data": base64_text()}, ("media_type", "data"), cached=False
        ),
        "text": _block({"media_type": one_of("text/plain"), "data": text()}, ("media_type", "data"), cached=False),
        "content": _block({"content": text_or(listed(_INNER))}, ("content",), cached=False),
        "url": _URL,
        "file": _block({"file_id": text(1)}, ("file_id",), cached=False),
    },
)
_DOCUMENT = _block(
    {
        "source": _DOCUMENT_SOURCE,
        "citations": _CITATIONS,
        "context": nullable(text(1)),
        "title": nullable(text(1, 500)),
    },
    ("source",),
)
_SEARCH_RESULT = _block(
    {"content": listed(_TEXT), "source": text(), "title": text(), "citations": _CITATIONS},
    ("content", "source", "title"),
)
_RESULT_PARTS: Mapping[str, Check] = {
    "text": _TEXT,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "search_result": _SEARCH_RESULT,
    "tool_reference": object_,
}
_SET = {"toolset_name": nullable(text())}
_BLOCKS: Mapping[str, Check] = {
    "text": _TEXT,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "search_result": _SEARCH_RESULT,
    "thinking": _block({"thinking": text(), "signature": text()}, ("signature", "thinking"), cached=False),
    "redacted_thinking": _block({"data": text()}, ("data",), cached=False),
    "tool_use": _block(
        {"id": _ID, "name": text(1, 200), "input": object_, "caller": object_, **_SET}, ("id", "input", "name")
    ),
    "tool_result": _block(
        {"tool_use_id": _ID, "content": text_or(listed(tagged("type", _RESULT_PARTS))), "is_error": boolean, **_SET},
        ("tool_use_id",),
    ),
    # what tools of the provider's own leave in a conversation; nothing here makes them
    **dict.fromkeys(
        (
            *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
            *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result"),
            *("tool_search_tool_result", "container_upload"),
        ),
        object_,
    ),
}
_MESSAGE = record(
    {"role": one_of("user", "assistant", "system"), "content": text_or(listed(tagged("type", _BLOCKS)))},
    ("role", "content"),
)

_TOOL = record(
    {
        "type": nullable(one_of("custom")),
        "name": text(1, 128, r"[a-zA-Z0-9_-]{1,128}"),
        "description": text(),
        "input_schema": object_,
        "cache_control": _CACHE,
        "strict": boolean,
        "eager_input_streaming": nullable(boolean),
        "allowed_callers": listed(text()),
        "defer_loading": boolean,
        "input_examples": listed(object_),
    },
    ("name", "input_schema"),
)


def _tool(value: Any, path: Path) -> None:
    """A tool of the client's own by its fields; one of the provider's by its name only."""
    if isinstance(value, dict) and value.get("type") not in (None, "custom"):
        text(1)(value.get("name"), (*path, "name"))
    else:
        _TOOL(value, path)


_ALONE = {"disable_parallel_tool_use": boolean}
_DISPLAY = nullable(one_of("summarized", "omitted"))
_FORMAT = tagged("type", {"json_schema": record({"type": _KIND, "schema": object_}, ("schema",))})

COUNT_FIELDS: Mapping[str, Check] = {
    "model": text(1),
    "messages": listed(_MESSAGE),
    "cache_control": _CACHE,
    "output_config": record(
        {"effort": nullable(one_of("low", "medium", "high", "xhigh", "max")), "format": nullable(_FORMAT)}
    ),
    "system": text_or(listed(_TEXT)),
    "thinking": tagged(
        "type",
        {
            "enabled": record(
                {"type": _KIND, "budget_tokens": integer(1_024), "display": _DISPLAY}, ("budget_tokens",)
            ),
            "adaptive": record({"type": _KIND, "display": _DISPLAY}),
            "disabled": record({"type": _KIND}),
            "between_tools": record({"type": _KIND}),
        },
    ),
    "tool_choice": tagged(
        "type",
        {
            "auto": record({"type": _KIND, **_ALONE}),
            "any": record({"type": _KIND, **_ALONE}),
            "tool": record({"type": _KIND, "name": text(), **_ALONE}, ("name",)),
            "none": record({"type": _KIND}),
        },
    ),
    "tools": listed(_tool),
}
"""What may be asked about the tokens of a prompt."""

FIELDS: Mapping[str, Check] = {
    **COUNT_FIELDS,
    "max_tokens": integer(1),
    "container": anything,
    "inference_geo": nullable(text()),
    "metadata": record({"user_id": nullable(text(0, 512))}),
    "service_tier": one_of("auto", "standard_only"),
    "stop_sequences": listed(text()),
    "stream": boolean,
    "temperature": number(0, 1),
    "top_k": integer(0),
    "top_p": number(0, 1),
    "speed": nullable(one_of("standard", "fast")),
    "diagnostics": anything,
}
"""What may be asked of a message."""

SAMPLING = ("temperature", "top_p", "top_k")
"""Fields that there are not any more from version 2026-10-21 on."""

BETA_FIELDS: Mapping[str, Check] = {
    "output_format": _FORMAT,
    "context_management": anything,
    "mcp_servers": listed(object_),
    "betas": listed(text()),
}
"""What may be asked on the beta routes (`?beta=true`) besides."""
