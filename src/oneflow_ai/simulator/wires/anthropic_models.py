"""The list of models on Anthropic's wire, with their lifecycle, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from oneflow_ai.simulator.answer import Answer
from oneflow_ai.simulator.wires.anthropic_rules import Refused, generation
from oneflow_ai.simulator.wires.wire import Surroundings

# Ids and days of the official client 2.12.0 (2026-11-20), with the day a model ends where it is known.
_ENDS: Mapping[str, str | None] = {
    "claude-opus-5-5": None,
    "claude-sonnet-5-5": None,
    "claude-haiku-5-5": None,
    "claude-fable-5-2": None,
    "claude-fable-5-1": None,
    "claude-mythos-5-2": None,
    "claude-mythos-5-1": None,
    "claude-opus-5": None,
    "claude-sonnet-5": None,
    "claude-opus-4-8": None,
    "claude-opus-4-7": None,
    "claude-opus-4-6": None,
    "claude-opus-4-5": None,
    "claude-sonnet-4-6": None,
    "claude-haiku-4-5": None,
    "claude-sonnet-4-5": "2026-11-30",
    "claude-opus-4-0": "2026-06-15",
    "claude-sonnet-4-0": "2026-06-15",
    "claude-3-haiku-20240307": "2026-04-19",
}
_RETIRED = ("claude-opus-4-0", "claude-sonnet-4-0", "claude-3-haiku-20240307")
MODELS = tuple([name for name in _ENDS if name not in _RETIRED])
PAGE_DEFAULT, PAGE_MOST = 20, 1_000
_LIFECYCLES = ("active", "deprecated", "retired")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def listing(query: str, around: Surroundings) -> Answer:
    """A page of the models; raises `Refused` for a page that cannot be."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    most = asked.get("limit", str(PAGE_DEFAULT))
    if not most.isdigit() or not 1 <= int(most) <= PAGE_MOST:
        raise Refused(f"limit: Input should be from 1 to {PAGE_MOST}")
    wanted = parse_qs(query).get("lifecycle", _LIFECYCLES[:2])
    names = [name for name in around.models or _ENDS if lifecycle(name) in wanted]
    after, before = asked.get("after_id"), asked.get("before_id")
    if after in names:
        names = names[names.index(after) + 1 :]
    if before in names:
        names = names[: names.index(before)]
    page = names[-int(most) :] if before is not None and after is None else names[: int(most)]
    body = {
        "data": [model(name) for name in page],
        "has_more": len(page) < len(names),
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }
    return Answer(body=orjson.dumps(body))


def lifecycle(name: str) -> str:
    """Whether a model is active, deprecated or retired."""
    if name in _RETIRED:
        return "retired"
    return "deprecated" if _ENDS.get(name) else "active"


def model(name: str) -> dict[str, Any]:
    """One model as the list shows it."""
    ends, made = _ENDS.get(name), generation(name)
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2025-11-01T00:00:00Z",
        "lifecycle": lifecycle(name),
        "deprecated_at": "2026-04-01T00:00:00Z" if ends else None,
        "retires_at": f"{ends}T00:00:00Z" if ends else None,
        "max_input_tokens": 200_000,
        "max_tokens": 128_000 if made >= (4, 6) else 64_000,
        "capabilities": _capabilities(made),
    }


def _capabilities(made: tuple[int, int]) -> dict[str, Any]:
    yes, newer = {"supported": True}, {"supported": made >= (4, 6)}
    older = {"supported": made <= (4, 6)}
    return {
        "batch": yes,
        "citations": yes,
        "code_execution": {"supported": False},
        "context_management": {
            "supported": False,
            **dict.fromkeys(("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")),
        },
        "effort": {**newer, **dict.fromkeys(_EFFORTS, newer)},
        "image_input": yes,
        "pdf_input": yes,
        "structured_outputs": yes,
        "thinking": {**yes, "types": {"adaptive": newer, "enabled": older}},
    }
