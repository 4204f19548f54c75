"""The response object of OpenAI's Responses, which its events and a whole answer tell: what stands about the items."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from oneflow_ai.core.call import Call
from oneflow_ai.core.events import End, Usage
from oneflow_ai.core.failure import Failure
from oneflow_ai.core.target import Target

IN_PROGRESS, COMPLETED, INCOMPLETE, FAILED = "in_progress", "completed", "incomplete", "failed"
# Why an answer is not complete, from the middle form; with any other reason it is.
_INCOMPLETE: Mapping[str, str] = {
    "length": "max_output_tokens",
    "context_length": "max_output_tokens",
    "content_filter": "content_filter",
}
# What a response repeats of its request, and what it says where the request said nothing.
_REPEATED: Mapping[str, Any] = MappingProxyType(
    {
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "safety_identifier": None,
        "temperature": None,
        "tool_choice": "auto",
        "tools": (),
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": None,
        "metadata": MappingProxyType({}),
    }
)
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})


class Frame:
    """Makes the response object of one answer as it goes on; `id` is the response's, `unique` is for its items' ids."""

    __slots__ = ("_created", "_model", "_repeated", "_tier", "id", "unique")

    def __init__(self, call: Call, target: Target) -> None:
        body = call.body
        self.unique = call.id.removeprefix("req_")
        self.id = f"resp_{self.unique}"
        self._created = int(call.received.timestamp())
        self._model = target.model
        self._tier = body.get("service_tier")
        self._repeated = {
            name: _plain(usual) if body.get(name) is None else body[name] for name, usual in _REPEATED.items()
        }
        reasoning, text = body.get("reasoning") or {}, body.get("text") or {}
        self._repeated["reasoning"] = {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")}
        form, verbosity = text.get("format") or {"type": "text"}, text.get("verbosity") or "medium"
        self._repeated["text"] = {"format": form, "verbosity": verbosity}

    def begun(self) -> dict[str, Any]:
        """The response while it is being written."""
        return self._object(IN_PROGRESS, [], None)

    def ended(
        self, end: End, output: list[dict[str, Any]], usage: Usage, *, refused: bool, **more: Any
    ) -> dict[str, Any]:
        """The response once it is over; `more` is told among its usage, `refused` that it says what it will not do."""
        why = _why(end.reason, refused=refused)
        found = self._object(COMPLETED if why is None else INCOMPLETE, output, {**usage_object(usage), **more})
        found["incomplete_details"] = None if why is None else {"reason": why}
        found["model"] = end.model or self._model
        if usage.service_tier in _TIERS:
            found["service_tier"] = usage.service_tier
        return found

    def failed(self, failure: Failure, output: list[dict[str, Any]]) -> dict[str, Any]:
        """The response that an error ended."""
        return failed(self._object(FAILED, output, None), failure)

    def _object(self, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        tier = self._tier if self._tier in _TIERS else "auto"
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self._model,
            "output": output,
            # Only a provider of this wire keeps it for later.
            "store": False,
            "service_tier": tier,
            "usage": usage,
            **self._repeated,
        }


def incomplete(end: End, *, refused: bool) -> bool:
    """Whether an answer that ended so is told as incomplete."""
    return _why(end.reason, refused=refused) is not None


def failed(response: Mapping[str, Any], failure: Failure) -> dict[str, Any]:
    """A response as it was, ended by an error."""
    return {**response, "status": FAILED, "error": {"code": failure.code, "message": failure.message}}


def error_event(failure: Failure) -> dict[str, Any]:
    """The event that tells an error: its fields as specified, and once more as the provider itself sends them."""
    told = {"message": failure.message, "type": failure.kind.type, "param": failure.param, "code": failure.code}
    flat = {name: told[name] for name in ("code", "message", "param")}
    return {"type": "error", **flat, "error": told}


def usage_object(usage: Usage) -> dict[str, Any]:
    """What an answer used, as this wire counts it: parts are within their totals."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _why(reason: str | None, *, refused: bool) -> str | None:
    # What it would not do it has said, in its own part; a refusal without a word is one by the filter.
    if reason == "refusal":
        return None if refused else "content_filter"
    return _INCOMPLETE.get(reason or "")


def _plain(usual: Any) -> Any:
    """A default as JSON has it."""
    if isinstance(usual, tuple):
        return []
    return dict(usual) if isinstance(usual, Mapping) else usual
